#pragma once
/// Published algorithms as compositions: a name for a method, strategies, an estimator and option
/// values.

#include <string>
#include <utility>
#include <vector>

#include "echelon/core/configuration.hpp"
#include "echelon/core/part.hpp"

namespace echelon {

/// A row of the table of presets.
struct Preset {
  std::string name;
  std::string summary;
  std::string reference;
  /// How close the composition is to what was published: see origin_text.
  enum class Origin { published, released, reconstructed, own } origin;
  /// Keys of a configuration and their values; what a user gives beats them.
  std::vector<std::pair<std::string, std::string>> settings;
  std::string note;  ///< traps, and what differs from the paper
};

/// In words, such as "as published".
std::string origin_text(Preset::Origin origin);

/// Presets of the library: decentralized, personal, federated, centralized; then those that a
/// program or a plug-in adds.
PartList<Preset>& preset_catalog();

/// Gives `configuration` the settings of its `run.preset`, if it names one, except where a value
/// was given. Throws a usage error for an unknown name.
void apply_preset(Configuration& configuration);

}  // namespace echelon

#pragma once
/// Parts with options as texts.

#include <string>
#include <utility>
#include <vector>

#include "echelon/core/configuration.hpp"
#include "echelon/core/part.hpp"

namespace echelon::testing_support {

using PartSettings = std::vector<std::pair<std::string, std::string>>;

/// The part called `name` with those of the settings that it reads.
template <class Entry>
Chosen<Entry> chosen(const PartList<Entry>& list, const std::string& name,
                     const PartSettings& settings = {}) {
  Configuration configuration;
  for (const auto& [key, value] : settings) configuration.set("test." + key, value, "test");
  Chosen<Entry> part(list, name);
  configuration.read("test", part.options());
  return part;
}

}  // namespace echelon::testing_support

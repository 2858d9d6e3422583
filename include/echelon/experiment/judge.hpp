#pragma once
/// What is wrong with a composition, as far as that can be known before there are data: all rules
/// that concern several parts at once. Serial, without MPI; a graph in a file is read only where
/// the caller hands over its schedule.

#include <map>
#include <string>
#include <vector>

#include "echelon/core/configuration.hpp"
#include "echelon/experiment/experiment.hpp"
#include "echelon/topology/schedule.hpp"

namespace echelon {

/// One thing that is wrong, with the keys of a configuration that a user may change.
struct Finding {
  std::string text;
  std::vector<std::string> keys;
};

/// The networks that a composition runs on, as far as they are known.
struct JudgedNetworks {
  SharedSchedule common = nullptr;           ///< nullptr: not made yet, rules about it are left out
  std::map<Role, SharedSchedule> of_role{};  ///< of variables with a network of their own
};

/// Everything that is wrong, each finding once, in the order of the rules.
std::vector<Finding> judge(const GeneralOptions& general, const JudgedNetworks& networks = {});

/// The same for a configuration: options that nobody reads are findings as well. Makes the networks
/// itself unless their graphs are in files. Throws where the configuration cannot even be read.
std::vector<Finding> judge(const Configuration& configuration);

/// Throws a usage error with a line for each finding; nothing if there is none.
void require_sound(const std::vector<Finding>& findings);

/// True if constant steps reach the exact point also where agents differ: no variable moves by a
/// strategy that keeps a bias.
bool is_exact(const GeneralOptions& general);

}  // namespace echelon

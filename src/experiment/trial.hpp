#pragma once
/// A few iterations of a composition on a small problem of known shape, whose calls and messages
/// are counted: what an iteration costs is measured, not declared. Serial, without MPI, files or
/// data.

#include <set>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/experiment/cost.hpp"
#include "echelon/experiment/experiment.hpp"

namespace echelon::detail {

/// Per agent, for `iterations` iterations once the run is under way.
struct TrialCount {
  double iterations = 0;
  double gradients = 0;
  double products = 0;
  double values = 0;
  std::vector<RoundNote> rounds{};
  std::set<Role> roles{};  ///< of the variables that a strategy moves
};

/// x in R^p, y in R^q. Throws what the composition throws when it is made.
TrialCount run_trial(const GeneralOptions& general, Index p, Index q);

/// Do strategies move auxiliaries of the method? True also if the composition cannot be made.
bool moves_auxiliaries(const GeneralOptions& general);

}  // namespace echelon::detail

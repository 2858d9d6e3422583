#pragma once
/// Problems by name.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "echelon/core/configuration.hpp"
#include "echelon/problem/data.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// What a problem is made from besides its own options.
struct ProblemContext {
  AgentSet agents;
  const DataSource& data;
  std::uint64_t seed;
  bool wants_double;  ///< the method uses second-order products
};

struct ProblemEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::function<std::vector<OptionDescription>()> options;
  /// Reads its options from section `problem`. Not collective: each rank reads its own agents'
  /// data.
  std::function<std::unique_ptr<BilevelProblem>(const ProblemContext&, Configuration&)> make;
};

/// quadratic, p-q, analytic, finite-sum, log-cosh, ridge, sparse-regression, hyper-cleaning,
/// regularization, hyper-representation, demodulation.
const std::vector<ProblemEntry>& problem_catalog();

}  // namespace echelon

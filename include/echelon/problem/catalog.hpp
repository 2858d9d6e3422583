#pragma once
/// Problems by name.

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "echelon/core/part.hpp"
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
  std::string formula{};
  std::string reference{};
  std::vector<std::string> aliases{};  ///< other names by which it is known
  PartOptions options{};               ///< section `problem`
  /// Not collective: each rank reads its own agents' data.
  std::function<std::unique_ptr<BilevelProblem>(const ProblemContext&, const PartOptions&)> make{};
};

/// Completes an entry by the options and the constructor of a problem, which takes the agents, its
/// options, the data source if it reads data, the seed, and `wants_double` if its precision may
/// follow the method:
///
///     Problem(AgentSet, Options, const DataSource&, std::uint64_t seed, bool wants_double)
///     Problem(AgentSet, Options, std::uint64_t seed, bool wants_double)
///     Problem(AgentSet, Options, std::uint64_t seed)
template <class Problem, class Options>
ProblemEntry problem_part(ProblemEntry entry) {
  entry.options = Options{};
  entry.make = [](const ProblemContext& given,
                  const PartOptions& options) -> std::unique_ptr<BilevelProblem> {
    const Options& own = options.as<Options>();
    if constexpr (std::is_constructible_v<Problem, AgentSet, Options, const DataSource&,
                                          std::uint64_t, bool>) {
      return std::make_unique<Problem>(given.agents, own, given.data, given.seed,
                                       given.wants_double);
    } else if constexpr (std::is_constructible_v<Problem, AgentSet, Options, std::uint64_t, bool>) {
      return std::make_unique<Problem>(given.agents, own, given.seed, given.wants_double);
    } else {
      return std::make_unique<Problem>(given.agents, own, given.seed);
    }
  };
  return entry;
}

/// Problems of the library, by the files of src/problem, and those that a program adds.
PartList<ProblemEntry>& problem_catalog();

}  // namespace echelon

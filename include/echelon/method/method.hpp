#pragma once
/// What is iterated, and along which local directions. One file per method; no MPI, no files, no
/// loop.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/consensus/variable.hpp"
#include "echelon/core/configuration.hpp"
#include "echelon/core/state.hpp"
#include "echelon/method/estimator.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

class Method {
 public:
  virtual ~Method() = default;
  /// Iteration k = 0, 1, ... Collective.
  virtual void iterate(std::uint64_t k) = 0;
  /// The iterates to report: d x m blocks of the upper and of the lower variable.
  virtual const AgentView& x() = 0;
  virtual const AgentView& y() = 0;
  virtual void visit_state(StateVisitor& visitor) = 0;
};

/// What of the method a strategy or a network is for.
enum class Role { upper, lower, auxiliary };

/// Which strategy each variable uses; names of the catalog.
struct ConsensusOptions {
  std::string strategy = "gt-atc";
  std::string x{};          ///< empty: as `strategy`
  std::string y{};          ///< empty: as `strategy`
  std::string auxiliary{};  ///< empty: as y
  StrategyOptions all{};    ///< of all variables, unless the next ones are given
  std::map<Role, StrategyOptions> of{};

  void visit(OptionVisitor& visitor);  ///< section `consensus`
  const StrategyEntry& entry(Role role) const;
  const StrategyOptions& options(Role role) const;
  /// True if agents keep lower-level values of their own. Throws a usage error if y and its
  /// auxiliary disagree on that.
  bool personal() const;
};

/// Everything a method is built on. The references outlive the method.
struct MethodContext {
  BilevelProblem& problem;
  Network& network;
  ConsensusOptions consensus;
  EstimatorOptions estimator;
  std::uint64_t seed = 1;               ///< of random compression
  std::map<Role, Network*> networks{};  ///< of variables that do not use `network`

  /// `outputs` are the heights of the blocks that the oracle writes, `arguments` those of the
  /// variables it depends on; by default x, y and one auxiliary, of which it may use the first few.
  std::unique_ptr<GradientEstimator> make_estimator(const std::vector<Index>& outputs,
                                                    const std::vector<Index>& arguments = {}) const;
  ConsensusVariable upper_variable(std::string name) const;
  ConsensusVariable lower_variable(std::string name) const;
  /// In the space of y; starts at `start`.
  ConsensusVariable auxiliary_variable(std::string name, const VectorXd& start) const;

 private:
  ConsensusVariable variable(std::string name, const VectorXd& start, Role role) const;
};

/// Step sizes of iteration k: s (1 + k / decay_offset)^-e, with one exponent for x and one for y
/// and its auxiliaries; 0 is constant.
struct StepSchedule {
  double upper_decay = 0;
  double lower_decay = 0;
  double decay_offset = 100;

  void visit(OptionVisitor& visitor);
  double upper(std::uint64_t k) const;
  double lower(std::uint64_t k) const;
};

struct MethodEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::string assumes;  ///< of the problem
  bool uses_products;   ///< second-order products, so data kernels default to double
  std::function<std::vector<OptionDescription>()> options;
  /// Reads its options from section `method`. Collective.
  std::function<std::unique_ptr<Method>(const MethodContext&, Configuration&)> make;
};

/// f2sa, f2ba, soba, hjfbio.
const std::vector<MethodEntry>& method_catalog();

}  // namespace echelon

#pragma once
/// What is iterated, and along which local directions. One file per method; no MPI, no files, no
/// loop.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/consensus/mean_tracker.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/consensus/variable.hpp"
#include "echelon/core/configuration.hpp"
#include "echelon/core/part.hpp"
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

/// Suffix of the sections `network-...` and `consensus-...` that are for one variable: x, y,
/// auxiliary.
std::string role_name(Role role);

struct MethodEntry;

/// Which strategy each variable uses, with its options.
struct ConsensusOptions {
  Chosen<StrategyEntry> upper, lower, auxiliary;
  /// Of methods that combine network means.
  MeanOptions means{};
  /// How variables that step along combined means mix, unless as `means.mixing`.
  std::map<Role, MixingOptions> mixing_of_means{};
  /// Of the variables that the method moves by a strategy.
  std::set<Role> moved{Role::upper, Role::lower, Role::auxiliary};

  /// One strategy for all variables, with its defaults.
  explicit ConsensusOptions(std::string_view strategy = "gt-atc")
      : ConsensusOptions(Chosen<StrategyEntry>(strategy_catalog(), strategy)) {}
  explicit ConsensusOptions(const Chosen<StrategyEntry>& strategy)
      : upper(strategy), lower(strategy), auxiliary(strategy) {}

  /// Reads sections `consensus` and, for one variable, `consensus-x`, `consensus-y` and
  /// `consensus-auxiliary`, which beat it. `roles` are those of the variables that the method moves
  /// by a strategy, see MethodContext::roles; what it makes no use of stays unread.
  void read_from(Configuration& configuration, const MethodEntry& method,
                 const std::set<Role>& roles);

  const Chosen<StrategyEntry>& of(Role role) const;
  Chosen<StrategyEntry>& of(Role role);
  const StrategyEntry& entry(Role role) const { return *of(role); }
  StrategyTraits traits(Role role) const { return traits_of(of(role)); }
  const MixingOptions& mixing_along_means(Role role) const;
  /// Steps between two rounds with the server: of x, or of y if no strategy moves x.
  std::int64_t local_steps() const;
  /// True if agents keep lower-level values of their own. Throws a usage error if y and its
  /// auxiliary disagree on that.
  bool personal() const;
  /// True if x and y are averaged exactly at each step.
  bool all_reduced() const;
};

/// Everything a method is built on. The references outlive the method.
struct MethodContext {
  BilevelProblem& problem;
  Network& network;
  ConsensusOptions consensus;
  Chosen<EstimatorEntry> estimator{estimator_catalog(), "plain"};
  std::uint64_t seed = 1;               ///< of random compression
  std::map<Role, Network*> networks{};  ///< of variables that do not use `network`
  Chosen<StepRuleEntry> steps{step_rule_catalog(), "constant"};
  Participation* participation = nullptr;          ///< of rounds in which not all agents take part
  std::shared_ptr<const Attack> attack = nullptr;  ///< nullptr: nobody lies
  std::shared_ptr<StepMemory> step_memory = std::make_shared<StepMemory>();
  /// Of the variables that were made and are moved by the strategy that was chosen for them.
  std::shared_ptr<std::set<Role>> roles = std::make_shared<std::set<Role>>();

  /// `outputs` are the heights of the blocks that the oracle writes, `arguments` those of the
  /// variables it depends on; by default x, y and one auxiliary, of which it may use the first few.
  /// `collective`: the oracle averages over agents.
  std::unique_ptr<GradientEstimator> make_estimator(const std::vector<Index>& outputs,
                                                    const std::vector<Index>& arguments = {},
                                                    bool collective = false) const;
  /// x and y, which start where the problem says and stay in its sets.
  ConsensusVariable upper_variable(std::string name) const;
  /// The same in another set, for methods that project x themselves, at times of their own.
  ConsensusVariable upper_variable(std::string name, FeasibleSet set) const;
  ConsensusVariable lower_variable(std::string name) const;
  /// Another point of the lower level, such as z of a penalty method: as y, with the strategy of
  /// auxiliaries.
  ConsensusVariable lower_copy(std::string name) const;
  /// In the space of y, free; starts at `start`.
  ConsensusVariable auxiliary_variable(std::string name, const VectorXd& start) const;

  // For methods whose step is not linear in network means: means first, then combine. All of them
  // throw a usage error for a personal lower level.
  // ------------------------------------------------

  /// True if x and y are averaged exactly: then means are exact, and all agents take the same step.
  /// Otherwise means come from dynamic average consensus, and variables move by adapt-then-combine.
  bool exact_means() const;
  /// A copy with all-reduce for everything: for methods that average exactly, whatever was chosen.
  MethodContext with_exact_means() const;
  MeanTracker mean_tracker(std::string name, const std::vector<Index>& heights) const;
  ConsensusVariable upper_variable_of_means(std::string name) const;
  ConsensusVariable lower_variable_of_means(std::string name) const;
  /// In the space of y, free; starts at 0.
  ConsensusVariable auxiliary_variable_of_means(std::string name) const;
  /// A number in `set`, which starts at 0: for multipliers, which agents would otherwise sum up
  /// apart from each other.
  ConsensusVariable multiplier_of_means(std::string name, FeasibleSet set) const;

 private:
  ConsensusVariable variable(std::string name, const VectorXd& start, Role role,
                             FeasibleSet set = {}) const;
  ConsensusVariable variable_of_means(std::string name, const VectorXd& start, Role role,
                                      FeasibleSet set) const;
  Network& network_of(Role role) const;
  ConsensusVariable stepping(ConsensusVariable variable, Role role) const;
};

/// Averages blocks over all agents, exactly and in place; with a personal lower level it leaves
/// them as they are. For loops that restart at each iteration, whose transient would otherwise move
/// the answer.
class ExactMean {
 public:
  /// `alone`: every agent keeps its own, as with a personal lower level.
  explicit ExactMean(const MethodContext& context, bool alone = false);
  /// Every column of the d x m block becomes the mean of all agents' columns. Collective.
  void operator()(AgentView& block);

 private:
  Network& network_;
  bool keeps_own_;
  VectorXd mean_;
};

/// Step sizes of iteration k: s (1 + (k - decay_start) / decay_offset)^-e, s until decay_start,
/// with one exponent for x and one for y and its auxiliaries; 0 is constant.
struct StepSchedule {
  double upper_decay = 0;
  double lower_decay = 0;
  double decay_offset = 100;
  double decay_start = 0;

  void visit(OptionVisitor& visitor);
  double upper(std::uint64_t k) const;
  double lower(std::uint64_t k) const;
};

/// Which special features of a lower level a method takes into account, and which it cannot do
/// without.
struct LowerLevel {
  bool set = false;           ///< a set to project onto
  bool nonsmooth = false;     ///< a term with a proximal map
  bool equalities = false;    ///< linear ones; needed
  bool inequalities = false;  ///< linear ones; needed
};

struct MethodEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::string assumes;  ///< of the problem
  std::string fails;    ///< how it is known to fail
  LowerLevel serves{};
  bool uses_products = false;  ///< second-order products, so data kernels default to double
  bool means_first = false;    ///< combines network means, see MethodContext::exact_means
  bool always_exact = false;   ///< and averages them exactly, whatever the strategies
  /// Its own, unless a configuration gives another.
  Chosen<EstimatorEntry> estimator{estimator_catalog(), "plain"};
  std::vector<std::string> aliases{};  ///< other names by which it is known
  PartOptions options{};               ///< section `method`
  /// Collective.
  std::function<std::unique_ptr<Method>(const MethodContext&, const PartOptions&)> make{};
  std::function<Varies(const PartOptions&)> varies = [](const PartOptions&) {
    return Varies::exact;
  };
};

/// With the options that section `method` of a configuration gives. Collective.
std::unique_ptr<Method> make_method(const MethodEntry& entry, const MethodContext& context,
                                    Configuration& configuration);

/// Throws a usage error that says what is missing if the method cannot serve the problem.
void require_served(const MethodEntry& method, const BilevelProblem& problem);

/// Throws a usage error if servers are to follow another rule than the mean, or some agents lie,
/// and the method (`takes_plain_means`) or its steps average over agents by ways of their own.
void require_protected(const MethodEntry& method, bool takes_plain_means,
                       const Chosen<StepRuleEntry>& steps);

/// Penalty, implicit, value-function, Moreau, unrolled, zeroth-order and constrained methods.
PartList<MethodEntry>& method_catalog();

}  // namespace echelon

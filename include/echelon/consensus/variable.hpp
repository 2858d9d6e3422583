#pragma once
/// A variable of the method: the local agents' values, and the strategy by which they step.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "echelon/comm/network.hpp"
#include "echelon/consensus/step_rule.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/feasible_set.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/state.hpp"
#include "echelon/participation/client_states.hpp"

namespace echelon {

class ConsensusVariable {
 public:
  using Vector = Eigen::Map<VectorXd>;

  /// All agents start at the projection of `start` (d numbers) onto `set`, and are projected onto
  /// it after each step; a run that goes on restores its state afterwards. `seed` is that of random
  /// compression. Collective. Throws a usage error if the network cannot serve the strategy, or the
  /// strategy loses its exactness under projections, or cannot bear the attack.
  ConsensusVariable(Network& network, std::string name, const VectorXd& start,
                    const Chosen<StrategyEntry>& strategy, std::uint64_t seed = 1,
                    FeasibleSet set = {}, Participation* participation = nullptr,
                    std::shared_ptr<const Attack> attack = nullptr);

  operator const AgentView&() const {
    return *value_;
  }  // NOLINT(google-explicit-constructor): reads as the value
  const AgentView& value() const { return *value_; }
  const std::string& name() const { return name_; }
  const Chosen<StrategyEntry>& strategy() const { return chosen_; }

  /// Lets steps set themselves; nullptr: as they are given. Before the first step.
  void use(std::unique_ptr<StepRule> rule) { step_rule_ = std::move(rule); }

  /// One step against `direction`, a d x m Eigen expression, evaluated once without allocation.
  /// Collective.
  template <class Derived>
  void descend(double step, const Eigen::MatrixBase<Derived>& direction) {
    AgentMatrix& evaluated = network_->scratch("direction", value_->rows());
    parallel_for(static_cast<int>(value_->cols()),
                 [&](int i) { evaluated.col(i) = direction.derived().col(i); });
    if (step_rule_) step *= step_rule_->factor(evaluated);
    strategy_->advance(*value_, evaluated, step);
    if (!set_.is_whole_space()) map([&](int, Vector column) { set_.project(column); });
  }

  /// Replaces each local agent's value: `change(i, column)` gets the local number of the agent and
  /// its d numbers. For proximal maps and projections after a step. Throws a usage error where the
  /// strategy does not bear it (see require_mappable).
  template <class Change>
  void map(const Change& change) {
    parallel_for(static_cast<int>(value_->cols()), [&](int i) {
      change(i, Vector(value_->data() + i * value_->outerStride(), value_->rows()));
    });
  }
  /// Throws a usage error, with `why`, if the strategy's memory is of values that must not be
  /// changed between steps. For the constructors of methods that `map` or `restart`.
  void require_mappable(const std::string& why) const;
  /// Goes on from another value; trackers are kept.
  void restart(const AgentView& value);

  /// Goes on from the same value; trackers start anew.
  void forget() { strategy_->forget(); }

  const FeasibleSet& set() const { return set_; }

  /// Projects each agent's value onto the ball of `radius` around 0: v min(1, radius / |v|).
  void project_onto_ball(double radius);

  void visit_state(StateVisitor& visitor);

 private:
  Network* network_;
  std::string name_;
  Chosen<StrategyEntry> chosen_;
  FeasibleSet set_;
  std::unique_ptr<AgentMatrix> value_;  ///< where it is, whoever owns the variable
  std::unique_ptr<ConsensusStrategy> strategy_;
  std::unique_ptr<StepRule> step_rule_;    ///< nullptr: constant
  std::shared_ptr<ClientStates> clients_;  ///< of a personal variable whose clients take turns
};

}  // namespace echelon

#include "echelon/consensus/variable.hpp"

#include <utility>

#include "echelon/core/error.hpp"

namespace echelon {

ConsensusVariable::ConsensusVariable(Network& network, std::string name, const VectorXd& start,
                                     const Chosen<StrategyEntry>& strategy, std::uint64_t seed,
                                     FeasibleSet set, Participation* participation,
                                     std::shared_ptr<const Attack> attack)
    : network_(&network),
      name_(std::move(name)),
      chosen_(strategy),
      set_(std::move(set)),
      value_(std::make_unique<AgentMatrix>(start.size(), network.agents().count())) {
  require_served(strategy, network.certificate(), name_);
  require_bearable(strategy, network, attack.get(), name_);
  VectorXd feasible = start;
  set_.project(feasible);
  value_->colwise() = feasible;
  if (!set_.is_whole_space()) {
    require_mappable(text("its values are kept in ", set_.text()));
  }
  strategy_ = strategy->make({.network = network,
                              .variable = name_,
                              .dimension = start.size(),
                              .options = strategy.options(),
                              .seed = seed,
                              .participation = participation,
                              .attack = std::move(attack)});
  strategy_->begin(*value_);
  if (participation == nullptr || !participation->rotates() || !traits_of(strategy).personal)
    return;
  clients_ = participation->make_states(network.agents().local, start.size());
  clients_->fill(feasible);
  AgentMatrix* const value = value_.get();
  participation->follow(
      name_, clients_, [states = clients_, value] { states->store(*value); },
      [states = clients_, value] { states->load(*value); });
}

void ConsensusVariable::require_mappable(const std::string& why) const {
  require(traits_of(chosen_).projectable, ErrorKind::usage, "consensus strategy `", chosen_->name,
          "` cannot move variable `", name_, "` (", why,
          ", and the strategy remembers values from before); choose all-reduce, gossip, gradient "
          "tracking or push-pull");
}

void ConsensusVariable::restart(const AgentView& value) {
  value_->copy_from(value);
}

void ConsensusVariable::project_onto_ball(double radius) {
  const Index rows = value_->rows();
  const auto project = [radius, rows](double* column) {
    Eigen::Map<VectorXd> v(column, rows);
    const double norm = v.norm();
    if (norm > radius) v *= radius / norm;
  };
  parallel_for(static_cast<int>(value_->cols()),
               [&](int i) { project(value_->data() + i * value_->outerStride()); });
  strategy_->follow_projection(project);
}

void ConsensusVariable::visit_state(StateVisitor& visitor) {
  visitor.per_agent("value", *value_);
  if (clients_) clients_->visit_state(visitor);
  strategy_->visit_state(visitor);
  if (step_rule_) step_rule_->visit_state(visitor);
}

}  // namespace echelon

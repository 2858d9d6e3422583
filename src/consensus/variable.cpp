#include "echelon/consensus/variable.hpp"

#include <utility>

namespace echelon {

ConsensusVariable::ConsensusVariable(Network& network, std::string name, const VectorXd& start,
                                     const StrategyEntry& strategy, const StrategyOptions& options,
                                     std::uint64_t seed)
    : network_(&network),
      name_(std::move(name)),
      entry_(&strategy),
      value_(start.size(), network.agents().count()) {
  require_served(strategy, options, network.certificate(), name_);
  value_.colwise() = start;
  strategy_ = strategy.make({.network = network,
                             .variable = name_,
                             .dimension = start.size(),
                             .options = options,
                             .seed = seed});
  strategy_->begin(value_);
}

void ConsensusVariable::project_onto_ball(double radius) {
  parallel_for(static_cast<int>(value_.cols()), [&](int i) {
    const double norm = value_.col(i).norm();
    if (norm > radius) value_.col(i) *= radius / norm;
  });
}

void ConsensusVariable::visit_state(StateVisitor& visitor) {
  visitor.per_agent("value", value_);
  strategy_->visit_state(visitor);
}

}  // namespace echelon

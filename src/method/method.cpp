#include "echelon/method/method.hpp"

#include <cmath>
#include <utility>

#include "echelon/core/catalog.hpp"

namespace echelon {

namespace {

const StrategyEntry& find_strategy(const std::string& name) {
  return find_entry(strategy_catalog(), name, "consensus strategy");
}

double decayed(double exponent, double offset, std::uint64_t k) {
  return exponent == 0 ? 1.0 : std::pow(1.0 + static_cast<double>(k) / offset, -exponent);
}

}  // namespace

void ConsensusOptions::visit(OptionVisitor& visitor) {
  visitor("strategy", strategy, "how directions become agreed steps (`echelon list consensus`)");
  visitor("x", x, "strategy of the upper variable; empty: as consensus.strategy");
  visitor("y", y,
          "strategy of the lower variable; empty: as consensus.strategy; `none` = personal lower "
          "level");
  visitor("auxiliary", auxiliary, "strategy of the lower auxiliaries (z, v); empty: as y");
  all.visit(visitor);
}

const StrategyEntry& ConsensusOptions::entry(Role role) const {
  const std::string& lower = y.empty() ? strategy : y;
  switch (role) {
    case Role::upper:
      return find_strategy(x.empty() ? strategy : x);
    case Role::lower:
      return find_strategy(lower);
    default:
      return find_strategy(auxiliary.empty() ? lower : auxiliary);
  }
}

const StrategyOptions& ConsensusOptions::options(Role role) const {
  const auto own = of.find(role);
  return own == of.end() ? all : own->second;
}

bool ConsensusOptions::personal() const {
  const StrategyEntry& lower = entry(Role::lower);
  const StrategyEntry& helper = entry(Role::auxiliary);
  require(lower.personal == helper.personal, ErrorKind::usage, "consensus.y is `", lower.name,
          "` but consensus.auxiliary is `", helper.name,
          "` (a personal lower level has personal auxiliaries); give both `none`, or neither");
  return lower.personal;
}

std::unique_ptr<GradientEstimator> MethodContext::make_estimator(
    const std::vector<Index>& outputs, const std::vector<Index>& arguments) const {
  const auto& entry = find_entry(estimator_catalog(), estimator.name, "estimator");
  const Index q = problem.lower_dimension();
  const std::vector<Index> usual{problem.upper_dimension(), q, q};
  return entry.make(estimator, {outputs, arguments.empty() ? usual : arguments,
                                network.agents().local, problem.sub_batch_seed()});
}

ConsensusVariable MethodContext::variable(std::string name, const VectorXd& start,
                                          Role role) const {
  const auto own = networks.find(role);
  return {own == networks.end() ? network : *own->second,
          std::move(name),
          start,
          consensus.entry(role),
          consensus.options(role),
          seed};
}

ConsensusVariable MethodContext::upper_variable(std::string name) const {
  const StrategyEntry& strategy = consensus.entry(Role::upper);
  require(!strategy.personal || network.size() == 1, ErrorKind::usage, "consensus.x is `",
          strategy.name,
          "` (the upper variable is what agents agree on); choose consensus.x = gt-atc, and "
          "consensus.y = none for a personal lower level");
  return variable(std::move(name), problem.start_x(), Role::upper);
}

ConsensusVariable MethodContext::lower_variable(std::string name) const {
  return variable(std::move(name), problem.start_y(), Role::lower);
}

ConsensusVariable MethodContext::auxiliary_variable(std::string name, const VectorXd& start) const {
  return variable(std::move(name), start, Role::auxiliary);
}

void StepSchedule::visit(OptionVisitor& visitor) {
  visitor("upper_decay", upper_decay, at_least(0),
          "e in alpha (1 + k / decay_offset)^-e; 0 = constant step");
  visitor("lower_decay", lower_decay, at_least(0),
          "the same for the steps of y and its auxiliaries");
  visitor("decay_offset", decay_offset, above(0), "iterations before the decay sets in");
}

double StepSchedule::upper(std::uint64_t k) const {
  return decayed(upper_decay, decay_offset, k);
}
double StepSchedule::lower(std::uint64_t k) const {
  return decayed(lower_decay, decay_offset, k);
}

}  // namespace echelon

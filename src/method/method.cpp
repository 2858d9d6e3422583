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
}

const StrategyEntry& ConsensusOptions::upper() const {
  return find_strategy(x.empty() ? strategy : x);
}
const StrategyEntry& ConsensusOptions::lower() const {
  return find_strategy(y.empty() ? strategy : y);
}
const StrategyEntry& ConsensusOptions::helper() const {
  return auxiliary.empty() ? lower() : find_strategy(auxiliary);
}

bool ConsensusOptions::personal() const {
  require(lower().personal == helper().personal, ErrorKind::usage, "consensus.y is `", lower().name,
          "` but consensus.auxiliary is `", helper().name,
          "` (a personal lower level has personal auxiliaries); give both `none`, or neither");
  return lower().personal;
}

std::unique_ptr<GradientEstimator> MethodContext::make_estimator(
    const std::vector<Index>& heights) const {
  const auto& entry = find_entry(estimator_catalog(), estimator.name, "estimator");
  return entry.make(estimator, heights, network.agents().count());
}

ConsensusVariable MethodContext::upper_variable(std::string name) const {
  require(!consensus.upper().personal || network.size() == 1, ErrorKind::usage, "consensus.x is `",
          consensus.upper().name,
          "` (the upper variable is what agents agree on); choose consensus.x = gt-atc, and "
          "consensus.y = none for a personal lower level");
  return {network, std::move(name), problem.start_x(), consensus.upper()};
}

ConsensusVariable MethodContext::lower_variable(std::string name) const {
  return {network, std::move(name), problem.start_y(), consensus.lower()};
}

ConsensusVariable MethodContext::auxiliary_variable(std::string name, const VectorXd& start) const {
  return {network, std::move(name), start, consensus.helper()};
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

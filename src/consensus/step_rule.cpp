#include "echelon/consensus/step_rule.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon {

void StepOptions::visit(OptionVisitor& visitor) {
  visitor.choice(
      "rule", rule, {"constant", "accumulated", "accumulated-local", "normalized"},
      "step sizes as the method gives them, divided by the root of the squared norms of all "
      "mean directions so far, the same of local directions, or divided by the norm of "
      "the mean direction");
  visitor("initial", initial, above(0), "accumulated: the root at the start");
  visitor(
      "coupled", coupled,
      "accumulated: x also divides by the root of y and auxiliaries, so that it is never faster");
}

StepRule::StepRule(Network& network, std::string name, Place place, const StepOptions& options,
                   std::shared_ptr<StepMemory> memory)
    : network_(&network),
      name_(std::move(name)),
      place_(place),
      kind_(options.rule == "constant"            ? Kind::constant
            : options.rule == "accumulated"       ? Kind::accumulated
            : options.rule == "accumulated-local" ? Kind::accumulated_local
                                                  : Kind::normalized),
      coupled_(options.coupled),
      square_(options.initial * options.initial),
      memory_(memory ? std::move(memory) : std::make_shared<StepMemory>()) {
  const bool accumulates = kind_ == Kind::accumulated || kind_ == Kind::accumulated_local;
  require(!coupled_ || accumulates, ErrorKind::usage,
          "steps.coupled = yes: steps.rule = ", options.rule,
          " accumulates no norms; choose accumulated or accumulated-local");
}

double StepRule::squared_norm(const AgentView& direction) {
  if (kind_ != Kind::accumulated_local) {
    network_->mean(direction, mean_);
    return mean_.squaredNorm();
  }
  AgentMatrix& squares = network_->scratch("step rule", 1);
  parallel_for(static_cast<int>(direction.cols()),
               [&](int i) { squares(0, i) = direction.col(i).squaredNorm(); });
  network_->mean(squares, mean_);
  return mean_(0);
}

double StepRule::lower_norm() const {
  double largest = 0;
  for (const auto& [name, norm] : memory_->norms) largest = std::max(largest, norm);
  return largest;
}

double StepRule::factor(const AgentView& direction) {
  if (kind_ == Kind::constant) return 1;
  const double square = squared_norm(direction);
  if (kind_ == Kind::normalized) return square > 0 ? 1 / std::sqrt(square) : 0;
  square_ += square;
  const double own = std::sqrt(square_);
  if (place_ != Place::upper) memory_->norms[name_] = own;
  if (!coupled_ || place_ == Place::lower) return 1 / own;
  const double lower = lower_norm();
  if (place_ == Place::auxiliary) return 1 / std::max(own, lower);
  return 1 / (own * std::max(lower, 1.0));
}

void StepRule::visit_state(StateVisitor& visitor) {
  if (kind_ == Kind::constant || kind_ == Kind::normalized) return;
  visitor.replicated("squared_steps", square_);
  if (place_ != Place::upper) memory_->norms[name_] = std::sqrt(square_);
}

}  // namespace echelon

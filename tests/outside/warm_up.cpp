#include <algorithm>

#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct WarmUpOptions {
  std::int64_t warm_up_steps = 20;

  void visit(OptionVisitor& visitor) {
    visitor("warm_up_steps", warm_up_steps, at_least(1), "steps after which the factor is 1");
  }
};

/// min(1, (t + 1) / T) at step t of a variable
class WarmUp final : public StepRule {
 public:
  explicit WarmUp(std::int64_t steps) : steps_(steps) {}

  double factor(const AgentView&) override {
    taken_ = std::min(taken_ + 1, steps_);
    return static_cast<double>(taken_) / static_cast<double>(steps_);
  }

  void visit_state(StateVisitor& visitor) override { visitor.replicated("taken", taken_); }

 private:
  std::int64_t steps_;
  std::int64_t taken_ = 0;
};

}  // namespace

StepRuleEntry warm_up() {
  return {.name = "warm-up",
          .summary = "steps grow in proportion to their number until they are full",
          .formula = "min(1, (t + 1) / T) at step t",
          .reference = "",
          .options = WarmUpOptions{},
          .averages = false,
          .make = [](const PartOptions& options, const StepRuleContext&) {
            return std::make_unique<WarmUp>(options.as<WarmUpOptions>().warm_up_steps);
          }};
}

}  // namespace outside

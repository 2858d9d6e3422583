#pragma once
/// Option groups that many methods share.

#include <cstdint>

#include "echelon/method/method.hpp"

namespace echelon::detail {

/// Options `alpha` and `beta` with their schedule.
struct StepSizes {
  double alpha = 0.1, beta = 0.5;
  StepSchedule schedule{};

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step size of x");
    visitor("beta", beta, at_least(0), "step size of y; about .5 / L_g");
    schedule.visit(visitor);
  }
  /// Step sizes of iteration k.
  double upper(std::uint64_t k) const { return alpha * schedule.upper(k); }
  double lower(std::uint64_t k) const { return beta * schedule.lower(k); }
};

/// Also `inner_steps`, of methods that move y several times before x.
struct NestedSteps : StepSizes {
  std::int64_t inner_steps = 20;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y before each step of x (T)");
    StepSizes::visit(visitor);
  }
};

}  // namespace echelon::detail

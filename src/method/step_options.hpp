#pragma once
/// Option groups that many methods share.

#include <cstdint>
#include <string>

#include "echelon/method/method.hpp"

namespace echelon::detail {

/// Options `alpha` and `beta` with their schedule.
struct StepSizes {
  double alpha = 0.1, beta = 0.5;
  StepSchedule schedule{};

  void visit(OptionVisitor& visitor, const Range& of_alpha = at_least(0)) {
    visitor("alpha", alpha, of_alpha, "step size of x");
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

  void visit(OptionVisitor& visitor, const Range& of_alpha = at_least(0)) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y before each step of x (T)");
    StepSizes::visit(visitor, of_alpha);
  }
};

/// Also `gamma`, of methods that step an auxiliary variable v along with x and y.
struct TripleSteps : StepSizes {
  double gamma = 0.5;

  void visit(OptionVisitor& visitor) {
    StepSizes::visit(visitor);
    visitor("gamma", gamma, at_least(0), "step size of v; about .5 / L_g");
  }
  double auxiliary(std::uint64_t k) const { return gamma * schedule.lower(k); }
};

/// Steps of x and y along one loss, and of a copy of y along grad_y g.
struct JointSteps {
  double alpha = 0.05, beta = 0.05, gamma = 0.5;
  StepSchedule schedule{};

  /// `copy` names the copy.
  void visit(OptionVisitor& visitor, const std::string& copy) {
    visitor("alpha", alpha, at_least(0), "step size of x");
    visitor("beta", beta, at_least(0), "step size of y");
    visitor("gamma", gamma, at_least(0), "step size of " + copy + "; about .5 / L_g");
    schedule.visit(visitor);
  }
  /// Step sizes of iteration k.
  double upper(std::uint64_t k) const { return alpha * schedule.upper(k); }
  double lower(std::uint64_t k) const { return beta * schedule.lower(k); }
  double of_copy(std::uint64_t k) const { return gamma * schedule.lower(k); }
};

}  // namespace echelon::detail

#pragma once
/// The moving average of directions that single-loop methods descend along.

#include <string>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/state.hpp"
#include "echelon/method/terms.hpp"
#include "echelon/participation/participation.hpp"

namespace echelon::detail {

/// Options `theta` and `theta_start`.
struct AverageOptions {
  double theta = 1;
  std::string theta_start = "plain";

  void visit(OptionVisitor& visitor) {
    visitor("theta", theta, above_up_to(0, 1),
            "x descends along the moving average r <- (1 - theta) r + theta D; 1 = along D");
    visitor.choice("theta_start", theta_start, {"plain", "zero"},
                   "r at the first step: D, or the average of 0 and D");
  }
};

/// r <- (1 - theta) r + theta D, of each local agent's own directions; anew where other clients sit
/// down.
class MovingAverage {
 public:
  MovingAverage(MethodBase& method, const AverageOptions& options, Index rows)
      : theta_(options.theta),
        turn_(method.context.participation),
        average_(rows, is_on() ? method.m : 0),
        started_(options.theta_start == "zero" ? 1 : 0) {
    if (is_on()) method.carry("average", *this);
  }

  bool is_on() const { return theta_ < 1; }

  /// Replaces D by the new r.
  void apply(AgentView& direction) {
    if (!is_on()) return;
    if (turn_.has_changed()) started_ = 0;
    const double theta = started_ == 0 ? 1.0 : theta_;
    started_ = 1;
    parallel_for(static_cast<int>(direction.cols()), [&](int i) {
      average_.col(i) = (1 - theta) * average_.col(i) + theta * direction.col(i);
      direction.col(i) = average_.col(i);
    });
  }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("average", average_);
    visitor.replicated("started", started_);
    visitor.within("turn", turn_);
  }

 private:
  double theta_;
  Turn turn_;
  AgentMatrix average_;
  std::int64_t started_;
};

}  // namespace echelon::detail

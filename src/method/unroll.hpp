#pragma once
/// Derivatives of f at the last of T steps of a lower-level solver, taken through the steps.

#include <cstdint>
#include <vector>

#include "echelon/core/parallel.hpp"
#include "products.hpp"

namespace echelon::detail {

/// What all unrolled methods have in common.
struct UnrollOptions {
  std::int64_t inner_steps = 60;
  double alpha = 0.1;
  double beta = 0.5;
  bool warm_start = false;
  bool start_at_x = false;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y in each iteration (T)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about .5 / L_g");
    visitor("warm_start", warm_start,
            "y goes on from the last iteration, instead of starting anew where the problem says");
    visitor("start_at_x", start_at_x,
            "y starts at x, and the derivative counts that (meta-learning); needs p = q");
    schedule.visit(visitor);
  }
};

/// y before the first step of an iteration, and its steps. The lower level of all agents is solved
/// with exact means, so y is the same for all of them; a personal one by each agent for itself.
class UnrolledLower {
 public:
  UnrolledLower(const MethodContext& context, const UnrollOptions& options)
      : options_(options),
        set_(context.problem.lower_set()),
        mean_(context),
        start_(context.problem.start_y()),
        y_(start_.size(), context.network.agents().count()) {
    context.require_plain_estimator();
    require(!options.start_at_x || context.problem.upper_dimension() == start_.size(),
            ErrorKind::usage, "method.start_at_x = yes: x has ", context.problem.upper_dimension(),
            " entries and y has ", start_.size(), "; they must be as many");
    require(!options.start_at_x || !options.warm_start, ErrorKind::usage,
            "method.start_at_x and method.warm_start exclude each other; choose one");
    set_.project(start_);
    y_.colwise() = start_;
  }

  void begin(const AgentView& x) {
    if (options_.start_at_x) {
      y_.copy_from(x);
      mean_(y_);
      project(y_, y_);
    } else if (!options_.warm_start) {
      y_.colwise() = start_;
    }
  }
  /// y <- P(y - step mean(direction)); `direction` is replaced by its mean, and `before` by what P
  /// is applied to. Collective.
  void advance(double step, AgentView& direction, AgentView& before) {
    mean_(direction);
    before = y_ - step * direction;
    project(before, y_);
  }
  /// adjoint <- P' adjoint, P' being the derivative of the projection at `before`.
  void apply_projection_derivative(const AgentView& before, AgentView& adjoint) const {
    if (set_.is_whole_space()) return;
    parallel_for(static_cast<int>(adjoint.cols()),
                 [&](int i) { set_.apply_derivative(before.col(i), adjoint.col(i)); });
  }
  void project(const AgentView& point, AgentView& projected) const {
    parallel_for(static_cast<int>(point.cols()), [&](int i) {
      projected.col(i) = point.col(i);
      set_.project(projected.col(i));
    });
  }
  void average(AgentView& block) { mean_(block); }

  AgentMatrix& y() { return y_; }
  void visit_state(StateVisitor& visitor) { visitor.per_agent("value", y_); }

 private:
  UnrollOptions options_;
  FeasibleSet set_;
  ExactMean mean_;
  VectorXd start_;
  AgentMatrix y_;
};

/// Reverse mode. `Steps` says what one step of y descends along:
///
///     Steps::direction(sample, t, x, y, d)              d_t(x, y) of each agent
///     Steps::products(sample, t, x, y, v, hv, jv)       (d/dy d_t)' v and (d/dx d_t)' v
///
///     for t = 0 .. T-1:    y_{t+1} = P(y_t - beta mean d_t(x, y_t))
///     a = mean grad_y f(x, y_T),   D = grad_x f(x, y_T)
///     for t = T-1 .. T-K:  a <- P' a;   D <- D - beta (d/dx d_t)' a;   a <- a - beta mean (d/dy
///     d_t)' a
///     x <- x - alpha D
template <class Steps>
class ReverseUnroll final : public Method {
 public:
  template <class Options>
  ReverseUnroll(const MethodContext& context, const Options& options)
      : problem_(context.problem),
        options_(options),
        steps_(context, options),
        first_(options.inner_steps - options.reversed_steps()),
        x_(context.upper_variable("x")),
        lower_(context, options),
        fx_(problem_.upper_dimension(), context.network.agents().count()),
        jv_(problem_.upper_dimension(), context.network.agents().count()),
        direction_(problem_.lower_dimension(), context.network.agents().count()),
        adjoint_(problem_.lower_dimension(), context.network.agents().count()),
        y_(problem_.lower_dimension(), context.network.agents().count()) {
    require(first_ == 0 || !options.start_at_x, ErrorKind::usage,
            "method.start_at_x = yes needs the derivative of all steps; set method.truncation = 0");
    for (std::int64_t t = 0; t <= options.reversed_steps(); ++t) {
      path_.emplace_back(problem_.lower_dimension(), context.network.agents().count());
    }
  }

  void iterate(std::uint64_t k) override {
    const double beta = options_.beta * options_.schedule.lower(k);
    go_forward(k, beta);
    const AgentMatrix& last = lower_.y();
    problem_.grad_f({.iteration = k, .step = static_cast<std::uint32_t>(options_.inner_steps)},
                    {{x_, last, &fx_, &adjoint_}});
    lower_.average(adjoint_);
    go_back(k, beta);
    if (options_.start_at_x) fx_ += adjoint_;
    x_.descend(options_.alpha * options_.schedule.upper(k), fx_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return lower_.y(); }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", lower_);
  }

 private:
  /// y_t before its projection, t = T-K .. T.
  AgentMatrix& path(std::int64_t t) {
    return path_[static_cast<std::size_t>(t % static_cast<std::int64_t>(path_.size()))];
  }

  void go_forward(std::uint64_t k, double beta) {
    lower_.begin(x_);
    path(0).copy_from(lower_.y());
    for (std::int64_t t = 0; t < options_.inner_steps; ++t) {
      const auto step = static_cast<std::uint32_t>(t);
      steps_.direction({.iteration = k, .step = step}, t, x_, lower_.y(), direction_);
      lower_.advance(beta, direction_, path(t + 1));
    }
  }

  void go_back(std::uint64_t k, double beta) {
    for (std::int64_t t = options_.inner_steps - 1; t >= first_; --t) {
      lower_.apply_projection_derivative(path(t + 1), adjoint_);
      lower_.project(path(t), y_);
      const auto step = static_cast<std::uint32_t>(t);
      steps_.products({.iteration = k, .step = step}, t, x_, y_, adjoint_, direction_, jv_);
      fx_ -= beta * jv_;
      if (t == first_ && !options_.start_at_x) break;
      lower_.average(direction_);
      adjoint_ -= beta * direction_;
    }
  }

  BilevelProblem& problem_;
  UnrollOptions options_;
  Steps steps_;
  std::int64_t first_;  ///< T - K
  ConsensusVariable x_;
  UnrolledLower lower_;
  std::vector<AgentMatrix> path_;
  AgentMatrix fx_, jv_, direction_, adjoint_, y_;
};

}  // namespace echelon::detail

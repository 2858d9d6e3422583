#pragma once
/// Derivatives of f at the last of T steps of a lower-level solver, taken through the steps.

#include <cstdint>
#include <memory>
#include <vector>

#include "echelon/core/parallel.hpp"
#include "echelon/method/products.hpp"

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

/// The draw of inner step t.
inline Sample at_step(Sample sample, std::int64_t t) {
  sample.step = static_cast<std::uint32_t>(t);
  return sample;
}

/// x <- x - alpha D, with D from T steps of y that a derived class takes and differentiates. The
/// lower level of all agents is solved with exact means, so y is the same for all of them; a
/// personal one by each agent for itself. An estimator stands before D as a whole.
class Unroll : public Method {
 public:
  Unroll(const MethodContext& context, const UnrollOptions& options);

  void iterate(std::uint64_t k) final;
  const AgentView& x() final { return x_; }
  const AgentView& y() final { return y_; }
  void visit_state(StateVisitor& visitor) final;

 protected:
  /// Takes y from y_0 to y_T and writes D. Collective.
  virtual void differentiate(const Sample& sample, double beta, const AgentView& x, AgentView& y,
                             AgentView& direction) = 0;

  /// y <- P(y - step mean(direction)); `direction` becomes its mean, and `before` what P is applied
  /// to. Collective.
  void advance(double step, AgentView& direction, AgentView& y, AgentView& before);
  /// adjoint <- P' adjoint, P' being the derivative of the projection at `before`.
  void apply_projection_derivative(const AgentView& before, AgentView& adjoint) const;
  void project(const AgentView& point, AgentView& projected) const;
  void average(AgentView& block) { mean_(block); }

  BilevelProblem& problem_;
  Index p_, q_;
  int m_;

 private:
  void set_start();

  UnrollOptions options_;
  const FeasibleSet& set_;
  ExactMean mean_;
  VectorXd given_start_;
  ConsensusVariable x_;
  AgentMatrix y_, start_, moving_, direction_;
  std::unique_ptr<GradientEstimator> estimator_;
  double beta_ = 0;  ///< of this iteration
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
///     where y starts at x:  D <- D + a            (K = 0: as if y_T were x plus a constant)
template <class Steps>
class ReverseUnroll final : public Unroll {
 public:
  template <class Options>
  ReverseUnroll(const MethodContext& context, const Options& options)
      : Unroll(context, options),
        steps_(context, options),
        last_(options.inner_steps),
        first_(options.inner_steps - options.reversed_steps()),
        from_x_(options.start_at_x),
        jv_(p_, m_),
        hv_(q_, m_),
        adjoint_(q_, m_),
        at_(q_, m_) {
    require(first_ == 0 || first_ == last_ || !from_x_, ErrorKind::usage,
            "method.start_at_x = yes needs the derivative of all steps, or of none; set "
            "method.truncation = 0, or method.first_order = yes");
    for (std::int64_t t = first_; t <= last_; ++t) path_.emplace_back(q_, m_);
  }

 private:
  void differentiate(const Sample& sample, double beta, const AgentView& x, AgentView& y,
                     AgentView& direction) override {
    path(0).copy_from(y);
    for (std::int64_t t = 0; t < last_; ++t) {
      steps_.direction(at_step(sample, t), t, x, y, hv_);
      advance(beta, hv_, y, path(t + 1));
    }
    problem_.grad_f(at_step(sample, last_), {{x, y, &direction, &adjoint_}});
    average(adjoint_);
    for (std::int64_t t = last_ - 1; t >= first_; --t) {
      apply_projection_derivative(path(t + 1), adjoint_);
      project(path(t), at_);
      steps_.products(at_step(sample, t), t, x, at_, adjoint_, hv_, jv_);
      direction -= beta * jv_;
      if (t == first_ && !from_x_) break;
      average(hv_);
      adjoint_ -= beta * hv_;
    }
    if (from_x_) direction += adjoint_;
  }

  /// y_t before its projection; kept for t = T-K .. T.
  AgentMatrix& path(std::int64_t t) {
    return path_[static_cast<std::size_t>(t % static_cast<std::int64_t>(path_.size()))];
  }

  Steps steps_;
  std::int64_t last_, first_;  ///< T, T - K
  bool from_x_;
  std::vector<AgentMatrix> path_;
  AgentMatrix jv_, hv_, adjoint_, at_;
};

}  // namespace echelon::detail

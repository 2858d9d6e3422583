#pragma once
/// "y is stationary for the mean lower level" as one constraint h(x, y) = 0, for methods that
/// descend f under it.

#include <memory>

#include "echelon/core/parallel.hpp"
#include "echelon/method/products.hpp"
#include "steps_in_set.hpp"

namespace echelon::detail {

/// Turns grad_y g, the contents of `gy`, into y - P(y - grad_y g), P being the projection onto the
/// set: zero exactly where y is stationary on it; without a set, the gradient itself.
inline void to_lower_residual(const FeasibleSet& set, const Eigen::Ref<const VectorXd>& y,
                              Eigen::Ref<VectorXd> gy) {
  if (set.is_whole_space()) return;
  VectorXd moved = y - gy;
  set.project(moved);
  gy = y - moved;
}

/// Turns grad_y g, the contents of `gy`, into what is left of it for steps inside the set: r as
/// above, with its part along the set stretched to that of the gradient. P' at y - grad_y g is the
/// projector onto the directions along the set times some c <= 1, which on a ball is below 1 by
/// its curvature: that much r is shorter there than the derivative of g along the set.
inline void to_gradient_along(const FeasibleSet& set, const Eigen::Ref<const VectorXd>& y,
                              Eigen::Ref<VectorXd> gy) {
  if (set.is_whole_space()) return;
  const VectorXd target = y - gy;
  to_lower_residual(set, y, gy);
  VectorXd along = gy;
  set.apply_derivative(target, along);
  VectorXd again = along;
  set.apply_derivative(target, again);
  const double square = along.squaredNorm();
  if (square == 0) return;
  const double c = along.dot(again) / square;
  gy += (1 / c - 1) / c * along;
}

/// Per agent, from network means, stage by stage:
///
///     fx, fy;      r = y - P(y - mean grad_y g);      h = |r|^2
///     dh = 2 (J'w, H w + r - w),  w = P' r;  without a set w = r = mean grad_y g, dh = 2 (J'r, H
///     r)
///
/// P' being the (symmetric) derivative of the projection at y - grad_y g, by differences.
class LowerStationarity {
 public:
  LowerStationarity(const MethodContext& context, const ProductOptions& products)
      : problem_(context.problem),
        set_(context.problem.lower_set()),
        products_(context.problem, products),
        p_(problem_.upper_dimension()),
        q_(problem_.lower_dimension()),
        m_(context.network.agents().count()),
        gradient_estimator_(context.make_estimator({p_, q_, q_})),
        product_estimator_(context.make_estimator({p_, q_})),
        gradients_(context.mean_tracker("gradients", {p_, q_, q_})),
        product_means_(context.mean_tracker("products", {p_, q_})),
        r_(q_, m_),
        w_(q_, m_),
        hx_(p_, m_),
        hy_(q_, m_) {}

  /// At the agents' x and y. Collective.
  void evaluate(const Sample& sample, const AgentView& x, const AgentView& y) {
    AgentView fx = gradients_.component(0), fy = gradients_.component(1);
    AgentView gy = gradients_.component(2);
    const Oracle of_gradients = [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(drawn, {{*at[0], *at[1], out[0], out[1]}});
      problem_.grad_g(drawn, {{*at[0], *at[1], nullptr, out[2]}});
    };
    gradient_estimator_->estimate(sample, {&x, &y}, of_gradients, {&fx, &fy, &gy});
    gradients_.update();
    parallel_for(m_, [&](int i) { find_residual(y, i); });
    AgentView jw = product_means_.component(0), hw = product_means_.component(1);
    const Oracle of_products = [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
      products_(drawn, {*at[0], *at[1], *at[2], out[1], out[0]});
    };
    product_estimator_->estimate(sample, {&x, &y, &w_}, of_products, {&jw, &hw});
    product_means_.update();
    parallel_for(m_, [&](int i) {
      hx_.col(i) = 2 * product_means_.mean(0).col(i);
      hy_.col(i) = 2 * (product_means_.mean(1).col(i) + r_.col(i) - w_.col(i));
    });
  }

  // Of the last evaluation, d x m.
  AgentView fx() { return gradients_.mean(0); }
  AgentView fy() { return gradients_.mean(1); }
  AgentView gy() { return gradients_.mean(2); }
  const AgentView& r() const { return r_; }
  const AgentView& hx() const { return hx_; }
  const AgentView& hy() const { return hy_; }

  /// Of a = (fx, fy) and b = dh of local agent i.
  InnerProducts inner_products(int i) {
    const InnerProducts of_y = inner_products_of_y(i);
    return {.aa = fx().col(i).squaredNorm() + of_y.aa,
            .ab = fx().col(i).dot(hx_.col(i)) + of_y.ab,
            .bb = hx_.col(i).squaredNorm() + of_y.bb};
  }
  InnerProducts inner_products_of_y(int i) {
    return {.aa = fy().col(i).squaredNorm(),
            .ab = fy().col(i).dot(hy_.col(i)),
            .bb = hy_.col(i).squaredNorm()};
  }

  /// min 1/2 |d + df|^2 subject to <dh, d> <= -r gives d = -df - multiplier dh, where x may be held
  /// by its set.
  double multiplier(const ConsensusVariable& x, int i, double r) {
    return multiplier_in_set(x.set(), x.value().col(i), fx().col(i), hx_.col(i),
                             inner_products_of_y(i), r);
  }

  void visit_state(StateVisitor& visitor) {
    visitor.within("gradients", gradients_);
    visitor.within("products", product_means_);
    visitor.within("gradient_estimator", *gradient_estimator_);
    visitor.within("product_estimator", *product_estimator_);
  }

  /// Adds the calls and means of one evaluation to a method's cost.
  static void add_to(MethodCost& cost, const ProductOptions& products) {
    cost.gradients += 2;
    products.add_to(cost, 1);
    cost.p_means += 2;
    cost.q_means += 3;
  }

 private:
  void find_residual(const AgentView& y, int i) {
    r_.col(i) = gradients_.mean(2).col(i);
    if (set_.is_whole_space()) {
      w_.col(i) = r_.col(i);
      return;
    }
    const VectorXd target = y.col(i) - r_.col(i);
    to_lower_residual(set_, y.col(i), r_.col(i));
    const double width = 1e-6 * (1 + target.lpNorm<Eigen::Infinity>());
    const double norm = r_.col(i).norm();
    if (norm == 0) {
      w_.col(i).setZero();
      return;
    }
    VectorXd ahead = target + width / norm * r_.col(i);
    VectorXd behind = target - width / norm * r_.col(i);
    set_.project(ahead);
    set_.project(behind);
    w_.col(i) = norm / (2 * width) * (ahead - behind);
  }

  BilevelProblem& problem_;
  const FeasibleSet& set_;
  Products products_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> gradient_estimator_, product_estimator_;
  MeanTracker gradients_, product_means_;
  AgentMatrix r_, w_, hx_, hy_;
};

}  // namespace echelon::detail

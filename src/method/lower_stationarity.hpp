#pragma once
/// "y is stationary for the mean lower level" as one constraint h(x, y) = 0, for methods that
/// descend f under it.

#include <algorithm>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
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
///     dh = 2 (J'w, H w + r - w),  w = P' r;      without a set w = r = mean grad_y g
///
/// P' being the (symmetric) derivative of the projection at y - grad_y g, by differences. Methods
/// descend along df + lambda dh.
class LowerStationarity {
  MethodBase& method_;

 public:
  /// At the method's x and y.
  LowerStationarity(MethodBase& method, const ConsensusVariable& its_x,
                    const ConsensusVariable& its_y, const ProductOptions& options)
      : method_(method), x(its_x), y(its_y), products(method.problem, options) {}

  /// Collective.
  void evaluate(const Sample& sample) {
    of_gradients(sample);
    gradients.update();
    parallel_for(method_.m, [&](int i) { find_residual(i); });
    of_products(sample);
    product_means.update();
    parallel_for(method_.m, [&](int i) {
      hx.col(i) = 2 * product_means(jw).col(i);
      hy.col(i) = 2 * (product_means(hw).col(i) + r.col(i) - w.col(i));
    });
  }

  // Of the last evaluation, d x m: df and grad_y g are means.
  Block r{method_.q, method_.m};
  Block hx{method_.p, method_.m}, hy{method_.q, method_.m};  ///< dh
  Block dx{method_.p, method_.m}, dy{method_.q, method_.m};  ///< see find_direction
  AgentView fx() { return gradients(fx_i); }
  AgentView fy() { return gradients(fy_i); }
  AgentView gy() { return gradients(gy_i); }

  /// Of a = (fx, fy) and b = dh of local agent i.
  InnerProducts inner_products(int i) {
    const InnerProducts of_y = inner_products_of_y(i);
    return {.aa = fx().col(i).squaredNorm() + of_y.aa,
            .ab = fx().col(i).dot(hx.col(i)) + of_y.ab,
            .bb = hx.col(i).squaredNorm() + of_y.bb};
  }
  InnerProducts inner_products_of_y(int i) {
    return {.aa = fy().col(i).squaredNorm(),
            .ab = fy().col(i).dot(hy.col(i)),
            .bb = hy.col(i).squaredNorm()};
  }

  /// (dx, dy) = df + lambda dh; lambda is that of min 1/2 |d + df|^2 subject to <dh, d> <= -r,
  /// whose x may be held by its set, but at most `largest`, unless that is 0.
  void find_direction(int i, double rate, double largest) {
    double lambda = multiplier_in_set(x.set(), x.value().col(i), fx().col(i), hx.col(i),
                                      inner_products_of_y(i), rate);
    if (largest > 0) lambda = std::min(lambda, largest);
    dx.col(i) = fx().col(i) + lambda * hx.col(i);
    dy.col(i) = fy().col(i) + lambda * hy.col(i);
  }

 private:
  void find_residual(int i) {
    const FeasibleSet& set = y.set();
    r.col(i) = gy().col(i);
    if (set.is_whole_space()) {
      w.col(i) = r.col(i);
      return;
    }
    const VectorXd target = y.value().col(i) - r.col(i);
    to_lower_residual(set, y.value().col(i), r.col(i));
    const double width = 1e-6 * (1 + target.lpNorm<Eigen::Infinity>());
    const double norm = r.col(i).norm();
    if (norm == 0) {
      w.col(i).setZero();
      return;
    }
    VectorXd ahead = target + width / norm * r.col(i);
    VectorXd behind = target - width / norm * r.col(i);
    set.project(ahead);
    set.project(behind);
    w.col(i) = norm / (2 * width) * (ahead - behind);
  }

  const ConsensusVariable &x, &y;
  Products products;
  Block w{method_.q, method_.m};
  Gradient fx_i = df_dx(x, y), fy_i = df_dy(x, y), gy_i = dg_dy(x, y);
  Product jw = cross_times(products, x, y, w), hw = hessian_times(products, x, y, w);
  Means gradients{method_, "gradients", {&fx_i, &fy_i, &gy_i}};
  Means product_means{method_, "products", {&jw, &hw}};
  Together of_gradients{method_, {&fx_i, &fy_i, &gy_i}}, of_products{method_, {&jw, &hw}};
};

}  // namespace echelon::detail

#include <algorithm>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

/// The penalty weight: fixed, or grown over the first iterations, with the loss kept at unit size.
struct PenaltyOptions {
  double lambda = 100;
  std::int64_t lambda_ramp = 0;
  bool scaled = false;

  void visit(OptionVisitor& visitor) {
    visitor("lambda", lambda, above(0), "penalty weight; the bias of x is about 1 / lambda");
    visitor("lambda_ramp", lambda_ramp, at_least(0),
            "iterations over which lambda grows from 0 in equal steps; 0 = fixed");
    visitor("scaled", scaled, "f + lambda (...) is multiplied by min(1 / lambda, 1)");
  }

  double weight(std::uint64_t k) const {
    if (lambda_ramp == 0) return lambda;
    return lambda * std::min(1.0, static_cast<double>(k) / static_cast<double>(lambda_ramp));
  }
  /// The factor on all of the loss at the weight `now`.
  double scale(double now) const { return scaled ? std::min(1 / now, 1.0) : 1; }
};

struct VPbgdOptions : JointSteps {
  VPbgdOptions() { alpha = beta = 0.004; }
  std::int64_t inner_steps = 10;
  bool carry = false;
  PenaltyOptions penalty;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of w in each iteration (T)");
    JointSteps::visit(visitor, "w");
    visitor("carry", carry, "w continues from the last iteration instead of restarting at y");
    penalty.visit(visitor);
  }
};

/// Penalty on the value gap, w held fixed in the step of x and y:
///
///     w <- y;  repeat T times:  w <- P(w - gamma grad_y g(x, w))
///     x <- P(x - alpha (grad_x f + lambda (grad_x g(x, y) - grad_x g(x, w))))
///     y <- P(y - beta (grad_y f + lambda grad_y g(x, y)))        both at the old x, y
///
/// P are the projections onto the problem's sets; alpha and beta are at most
/// 1 / (L_f + lambda (2 L_g + L_g^2 / mu)).
class VPbgd final : public ComposedMethod<VPbgdOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const double lambda = options.penalty.weight(k);
    const double scale = options.penalty.scale(lambda);
    if (!options.carry) w.restart(y);
    const Steps steps{k, options.inner_steps};
    for (const Sample& step : steps) {
      inner(step);
      w.descend(options.of_copy(k), gy_w);
    }
    outer(steps.next());
    x.descend(options.upper(k), scale * fx + scale * lambda * (gx_y - gx_w));
    y.descend(options.lower(k), scale * fy + scale * lambda * gy_y);
  }

 private:
  Upper x{*this, "x"};
  Lower y{*this, "y"};
  LowerCopy w{*this, "w", !options.carry};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gx_y = dg_dx(x, y), gy_y = dg_dy(x, y);
  Gradient gx_w = dg_dx(x, w), gy_w = dg_dy(x, w);
  Together inner{*this, {&gy_w}}, outer{*this, {&fx, &fy, &gx_y, &gy_y, &gx_w}};
};

struct GPbgdOptions {
  double alpha = 0.001, beta = 0.001;
  PenaltyOptions penalty;
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step size of x; at most 1 / (L_f + 2 lambda L_g^2)");
    visitor("beta", beta, at_least(0), "step size of y; at most as alpha");
    penalty.visit(visitor);
    products.visit(visitor);
    schedule.visit(visitor);
  }
};

/// Penalty on the squared gradient of the lower level, which needs v = mean grad_y g first:
///
///     v = mean grad_y g(x, y)
///     x <- P(x - alpha mean (grad_x f + 2 lambda J'v))
///     y <- P(y - beta mean (grad_y f + 2 lambda H v))          H = d2g/dy2, J = d2g/dydx
class GPbgd final : public ComposedMethod<GPbgdOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const double lambda = options.penalty.weight(k);
    const double scale = options.penalty.scale(lambda);
    first({.iteration = k});
    gradient.update();
    v = gradient(gy);
    second({.iteration = k});
    parallel_for(m, [&](int i) {
      dx.col(i) = scale * fx.col(i) + 2 * scale * lambda * jv.col(i);
      dy.col(i) = scale * fy.col(i) + 2 * scale * lambda * hv.col(i);
    });
    direction.update();
    x.descend(options.alpha * options.schedule.upper(k), direction(dx));
    y.descend(options.beta * options.schedule.lower(k), direction(dy));
  }

 private:
  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  Block v{q, m}, dx{p, m}, dy{q, m};
  Products products{problem, options.products};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gy = dg_dy(x, y);
  Product jv = cross_times(products, x, y, v), hv = hessian_times(products, x, y, v);
  Means gradient{*this, "gradient", {&gy}}, direction{*this, "direction", {&dx, &dy}};
  Together first{*this, {&fx, &fy, &gy}}, second{*this, {&jv, &hv}};
};

}  // namespace

std::vector<MethodEntry> pbgd_parts() {
  const MethodEntry v_pbgd = method_entry<VPbgd>(
      {.name = "v-pbgd",
       .summary = "penalty on the value gap, one common loss for x and y, with projections",
       .formula = "w <- y; T times: w <- P(w - gamma gy(x,w));  "
                  "x <- P(x - alpha (fx + lambda (gx(x,y) - gx(x,w)))), "
                  "y <- P(y - beta (fy + lambda gy(x,y)))",
       .reference = "H. Shen, T. Chen, ICML 2023, arXiv:2302.05185",
       .assumes =
           "lower level Polyak-Lojasiewicz, or convex; it may have many minimizers and a set",
       .fails = "x is biased by about 1 / lambda and steps must shrink with lambda; too small a "
                "step of w leaves the gap open; where agents differ, w settles only if carried",
       .serves = {.set = true}});
  const MethodEntry g_pbgd = method_entry<GPbgd>(
      {.name = "g-pbgd",
       .summary = "penalty on the squared lower-level gradient",
       .formula = "v = mean gy;  x <- P(x - alpha (fx + 2 lambda J^T v)), "
                  "y <- P(y - beta (fy + 2 lambda H v))",
       .reference = v_pbgd.reference,
       .assumes = "every stationary point of the lower level is a minimizer",
       .fails = "x is biased by about 1 / lambda and steps must shrink with lambda; may change "
                "basins on the way",
       .serves = {},
       .uses_products = true,
       .means_first = true});
  return {v_pbgd, g_pbgd};
}

}  // namespace echelon::detail

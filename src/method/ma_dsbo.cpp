#include "moving_average.hpp"

namespace echelon::detail {

namespace {

struct MaDsboOptions {
  std::int64_t inner_steps = 10;
  std::int64_t solver_steps = 10;
  double alpha = 0.03;
  double beta = 0.3;
  double gamma = 0.3;
  AverageOptions average{.theta = 0.3};
  bool carry_trackers = true;
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y before each step of x (K)");
    visitor("solver_steps", solver_steps, at_least(1), "steps of v before each step of x (N)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about .5 / L_g");
    visitor("gamma", gamma, at_least(0), "step of v; about .5 / L_g");
    average.visit(visitor);
    visitor("carry_trackers", carry_trackers,
            "the inner loops go on with their last trackers; no: they start anew at each x, as "
            "published, which is a bias unless the loops are long");
    products.visit(visitor);
    schedule.visit(visitor);
  }
};

/// Two inner loops that agents walk together, then one step of x; H = d2g/dy2, J = d2g/dydx:
///
///     K times:  y <- y - beta grad_y g(x, y)
///     N times:  v <- v - gamma (H(x, y) v - grad_y f(x, y))
///     r <- (1 - theta) r + theta (grad_x f(x, y) - J(x, y)'v);    x <- x - alpha r
///
/// y and v go on from their last values. Samples are fresh in each inner step.
class MaDsbo final : public ComposedMethod<MaDsboOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const auto y_steps = static_cast<std::uint32_t>(options.inner_steps);
    const auto v_steps = static_cast<std::uint32_t>(options.solver_steps);
    const double decay = options.schedule.lower(k);
    if (!options.carry_trackers) {
      y.forget();
      v.forget();
    }
    for (std::uint32_t t = 0; t < y_steps; ++t) {
      lower({.iteration = k, .step = t});
      y.descend(options.beta * decay, gy);
    }
    for (std::uint32_t t = 0; t < v_steps; ++t) {
      system({.iteration = k, .step = y_steps + t});
      v.descend(options.gamma * decay, hv - fy);
    }
    upper({.iteration = k, .step = y_steps + v_steps});
    direction = fx - jv;
    average.apply(direction);
    x.descend(options.alpha * options.schedule.upper(k), direction);
  }

 private:
  Upper x{*this, "x"};
  Lower y{*this, "y"};
  Auxiliary v{*this, "v"};
  Products products{problem, options.products};
  Gradient gy = dg_dy(x, y), fy = df_dy(x, y), fx = df_dx(x, y);
  Product hv = hessian_times(products, x, y, v), jv = cross_times(products, x, y, v);
  Together lower{*this, {&gy}}, system{*this, {&fy, &hv}}, upper{*this, {&fx, &jv}};
  MovingAverage average{*this, options.average, p};
  Block direction{p, m};
};

}  // namespace

std::vector<MethodEntry> ma_dsbo_parts() {
  return {method_entry<MaDsbo>({
      .name = "ma-dsbo",
      .summary = "inner loops on y and on the linear system, x along a moving average",
      .formula = "K times: y <- y - beta gy;  N times: v <- v - gamma (H v - fy);  "
                 "r <- (1 - theta) r + theta (fx - J^T v);  x <- x - alpha r",
      .reference = "X. Chen, M. Huang, S. Ma, K. Balasubramanian, ICML 2023, arXiv:2210.12839",
      .assumes = "lower level strongly convex",
      .fails = "biased with gossip on agents that differ, and where trackers start anew at each x; "
               "stops "
               "at a wrong point where the lower level has more than one minimizer",
      .serves = {},
      .uses_products = true,
  })};
}

}  // namespace echelon::detail

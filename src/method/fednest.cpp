#include "inverse.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct FedNestOptions : StepSizes {
  std::int64_t inner_rounds = 3, local_steps = 5, upper_local_steps = 1;
  InverseOptions inverse{.inverse = "neumann"};
  ProductOptions products;

  FedNestOptions() { beta = 0.2; }

  void visit(OptionVisitor& visitor) {
    visitor("inner_rounds", inner_rounds, at_least(1), "rounds of y before each round of x (T)");
    visitor("local_steps", local_steps, at_least(1), "local steps of y in a round");
    visitor("upper_local_steps", upper_local_steps, at_least(1), "local steps of x in a round");
    StepSizes::visit(visitor);
    inverse.visit(visitor);
    products.visit(visitor);
  }

  Varies varies() const { return inverse.varies(); }
};

/// Nested rounds of local steps that are corrected toward the mean of all agents (SVRG), H =
/// d2g/dy2, J = d2g/dydx:
///
///     T rounds:  gbar = mean grad_y g(x, y);   local steps from y_1 = y - beta gbar:
///                y_{t+1} = y_t - beta (grad_y g(x, y_t) - grad_y g(x, y) + gbar);   y <- mean
///     v = eta sum_{j <= N} (I - eta mean H)^j mean grad_y f(x, y)
///     D(x) = grad_x f(x, y) - J(x, y)'v;   Dbar = mean D(x);   local steps from x_1 = x - alpha
///                Dbar: x_{t+1} = x_t - alpha (D(x_t) - D(x) + Dbar);   x <- mean
///
/// 2 T + N + 3 rounds. Means of directions and of local steps are those of
/// MethodContext::mean_tracker, those of the linear system exact.
class FedNest final : public ComposedMethod<FedNestOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    std::uint32_t step = 0;
    for (std::int64_t round = 0; round < options.inner_rounds; ++round) step = lower_round(k, step);
    upper_round(k, step);
  }

 private:
  /// From step `first` of iteration k on; returns the step after it.
  std::uint32_t lower_round(std::uint64_t k, std::uint32_t first) {
    const Steps local{k, options.local_steps - 1, first + 1};
    const double beta = options.lower(k);
    lower({.iteration = k, .step = first});
    lower_direction.update();
    const AgentView gbar = lower_direction(gy);
    y_now = y.value() - beta * gbar;
    for (const Sample& step : local) {
      local_lower(step);
      y_now -= beta * (gy_now - gy_start + gbar);
    }
    y_change = y.value() - y_now;
    lower_change.update();
    y.descend(1, lower_change(y_change));
    return local.next().step;
  }

  void upper_round(std::uint64_t k, std::uint32_t first) {
    const double alpha = options.upper(k);
    hypergradient({.iteration = k, .step = first});
    direction = fx - jv;
    upper_direction.update();
    const AgentView Dbar = upper_direction(direction);
    x_now = x.value() - alpha * Dbar;
    for (const Sample& step : Steps(k, options.upper_local_steps - 1, first + 1)) {
      local_start(step);
      local_now(step);
      x_now -= alpha * (fx_now - jv_now - fx + jv_start + Dbar);
    }
    x_change = x.value() - x_now;
    upper_change.update();
    x.descend(1, upper_change(x_change));
  }

  /// fx, J'v and v. Collective.
  void differentiate(const Evaluation& call) {
    upper(call);
    mean(solution);
    solve(call, solution);
    cross(call);
    call.into(v) = solution;
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  Products products{problem, options.products};
  InverseHessian solve{*this, options.inverse, products, x, y};
  ExactMean mean{context};
  Block x_now{p, m}, y_now{q, m}, x_change{p, m}, y_change{q, m}, direction{p, m}, v{q, m};
  Gradient gy = dg_dy(x, y), gy_start = dg_dy(x, y), gy_now = dg_dy(x, y_now);
  Gradient fx = df_dx(x, y), fx_now = df_dx(x_now, y);
  Gradient solution = df_dy(x, y);  // grad_y f, then solved
  Product jv = cross_times(products, x, y, solution);
  Product jv_start = cross_times(products, x, y, v), jv_now = cross_times(products, x_now, y, v);
  Means lower_direction{*this, "lower_direction", {&gy}};
  Means lower_change{*this, "lower_change", {&y_change}};
  Means upper_direction{*this, "upper_direction", {&direction}};
  Means upper_change{*this, "upper_change", {&x_change}};
  Together lower{*this, {&gy}};
  Direct local_lower{*this, {&gy_start, &gy_now}};
  Direct upper{*this, {&fx, &solution}}, cross{*this, {&jv}};
  Direct local_start{*this, {&fx, &jv_start}}, local_now{*this, {&fx_now, &jv_now}};
  Together hypergradient{*this,
                         {.outputs = {&fx, &jv, &v},
                          .at = {&x.value(), &y.value()},
                          .evaluate = [this](const Evaluation& call) { differentiate(call); },
                          .collective = true}};
};

}  // namespace

std::vector<MethodEntry> fednest_parts() {
  return {method_entry<FedNest>(
      {.name = "fednest",
       .summary = "nested rounds of local steps with variance reduction toward the mean of all "
                  "agents, and a Neumann series of their mean Hessian",
       .formula =
           "T rounds: gbar = mean gy(y), local y_{t+1} = y_t - beta (gy(y_t) - gy(y) + gbar), "
           "y <- mean;  v = eta sum (I - eta H)^j fy;  the same for x along D = fx - J^T v",
       .reference = "D. Tarzanagh, M. Li, C. Thrampoulidis, S. Oymak, ICML 2022, arXiv:2205.02215",
       .assumes = "lower level strongly convex",
       .fails = "too few terms of the series add a bias: about (1 - eta mu)^Q of v is missing",
       .uses_products = true,
       .means_first = true})};
}

}  // namespace echelon::detail

#include <cmath>

#include "restarted_momentum.hpp"

namespace echelon::detail {

namespace {

struct F2saOptions {
  std::int64_t inner_steps = 10;
  double alpha = 0.02;
  double beta = 0.5;
  double gamma = 0.5;
  double lambda = 1;
  double lambda_increment = 0.1;
  double lambda_exponent = 0;
  double lambda_offset = 100;
  std::string order = "gauss-seidel";
  bool richardson = false;
  MomentumOptions momentum;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y and z before each step of x (T)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y on grad_y f / lambda + grad_y g; about 1 / L_g");
    visitor("gamma", gamma, at_least(0), "step of z on grad_y g; about 1 / L_g");
    visitor("lambda", lambda, above(0),
            "penalty weight at k = 0; the bias of x is about 1 / lambda");
    visitor("lambda_increment", lambda_increment, at_least(0),
            "added to lambda at each iteration; 0 = fixed penalty");
    visitor("lambda_exponent", lambda_exponent, at_least(0),
            "e in lambda (1 + k / lambda_offset)^e; 0 = fixed penalty");
    visitor("lambda_offset", lambda_offset, above(0), "iterations before the exponent acts");
    visitor.choice("order", order, {"gauss-seidel", "jacobi"},
                   "x steps from the new y and z, or together with their last step from the "
                   "gradients of the same points and samples");
    visitor("richardson", richardson,
            "also run with 2 lambda and report 2 x(2 lambda) - x(lambda): bias 1 / lambda^2 at "
            "twice the cost");
    momentum.visit(visitor);
    schedule.visit(visitor);
  }

  bool jacobi() const { return order == "jacobi"; }

  double penalty(std::uint64_t k) const {
    const double iteration = static_cast<double>(k);
    const double grown = lambda_exponent == 0
                             ? lambda
                             : lambda * std::pow(1 + iteration / lambda_offset, lambda_exponent);
    return grown + lambda_increment * iteration;
  }
};

/// One penalty trajectory:  min over x, y  max over z   f(x, y) + lambda (g(x, y) - g(x, z))
///
///     repeat T times:  z <- z - gamma grad_y g(x, z)
///                      y <- y - beta (grad_y f(x, y) / lambda + grad_y g(x, y))
///     x <- x - alpha (grad_x f(x, y) + lambda (grad_x g(x, y) - grad_x g(x, z)))
///
/// In the order `jacobi` the last step of y and z and that of x use gradients at the same points.
/// With momentum, x stands for the extrapolated point.
class PenaltyPath final : public ComposedMethod<F2saOptions> {
 public:
  PenaltyPath(const MethodContext& its_context, const F2saOptions& its_options, double factor)
      : ComposedMethod(its_context, its_options), lambda_factor(factor) {}

  void iterate(std::uint64_t k) override {
    const double lambda = lambda_factor * options.penalty(k);
    const auto steps = static_cast<std::uint32_t>(options.inner_steps);
    momentum.before(x);
    for (std::uint32_t t = 0; t < steps; ++t) {
      const bool is_last = t + 1 == steps;
      (options.jacobi() && is_last ? all : inner)({.iteration = k, .step = t});
      step_lower(k, lambda);
    }
    if (!options.jacobi()) outer({.iteration = k, .step = steps});
    x.descend(options.alpha * options.schedule.upper(k), fx + lambda * (gx_y - gx_z));
    momentum.after(x);
  }

 private:
  void step_lower(std::uint64_t k, double lambda) {
    const double decay = options.schedule.lower(k);
    z.descend(options.gamma * decay, gy_z);
    y.descend(options.beta * decay, fy / lambda + gy_y);
  }

  const double lambda_factor;
  Upper x{*this, "x"};
  Lower y{*this, "y"};
  LowerCopy z{*this, "z"};
  RestartedMomentum momentum{*this, options.momentum, x};
  Gradient fy = df_dy(x, y), gy_y = dg_dy(x, y), gy_z = dg_dy(x, z);
  Gradient fx = df_dx(x, y), gx_y = dg_dx(x, y), gx_z = dg_dx(x, z);
  Together inner{*this, {&fy, &gy_y, &gy_z}};
  Together outer{*this, {&fx, &gx_y, &gx_z}, !options.jacobi()};
  Together all{*this, {&fx, &gx_y, &gx_z, &fy, &gy_y, &gy_z}, options.jacobi()};
};

/// The path of the penalty lambda, or 2 x(2 lambda) - x(lambda) of two paths.
class F2sa final : public ComposedMethod<F2saOptions> {
 public:
  F2sa(const MethodContext& its_context, const F2saOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    carry("lambda", *path);
    if (twice) carry("two_lambda", *twice);
  }

  void iterate(std::uint64_t k) override {
    path->iterate(k);
    if (twice) twice->iterate(k);
  }

  const AgentView& x() override {
    if (!twice) return path->x();
    extrapolated_x = 2 * twice->x() - path->x();
    return extrapolated_x;
  }
  const AgentView& y() override {
    if (!twice) return path->y();
    extrapolated_y = 2 * twice->y() - path->y();
    return extrapolated_y;
  }

 private:
  std::unique_ptr<Method> path_of(double factor) {
    return std::make_unique<PenaltyPath>(context, options, factor);
  }

  std::unique_ptr<Method> path = path_of(1), twice = options.richardson ? path_of(2) : nullptr;
  Block extrapolated_x{p, twice ? m : 0}, extrapolated_y{q, twice ? m : 0};
};

constexpr const char* formula =
    "T times: z <- z - gamma gy(x,z), y <- y - beta (fy(x,y)/lambda + gy(x,y)); "
    "x <- x - alpha (fx(x,y) + lambda (gx(x,y) - gx(x,z)))";

}  // namespace

static MethodEntry f2sa_entry() {
  return method_entry<F2sa>({
      .name = "f2sa",
      .summary = "fully first-order, penalty growing with the iterations",
      .formula = formula,
      .reference = "J. Kwon, D. Kwon, S. Wright, R. Nowak, ICML 2023, arXiv:2301.10945",
      .assumes = "lower level strongly convex; x is biased by about 1 / lambda",
      .fails = "reports f below the optimum, since y is not feasible; too few inner steps add bias",
      .serves = {.set = true},
  });
}

static MethodEntry f2ba_entry() {
  MethodEntry entry = f2sa_entry();
  entry.name = "f2ba";
  entry.summary = "fully first-order, large fixed penalty and more inner steps";
  entry.reference = "L. Chen, Y. Ma, J. Zhang, JMLR 2025, arXiv:2306.14853";
  F2saOptions options;
  options.inner_steps = 20;
  options.alpha = 0.2;
  options.lambda = 100;
  options.lambda_increment = 0;
  entry.options = options;
  return entry;
}

static MethodEntry accf2ba_entry() {
  MethodEntry entry = f2ba_entry();
  entry.name = "accf2ba";
  entry.summary = "f2ba with Nesterov's momentum on x, restarted when its path grows long";
  entry.formula = std::string("x <- x + theta (x - x_old); ") + formula;
  entry.fails += "; momentum restarts by the exact mean of x, a reduction at each iteration";
  F2saOptions options;
  options.inner_steps = 40;
  options.alpha = 0.2;
  options.lambda = 1e4;
  options.lambda_increment = 0;
  options.momentum.momentum = 0.8;
  entry.options = options;
  return entry;
}

static MethodEntry f3sa_entry() {
  MethodEntry entry = f2sa_entry();
  entry.name = "f3sa";
  entry.summary =
      "single-loop f2sa with the estimator storm, whose weight falls as gamma^2; without noise as "
      "f2sa with one inner step";
  entry.formula =
      "together: z <- z - gamma gy(x,z), y <- y - beta (fy(x,y)/lambda + gy(x,y)), "
      "x <- x - alpha (fx(x,y) + lambda (gx(x,y) - gx(x,z)))";
  entry.estimator = {estimator_catalog(), "storm",
                     StormOptions{.c = 1, .decay = 0.8, .decay_offset = 100}};
  F2saOptions options;
  options.inner_steps = 1;
  options.alpha = 0.05;
  options.beta = 0.3;
  options.gamma = 0.3;
  options.order = "jacobi";
  options.lambda = 2;
  options.lambda_increment = 0;
  options.lambda_exponent = 0.2;
  options.schedule = {.upper_decay = 0.6, .lower_decay = 0.4};
  entry.options = options;
  return entry;
}

std::vector<MethodEntry> f2sa_parts() {
  return {f2sa_entry(), f2ba_entry(), accf2ba_entry(), f3sa_entry()};
}

}  // namespace echelon::detail

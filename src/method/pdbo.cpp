#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct PdboOptions : JointSteps {
  PdboOptions() { alpha = beta = 0.005; }
  std::int64_t inner_steps = 10;
  double tau = 1, bound = 1000, delta = 1e-3, theta = 1;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of yhat in each iteration (N)");
    JointSteps::visit(visitor, "yhat, constant");
    visitor("tau", tau, above(0), "step size of the multiplier");
    visitor("bound", bound, above(0), "B: the largest multiplier; above 1 / sqrt(delta)");
    visitor("delta", delta, above(0),
            "value gap that is allowed; the bias of x is about its square root");
    visitor("theta", theta, at_least(0), "extrapolation of the gap in the step of the multiplier");
  }
};

/// Primal and dual steps for  min f  s.t.  gap = g(x, y) - g(x, yhat) - delta <= 0, with yhat
/// following the lower level:
///
///     repeat N times:  yhat <- P(yhat - gamma grad_y g(x, yhat))
///     lambda <- clamp(lambda + tau ((1 + theta) gap - theta gap_old), 0, B)
///     (x, y) <- P((x, y) - (alpha, beta) (df + lambda dgap))
///     dgap = (grad_x g(x, y) - grad_x g(x, yhat), grad_y g(x, y))
///
/// df, dgap, gap and lambda are network means.
class Pdbo final : public ComposedMethod<PdboOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const Steps steps{k, options.inner_steps};
    for (const Sample& step : steps) {
      inner(step);
      yhat.descend(options.gamma, gy_hat);
    }
    outer(steps.next());
    values(steps.next());
    gx -= gx_hat;
    gap -= value_hat;
    means.update();
    parallel_for(m, [&](int i) {
      const double now = means(gap)(0, i) - options.delta;
      const double old = k == 0 ? now : old_gap(0, i);
      ahead(0, i) = (1 + options.theta) * now - options.theta * old;
      old_gap(0, i) = now;
    });
    lambda.descend(options.tau, -ahead);
    parallel_for(m, [&](int i) {
      const double weight = lambda.value()(0, i);
      dx.col(i) = means(fx).col(i) + weight * means(gx).col(i);
      dy.col(i) = means(fy).col(i) + weight * means(gy).col(i);
    });
    x.descend(options.upper(k), dx);
    y.descend(options.lower(k), dy);
  }

 private:
  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  LowerCopy yhat{*this, "yhat"};
  MultiplierOfMeans lambda{
      *this, "lambda", FeasibleSet::box(VectorXd::Zero(1), VectorXd::Constant(1, options.bound))};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gx = dg_dx(x, y), gy = dg_dy(x, y);
  Gradient gx_hat = dg_dx(x, yhat), gy_hat = dg_dy(x, yhat);
  Value gap = value_of(Level::lower, x, y), value_hat = value_of(Level::lower, x, yhat);
  Means means{*this, "pdbo", {&fx, &fy, &gx, &gy, &gap}};
  Together inner{*this, {&gy_hat}}, outer{*this, {&fx, &fy, &gx, &gy, &gx_hat}};
  Direct values{*this, {&gap, &value_hat}};
  Carried old_gap{*this, "old_gap", 1};
  Block ahead{1, m}, dx{p, m}, dy{q, m};
};

}  // namespace

std::vector<MethodEntry> pdbo_parts() {
  return {method_entry<Pdbo>(
      {.name = "pdbo",
       .summary = "primal and dual steps under a bound on the value gap",
       .formula =
           "N times: yhat <- P(yhat - gamma gy(x,yhat));  gap = g(x,y) - g(x,yhat) - delta;  "
           "lambda <- clamp(lambda + tau ((1 + theta) gap - theta gap_old), 0, B);  "
           "(x,y) <- P((x,y) - (alpha,beta) (df + lambda dgap))",
       .reference = "D. Sow, K. Ji, Z. Guan, Y. Liang, 2022, arXiv:2203.01123",
       .assumes = "lower level convex, on a bounded set",
       .fails = "x is biased by about sqrt(delta), and the multiplier must be free to reach "
                "1 / sqrt(delta); small tau is far too slow",
       .serves = {.set = true},
       .means_first = true})};
}

}  // namespace echelon::detail

#include "echelon/method/terms.hpp"
#include "lower_stationarity.hpp"
#include "quadratic_programs.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct BomeOptions : JointSteps {
  BomeOptions() { schedule.upper_decay = schedule.lower_decay = 0.5; }
  std::int64_t inner_steps = 10;
  double eta = 0.5, momentum = 0;
  std::string phi = "gradient";
  bool carry = false;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1),
            "steps of yhat in each iteration (T); gamma mu inner_steps must reach 1");
    JointSteps::visit(visitor, "yhat, constant");
    visitor("eta", eta, at_least(0), "how fast the value gap is asked to fall");
    visitor.choice("phi", phi, {"gradient", "value"},
                   "rate of the value gap: eta |dq|^2, or eta q");
    visitor("momentum", momentum, between(0, 0.999), "heavy ball on the direction; 0 = none");
    visitor("carry", carry, "yhat continues from the last iteration instead of restarting at y");
  }

  bool by_value() const { return phi == "value"; }
};

/// Dynamic barrier on the value gap q(x, y) = g(x, y) - g(x, yhat), yhat held fixed. Jacobi.
///
///     yhat <- y;  repeat T times:  yhat <- yhat - gamma grad_y g(x, yhat)
///     dq = (grad_x g(x, y) - grad_x g(x, yhat), grad_y g(x, y)),   df = (fx, fy)
///     lambda = [(phi - <df, dq>) / |dq|^2]_+,   phi = eta |dq|^2  or  eta q
///     (x, y) <- (x, y) - (alpha, beta) (df + lambda dq)
///
/// df, dq and q are network means. Where y is kept in a set, the y-part of dq is what is left of
/// grad_y g along it, which vanishes at solutions on the boundary too.
class Bome final : public ComposedMethod<BomeOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    if (!options.carry) yhat.restart(y);
    const Steps steps{k, options.inner_steps};
    for (const Sample& step : steps) {
      inner(step);
      yhat.descend(options.gamma, gy_hat);
    }
    outer(steps.next());
    gx -= gx_hat;
    if (options.by_value()) {
      values(steps.next());
      gap -= value_hat;
    }
    means.update();
    parallel_for(m, [&](int i) { add_direction(i); });
    x.descend(options.upper(k), dx);
    y.descend(options.lower(k), dy);
  }

 private:
  void add_direction(int i) {
    const AgentView df_x = means(fx), df_y = means(fy), dq_x = means(gx);
    Gradient& dq_y = gy_hat;  // its last use was in the inner loop
    dq_y.col(i) = means(gy).col(i);
    to_gradient_along(y.set(), y.value().col(i), dq_y.col(i));
    const InnerProducts of_y{.aa = df_y.col(i).squaredNorm(),
                             .ab = df_y.col(i).dot(dq_y.col(i)),
                             .bb = dq_y.col(i).squaredNorm()};
    const double square = dq_x.col(i).squaredNorm() + of_y.bb;
    const double phi = options.eta * (options.by_value() ? means(gap)(0, i) : square);
    const double lambda =
        multiplier_in_set(x.set(), x.value().col(i), df_x.col(i), dq_x.col(i), of_y, phi);
    dx.col(i) = options.momentum * dx.col(i) + df_x.col(i) + lambda * dq_x.col(i);
    dy.col(i) = options.momentum * dy.col(i) + df_y.col(i) + lambda * dq_y.col(i);
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  LowerCopy yhat{*this, "yhat", !options.carry};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gx = dg_dx(x, y), gy = dg_dy(x, y);
  Gradient gx_hat = dg_dx(x, yhat), gy_hat = dg_dy(x, yhat);
  Value gap = value_of(Level::lower, x, y), value_hat = value_of(Level::lower, x, yhat);
  Means means{*this, "bome", {&fx, &fy, &gx, &gy, options.by_value() ? &gap : nullptr}};
  Together inner{*this, {&gy_hat}}, outer{*this, {&fx, &fy, &gx, &gy, &gx_hat}};
  Direct values{*this, {&gap, &value_hat}};
  Carried dx{*this, "dx", p, options.momentum > 0}, dy{*this, "dy", q, options.momentum > 0};
};

}  // namespace

std::vector<MethodEntry> bome_parts() {
  return {method_entry<Bome>(
      {.name = "bome",
       .summary = "first-order, bounds the fall of the value gap instead of weighting it",
       .formula =
           "T times: yhat <- yhat - gamma gy(x,yhat);  dq = (gx(x,y) - gx(x,yhat), gy(x,y));  "
           "(x,y) <- (x,y) - (alpha,beta) (df + [(phi - <df,dq>)/|dq|^2]_+ dq)",
       .reference = "M. Ye, B. Liu, S. Wright, P. Stone, Q. Liu, NeurIPS 2022, arXiv:2209.08709, "
                    "algorithm 1",
       .assumes = "lower level Polyak-Lojasiewicz; it may have many minimizers",
       .fails =
           "with a constant step floats below the optimum at a residual of about its square root; "
           "stalls if the inner steps hardly move yhat; where the residual is tiny, a step may "
           "leave the lower level for a while",
       .serves = {.set = true},
       .means_first = true})};
}

}  // namespace echelon::detail

#include "entries.hpp"
#include "lower_stationarity.hpp"
#include "quadratic_programs.hpp"

namespace echelon::detail {

namespace {

struct BomeOptions {
  std::int64_t inner_steps = 10;
  double alpha = 0.05;
  double beta = 0.05;
  double gamma = 0.5;
  double eta = 0.5;
  std::string phi = "gradient";
  double momentum = 0;
  bool carry = false;
  StepSchedule schedule{.upper_decay = 0.5, .lower_decay = 0.5};

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of yhat per iteration (T)");
    visitor("alpha", alpha, at_least(0), "step of x (xi of the paper)");
    visitor("beta", beta, at_least(0), "step of y (xi of the paper)");
    visitor("gamma", gamma, at_least(0),
            "step of yhat (alpha of the paper), about .5 / L_g; gamma mu inner_steps must reach 1");
    visitor("eta", eta, at_least(0), "how fast the value gap is asked to fall");
    visitor.choice("phi", phi, {"gradient", "value"},
                   "rate of the value gap: eta |dq|^2, or eta q");
    visitor("momentum", momentum, between(0, 0.999), "heavy ball on the direction; 0 = none");
    visitor("carry", carry, "yhat goes on from iteration to iteration, instead of restarting at y");
    schedule.visit(visitor);
  }

  bool by_value() const { return phi == "value"; }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    return {.auxiliary_steps = steps,
            .p_means = 2,
            .q_means = 2,
            .scalar_means = by_value() ? 1.0 : 0.0,
            .gradients = steps + 3,
            .values = by_value() ? 2.0 : 0.0};
  }
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
class Bome final : public Method {
 public:
  Bome(const MethodContext& context, const BomeOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        yhat_(context.lower_copy("yhat")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        means_(context.mean_tracker("bome", options.by_value()
                                                ? std::vector<Index>{p_, q_, p_, q_, 1}
                                                : std::vector<Index>{p_, q_, p_, q_})),
        inner_(context.make_estimator({q_})),
        outer_(context.make_estimator({p_, q_, p_, q_, p_})),
        gy_hat_(q_, m_),
        gx_hat_(p_, m_),
        value_hat_(1, m_),
        dx_(p_, m_),
        dy_(q_, m_) {
    if (!options_.carry) yhat_.require_mappable("it restarts at y at each iteration");
  }

  void iterate(std::uint64_t k) override {
    follow_lower_level(k);
    update_means({.iteration = k, .step = static_cast<std::uint32_t>(options_.inner_steps)});
    parallel_for(m_, [&](int i) { add_direction(i); });
    x_.descend(options_.alpha * options_.schedule.upper(k), dx_);
    y_.descend(options_.beta * options_.schedule.lower(k), dy_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("yhat", yhat_);
    visitor.within("means", means_);
    visitor.within("inner_estimator", *inner_);
    visitor.within("outer_estimator", *outer_);
    if (options_.momentum == 0) return;
    visitor.per_agent("dx", dx_);
    visitor.per_agent("dy", dy_);
  }

 private:
  void follow_lower_level(std::uint64_t k) {
    if (!options_.carry) yhat_.restart(y_);
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
    };
    for (std::uint32_t t = 0; t < steps; ++t) {
      inner_->estimate({.iteration = k, .step = t}, {&x_.value(), &yhat_.value()}, oracle,
                       {&gy_hat_});
      yhat_.descend(options_.gamma, gy_hat_);
    }
  }

  /// fx, fy, dq by x, dq by y, and the gap itself if phi needs it.
  void update_means(const Sample& sample) {
    AgentView fx = means_.component(0), fy = means_.component(1);
    AgentView gx = means_.component(2), gy = means_.component(3);
    const Oracle oracle = [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(drawn, {{*at[0], *at[1], out[0], out[1]}});
      problem_.grad_g(drawn, {{*at[0], *at[1], out[2], out[3]}, {*at[0], *at[2], out[4], nullptr}});
    };
    outer_->estimate(sample, {&x_.value(), &y_.value(), &yhat_.value()}, oracle,
                     {&fx, &fy, &gx, &gy, &gx_hat_});
    gx -= gx_hat_;
    if (options_.by_value()) {
      AgentView gap = means_.component(4);
      problem_.values(Level::lower, sample, x_, y_, gap);
      problem_.values(Level::lower, sample, x_, yhat_, value_hat_);
      gap -= value_hat_;
    }
    means_.update();
  }

  void add_direction(int i) {
    const AgentView fx = means_.mean(0), fy = means_.mean(1), qx = means_.mean(2);
    AgentMatrix& qy = gy_hat_;  // its last use was in the inner loop
    qy.col(i) = means_.mean(3).col(i);
    to_gradient_along(y_.set(), y_.value().col(i), qy.col(i));
    const InnerProducts of_y{.aa = fy.col(i).squaredNorm(),
                             .ab = fy.col(i).dot(qy.col(i)),
                             .bb = qy.col(i).squaredNorm()};
    const double square = qx.col(i).squaredNorm() + of_y.bb;
    const double phi = options_.eta * (options_.by_value() ? means_.mean(4)(0, i) : square);
    const double lambda =
        multiplier_in_set(x_.set(), x_.value().col(i), fx.col(i), qx.col(i), of_y, phi);
    dx_.col(i) = options_.momentum * dx_.col(i) + fx.col(i) + lambda * qx.col(i);
    dy_.col(i) = options_.momentum * dy_.col(i) + fy.col(i) + lambda * qy.col(i);
  }

  BilevelProblem& problem_;
  BomeOptions options_;
  ConsensusVariable x_, y_, yhat_;
  Index p_, q_;
  int m_;
  MeanTracker means_;
  std::unique_ptr<GradientEstimator> inner_, outer_;
  AgentMatrix gy_hat_, gx_hat_, value_hat_;
  AgentMatrix dx_, dy_;  // with momentum: carried
};

}  // namespace

MethodEntry bome_entry() {
  MethodEntry entry{
      .name = "bome",
      .summary = "first-order, bounds the fall of the value gap instead of weighting it",
      .formula =
          "T times: yhat <- yhat - gamma gy(x,yhat);  dq = (gx(x,y) - gx(x,yhat), gy(x,y));  "
          "(x,y) <- (x,y) - (alpha,beta) (df + [(phi - <df,dq>)/|dq|^2]_+ dq)",
      .reference =
          "M. Ye, B. Liu, S. Wright, P. Stone, Q. Liu, NeurIPS 2022, arXiv:2209.08709, "
          "algorithm 1",
      .assumes = "lower level Polyak-Lojasiewicz; it may have many minimizers",
      .fails =
          "with a constant step floats below the optimum at a residual of about its square root; "
          "stalls if the inner steps hardly move yhat; where the residual is tiny, a step may "
          "leave the lower level for a while",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = true,
      .options = {},
      .make = {},
      .cost = {}};
  bind<Bome>(entry, BomeOptions{});
  return entry;
}

}  // namespace echelon::detail

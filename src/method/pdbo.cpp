#include "echelon/core/parallel.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct PdboOptions {
  std::int64_t inner_steps = 10;
  double alpha = 0.005;
  double beta = 0.005;
  double gamma = 0.5;
  double tau = 1;
  double bound = 1000;
  double delta = 1e-3;
  double theta = 1;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of yhat per iteration (N)");
    visitor("alpha", alpha, at_least(0), "step of x (eta of the paper)");
    visitor("beta", beta, at_least(0), "step of y (eta of the paper)");
    visitor("gamma", gamma, at_least(0), "step of yhat on grad_y g; about .5 / L_g");
    visitor("tau", tau, above(0), "step of the multiplier");
    visitor("bound", bound, above(0), "B: the largest multiplier; above 1 / sqrt(delta)");
    visitor("delta", delta, above(0),
            "value gap that is allowed; the bias of x is about its square root");
    visitor("theta", theta, at_least(0), "extrapolation of the gap in the step of the multiplier");
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    return {.auxiliary_steps = steps,
            .scalar_steps = 1,
            .p_means = 2,
            .q_means = 2,
            .scalar_means = 1,
            .gradients = steps + 3,
            .values = 2};
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
class Pdbo final : public Method {
 public:
  Pdbo(const MethodContext& context, const PdboOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        yhat_(context.lower_copy("yhat")),
        lambda_(context.multiplier_of_means(
            "lambda", FeasibleSet::box(VectorXd::Zero(1), VectorXd::Constant(1, options.bound)))),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        means_(context.mean_tracker("pdbo", {p_, q_, p_, q_, 1})),
        inner_(context.make_estimator({q_})),
        outer_(context.make_estimator({p_, q_, p_, q_, p_})),
        gy_hat_(q_, m_),
        gx_hat_(p_, m_),
        value_hat_(1, m_),
        ahead_(1, m_),
        old_gap_(1, m_),
        dx_(p_, m_),
        dy_(q_, m_) {}

  void iterate(std::uint64_t k) override {
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    const Oracle lower_gradient = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
    };
    for (std::uint32_t t = 0; t < steps; ++t) {
      inner_->estimate({.iteration = k, .step = t}, {&x_.value(), &yhat_.value()}, lower_gradient,
                       {&gy_hat_});
      yhat_.descend(options_.gamma, gy_hat_);
    }
    update_means({.iteration = k, .step = steps});
    parallel_for(m_, [&](int i) {
      const double gap = means_.mean(4)(0, i) - options_.delta;
      const double old_gap = started_ == 0 ? gap : old_gap_(0, i);
      ahead_(0, i) = (1 + options_.theta) * gap - options_.theta * old_gap;
      old_gap_(0, i) = gap;
    });
    started_ = 1;
    lambda_.descend(options_.tau, -ahead_);
    parallel_for(m_, [&](int i) {
      const double lambda = lambda_.value()(0, i);
      dx_.col(i) = means_.mean(0).col(i) + lambda * means_.mean(2).col(i);
      dy_.col(i) = means_.mean(1).col(i) + lambda * means_.mean(3).col(i);
    });
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
    visitor.within("lambda", lambda_);
    visitor.per_agent("old_gap", old_gap_);
    visitor.replicated("started", started_);
  }

 private:
  /// fx, fy, the gap's x- and y-gradients, and the gap without delta.
  void update_means(const Sample& sample) {
    AgentView fx = means_.component(0), fy = means_.component(1);
    AgentView gx = means_.component(2), gy = means_.component(3), gap = means_.component(4);
    const Oracle gradients = [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(drawn, {{*at[0], *at[1], out[0], out[1]}});
      problem_.grad_g(drawn, {{*at[0], *at[1], out[2], out[3]}, {*at[0], *at[2], out[4], nullptr}});
    };
    outer_->estimate(sample, {&x_.value(), &y_.value(), &yhat_.value()}, gradients,
                     {&fx, &fy, &gx, &gy, &gx_hat_});
    problem_.values(Level::lower, sample, x_, y_, gap);
    problem_.values(Level::lower, sample, x_, yhat_, value_hat_);
    gx -= gx_hat_;
    gap -= value_hat_;
    means_.update();
  }

  BilevelProblem& problem_;
  PdboOptions options_;
  ConsensusVariable x_, y_, yhat_, lambda_;
  Index p_, q_;
  int m_;
  MeanTracker means_;
  std::unique_ptr<GradientEstimator> inner_, outer_;
  AgentMatrix gy_hat_, gx_hat_, value_hat_, ahead_, old_gap_, dx_, dy_;
  std::int64_t started_ = 0;
};

}  // namespace

static MethodEntry pdbo_entry() {
  MethodEntry entry{
      .name = "pdbo",
      .summary = "primal and dual steps under a bound on the value gap",
      .formula =
          "N times: yhat <- P(yhat - gamma gy(x,yhat));  gap = g(x,y) - g(x,yhat) - delta;  "
          "lambda <- clamp(lambda + tau ((1 + theta) gap - theta gap_old), 0, B);  "
          "(x,y) <- P((x,y) - (alpha,beta) (df + lambda dgap))",
      .reference = "D. Sow, K. Ji, Z. Guan, Y. Liang, 2022, arXiv:2203.01123",
      .assumes = "lower level convex, on a bounded set",
      .fails =
          "x is biased by about sqrt(delta), and the multiplier must be free to reach "
          "1 / sqrt(delta); small tau is far too slow",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = true};
  bind<Pdbo>(entry, PdboOptions{});
  return entry;
}

std::vector<MethodEntry> pdbo_parts() {
  return {pdbo_entry()};
}

}  // namespace echelon::detail

#include <algorithm>

#include "echelon/core/parallel.hpp"
#include "echelon/method/products.hpp"
#include "entries.hpp"

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

struct VPbgdOptions {
  std::int64_t inner_steps = 10;
  double alpha = 0.004;
  double beta = 0.004;
  double gamma = 0.5;
  bool carry = false;
  PenaltyOptions penalty;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of w per iteration (T)");
    visitor("alpha", alpha, at_least(0),
            "step of x; at most 1 / (L_f + lambda (2 L_g + L_g^2 / mu))");
    visitor("beta", beta, at_least(0), "step of y; as alpha");
    visitor("gamma", gamma, at_least(0), "step of w on grad_y g; about 1 / L_g");
    visitor("carry", carry, "w goes on from iteration to iteration, instead of restarting at y");
    penalty.visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    return {.auxiliary_steps = steps, .gradients = steps + 3};
  }
};

/// Penalty on the value gap, w held fixed in the step of x and y:
///
///     w <- y;  repeat T times:  w <- P(w - gamma grad_y g(x, w))
///     x <- P(x - alpha (grad_x f + lambda (grad_x g(x, y) - grad_x g(x, w))))
///     y <- P(y - beta (grad_y f + lambda grad_y g(x, y)))                       both at the old x,
///     y
///
/// P are the projections onto the problem's sets.
class VPbgd final : public Method {
 public:
  VPbgd(const MethodContext& context, const VPbgdOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        w_(context.lower_copy("w")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        inner_(context.make_estimator({q_})),
        outer_(context.make_estimator({p_, q_, p_, q_, p_})),
        fx_(p_, m_),
        fy_(q_, m_),
        gx_y_(p_, m_),
        gy_(q_, m_),
        gx_w_(p_, m_) {
    if (!options_.carry) w_.require_mappable("it restarts at y at each iteration");
  }

  void iterate(std::uint64_t k) override {
    const double lambda = options_.penalty.weight(k);
    const double scale = options_.penalty.scale(lambda);
    follow_lower_level(k);
    outer_->estimate({.iteration = k, .step = static_cast<std::uint32_t>(options_.inner_steps)},
                     {&x_.value(), &y_.value(), &w_.value()},
                     [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
                       problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
                       problem_.grad_g(sample, {{*at[0], *at[1], out[2], out[3]},
                                                {*at[0], *at[2], out[4], nullptr}});
                     },
                     {&fx_, &fy_, &gx_y_, &gy_, &gx_w_});
    x_.descend(options_.alpha * options_.schedule.upper(k),
               scale * fx_ + scale * lambda * (gx_y_ - gx_w_));
    y_.descend(options_.beta * options_.schedule.lower(k), scale * fy_ + scale * lambda * gy_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("w", w_);
    visitor.within("inner_estimator", *inner_);
    visitor.within("outer_estimator", *outer_);
  }

 private:
  void follow_lower_level(std::uint64_t k) {
    if (!options_.carry) w_.restart(y_);
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    for (std::uint32_t t = 0; t < steps; ++t) {
      inner_->estimate({.iteration = k, .step = t}, {&x_.value(), &w_.value()},
                       [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
                         problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
                       },
                       {&gy_});
      w_.descend(options_.gamma * options_.schedule.lower(k), gy_);
    }
  }

  BilevelProblem& problem_;
  VPbgdOptions options_;
  ConsensusVariable x_, y_, w_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> inner_, outer_;
  AgentMatrix fx_, fy_, gx_y_, gy_, gx_w_;
};

struct GPbgdOptions {
  double alpha = 0.001;
  double beta = 0.001;
  PenaltyOptions penalty;
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x; at most 1 / (L_f + 2 lambda L_g^2)");
    visitor("beta", beta, at_least(0), "step of y; as alpha");
    penalty.visit(visitor);
    products.visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    MethodCost cost{.p_means = 1, .q_means = 2, .gradients = 2};
    products.add_to(cost, 1);
    return cost;
  }
};

/// Penalty on the squared gradient of the lower level, whose gradient needs v = mean grad_y g
/// first:
///
///     v = mean grad_y g(x, y)
///     x <- P(x - alpha mean (grad_x f + 2 lambda J'v))
///     y <- P(y - beta mean (grad_y f + 2 lambda H v))          H = d2g/dy2, J = d2g/dydx
class GPbgd final : public Method {
 public:
  GPbgd(const MethodContext& context, const GPbgdOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        gradient_(context.mean_tracker("gradient", {q_})),
        direction_(context.mean_tracker("direction", {p_, q_})),
        first_(context.make_estimator({p_, q_, q_})),
        second_(context.make_estimator({p_, q_})),
        fx_(p_, m_),
        fy_(q_, m_),
        v_(q_, m_),
        jv_(p_, m_),
        hv_(q_, m_) {}

  void iterate(std::uint64_t k) override {
    const double lambda = options_.penalty.weight(k);
    const double scale = options_.penalty.scale(lambda);
    const Sample sample{.iteration = k};
    AgentView gy = gradient_.component(0);
    first_->estimate(sample, {&x_.value(), &y_.value()},
                     [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
                       problem_.grad_f(drawn, {{*at[0], *at[1], out[0], out[1]}});
                       problem_.grad_g(drawn, {{*at[0], *at[1], nullptr, out[2]}});
                     },
                     {&fx_, &fy_, &gy});
    gradient_.update();
    v_ = gradient_.mean(0);
    second_->estimate(sample, {&x_.value(), &y_.value(), &v_},
                      [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
                        products_(drawn, {*at[0], *at[1], *at[2], out[1], out[0]});
                      },
                      {&jv_, &hv_});
    AgentView dx = direction_.component(0), dy = direction_.component(1);
    parallel_for(m_, [&](int i) {
      dx.col(i) = scale * fx_.col(i) + 2 * scale * lambda * jv_.col(i);
      dy.col(i) = scale * fy_.col(i) + 2 * scale * lambda * hv_.col(i);
    });
    direction_.update();
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_.mean(0));
    y_.descend(options_.beta * options_.schedule.lower(k), direction_.mean(1));
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("gradient", gradient_);
    visitor.within("direction", direction_);
    visitor.within("first_estimator", *first_);
    visitor.within("second_estimator", *second_);
  }

 private:
  BilevelProblem& problem_;
  GPbgdOptions options_;
  Products products_;
  ConsensusVariable x_, y_;
  Index p_, q_;
  int m_;
  MeanTracker gradient_, direction_;
  std::unique_ptr<GradientEstimator> first_, second_;
  AgentMatrix fx_, fy_, v_, jv_, hv_;
};

}  // namespace

static MethodEntry v_pbgd_entry() {
  MethodEntry entry{
      .name = "v-pbgd",
      .summary = "penalty on the value gap, one common loss for x and y, with projections",
      .formula =
          "w <- y; T times: w <- P(w - gamma gy(x,w));  "
          "x <- P(x - alpha (fx + lambda (gx(x,y) - gx(x,w)))), "
          "y <- P(y - beta (fy + lambda gy(x,y)))",
      .reference = "H. Shen, T. Chen, ICML 2023, arXiv:2302.05185",
      .assumes = "lower level Polyak-Lojasiewicz, or convex; it may have many minimizers and a set",
      .fails =
          "x is biased by about 1 / lambda and steps must shrink with lambda; too small a "
          "step of w leaves the gap open; where agents differ, w settles only if carried",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = false};
  bind<VPbgd>(entry, VPbgdOptions{});
  return entry;
}

static MethodEntry g_pbgd_entry() {
  MethodEntry entry{
      .name = "g-pbgd",
      .summary = "penalty on the squared lower-level gradient",
      .formula =
          "v = mean gy;  x <- P(x - alpha (fx + 2 lambda J^T v)), "
          "y <- P(y - beta (fy + 2 lambda H v))",
      .reference = "H. Shen, T. Chen, ICML 2023, arXiv:2302.05185",
      .assumes = "every stationary point of the lower level is a minimizer",
      .fails =
          "x is biased by about 1 / lambda, and steps must shrink with lambda; may change "
          "basins on the way",
      .serves = {},
      .uses_products = true,
      .means_first = true};
  bind<GPbgd>(entry, GPbgdOptions{});
  return entry;
}

std::vector<MethodEntry> pbgd_parts() {
  return {v_pbgd_entry(), g_pbgd_entry()};
}

}  // namespace echelon::detail

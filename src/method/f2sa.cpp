#include <cmath>

#include "entries.hpp"
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

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    const double paths = richardson ? 2 : 1;
    return {.x_steps = paths,
            .y_steps = paths * steps,
            .auxiliary_steps = paths * steps,
            .p_exact = momentum.momentum > 0 ? paths : 0,
            .gradients = paths * 3 * (jacobi() ? steps : steps + 1)};
  }

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
class PenaltyPath {
 public:
  PenaltyPath(const MethodContext& context, const F2saOptions& options, double lambda_factor)
      : problem_(context.problem),
        options_(options),
        lambda_factor_(lambda_factor),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        z_(context.lower_copy("z")),
        momentum_(context, options.momentum, x_),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        inner_(context.make_estimator({q_, q_, q_})),
        outer_(options.jacobi() ? context.make_estimator({p_, p_, p_, q_, q_, q_})
                                : context.make_estimator({p_, p_, p_})),
        fy_(q_, m_),
        gy_y_(q_, m_),
        gy_z_(q_, m_),
        fx_(p_, m_),
        gx_y_(p_, m_),
        gx_z_(p_, m_) {}

  void iterate(std::uint64_t k) {
    const double lambda = lambda_factor_ * options_.penalty(k);
    const double alpha = options_.alpha * options_.schedule.upper(k);
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    momentum_.before(x_);
    for (std::uint32_t t = 0; t < steps; ++t) {
      if (options_.jacobi() && t + 1 == steps) break;
      inner_->estimate({.iteration = k, .step = t}, {&x_.value(), &y_.value(), &z_.value()},
                       lower_gradients_, {&fy_, &gy_y_, &gy_z_});
      step_lower(k, lambda);
    }
    if (options_.jacobi()) {
      outer_->estimate({.iteration = k, .step = steps - 1}, {&x_.value(), &y_.value(), &z_.value()},
                       all_gradients_, {&fx_, &gx_y_, &gx_z_, &fy_, &gy_y_, &gy_z_});
      step_lower(k, lambda);
    } else {
      outer_->estimate({.iteration = k, .step = steps}, {&x_.value(), &y_.value(), &z_.value()},
                       upper_gradients_, {&fx_, &gx_y_, &gx_z_});
    }
    x_.descend(alpha, fx_ + lambda * (gx_y_ - gx_z_));
    momentum_.after(x_);
  }

  const ConsensusVariable& x() const { return x_; }
  const ConsensusVariable& y() const { return y_; }

  void visit_state(StateVisitor& visitor) {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("z", z_);
    visitor.within("momentum", momentum_);
    visitor.within("inner_estimator", *inner_);
    visitor.within("outer_estimator", *outer_);
  }

 private:
  void step_lower(std::uint64_t k, double lambda) {
    const double decay = options_.schedule.lower(k);
    z_.descend(options_.gamma * decay, gy_z_);
    y_.descend(options_.beta * decay, fy_ / lambda + gy_y_);
  }

  BilevelProblem& problem_;
  F2saOptions options_;
  double lambda_factor_;
  ConsensusVariable x_, y_, z_;
  RestartedMomentum momentum_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> inner_, outer_;
  AgentMatrix fy_, gy_y_, gy_z_, fx_, gx_y_, gx_z_;

  // At (x, y, z): fy, gy(y), gy(z); fx, gx(y), gx(z); or the latter three, then the first.
  Oracle lower_gradients_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], nullptr, out[0]}});
    problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[1]}, {*at[0], *at[2], nullptr, out[2]}});
  };
  Oracle upper_gradients_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], nullptr}});
    problem_.grad_g(sample, {{*at[0], *at[1], out[1], nullptr}, {*at[0], *at[2], out[2], nullptr}});
  };
  Oracle all_gradients_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[3]}});
    problem_.grad_g(sample, {{*at[0], *at[1], out[1], out[4]}, {*at[0], *at[2], out[2], out[5]}});
  };
};

class F2sa final : public Method {
 public:
  F2sa(const MethodContext& context, const F2saOptions& options) {
    paths_.push_back(std::make_unique<PenaltyPath>(context, options, 1.0));
    if (!options.richardson) return;
    paths_.push_back(std::make_unique<PenaltyPath>(context, options, 2.0));
    x_ = AgentMatrix(context.problem.upper_dimension(), context.network.agents().count());
    y_ = AgentMatrix(context.problem.lower_dimension(), context.network.agents().count());
  }

  void iterate(std::uint64_t k) override {
    for (auto& path : paths_) path->iterate(k);
  }

  const AgentView& x() override {
    if (paths_.size() == 1) return paths_[0]->x();
    x_ = 2 * paths_[1]->x().value() - paths_[0]->x().value();
    return x_;
  }
  const AgentView& y() override {
    if (paths_.size() == 1) return paths_[0]->y();
    y_ = 2 * paths_[1]->y().value() - paths_[0]->y().value();
    return y_;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("lambda", *paths_[0]);
    if (paths_.size() > 1) visitor.within("two_lambda", *paths_[1]);
  }

 private:
  std::vector<std::unique_ptr<PenaltyPath>> paths_;
  AgentMatrix x_, y_;  // extrapolated, only with Richardson
};

constexpr const char* formula =
    "T times: z <- z - gamma gy(x,z), y <- y - beta (fy(x,y)/lambda + gy(x,y)); "
    "x <- x - alpha (fx(x,y) + lambda (gx(x,y) - gx(x,z)))";

}  // namespace

MethodEntry f2sa_entry() {
  MethodEntry entry{
      .name = "f2sa",
      .summary = "fully first-order, penalty growing with the iterations",
      .formula = formula,
      .reference = "J. Kwon, D. Kwon, S. Wright, R. Nowak, ICML 2023, arXiv:2301.10945",
      .assumes = "lower level strongly convex; x is biased by about 1 / lambda",
      .fails = "reports f below the optimum, since y is not feasible; too few inner steps add bias",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<F2sa>(entry, F2saOptions{});
  return entry;
}

MethodEntry f2ba_entry() {
  MethodEntry entry = f2sa_entry();
  entry.name = "f2ba";
  entry.summary = "fully first-order, large fixed penalty and more inner steps";
  entry.reference = "L. Chen, Y. Ma, J. Zhang, JMLR 2025, arXiv:2306.14853";
  F2saOptions options;
  options.inner_steps = 20;
  options.alpha = 0.2;
  options.lambda = 100;
  options.lambda_increment = 0;
  bind<F2sa>(entry, options);
  return entry;
}

MethodEntry accf2ba_entry() {
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
  bind<F2sa>(entry, options);
  return entry;
}

MethodEntry f3sa_entry() {
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
  bind<F2sa>(entry, options);
  return entry;
}

}  // namespace echelon::detail

#include <cmath>

#include "entries.hpp"

namespace echelon::detail {

namespace {

struct MehaOptions {
  double alpha = 0.1;
  double beta = 0.1;
  double gamma = 0.1;
  double smoothing = 1;
  double lambda = 2;
  double lambda_exponent = 0.48;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y");
    visitor("gamma", gamma, at_least(0), "step of theta");
    visitor("smoothing", smoothing, above(0),
            "gamma of the Moreau envelope min over u of g(x, u) + |u - y|^2 / 2 gamma");
    visitor("lambda", lambda, above(0),
            "penalty weight c at k = 0, which divides f; the bias of x is about 1 / c");
    visitor("lambda_exponent", lambda_exponent, {.low = 0, .high = 0.5, .high_open = true},
            "e in lambda (k + 1)^e");
    schedule.visit(visitor);
  }

  MethodCost cost() const { return {.auxiliary_steps = 1, .gradients = 6}; }

  double penalty(std::uint64_t k) const {
    return lambda * std::pow(static_cast<double>(k) + 1, lambda_exponent);
  }
};

/// Penalty on the gap to the Moreau envelope of a lower level g = g_s + r, r with a proximal map.
/// Single loop, Gauss-Seidel; c = lambda (k + 1)^e, theta starts at y:
///
///     theta <- prox_{gamma r(x,.)}(theta - gamma (grad_y g_s(x, theta) + (theta - y) / smoothing))
///     x     <- x - alpha (grad_x f(x, y) / c + grad_x g(x, y) - grad_x g(x, theta))
///     y     <- prox_{beta r(x,.)}(y - beta (grad_y f(x, y) / c + grad_y g_s(x, y) - (y - theta) /
///     smoothing))
class Meha final : public Method {
 public:
  Meha(const MethodContext& context, const MehaOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        theta_(context.lower_copy("theta")),
        p_(problem_.upper_dimension()),
        q_(problem_.lower_dimension()),
        m_(context.network.agents().count()),
        theta_estimator_(context.make_estimator({q_})),
        x_estimator_(context.make_estimator({p_, p_, p_})),
        y_estimator_(context.make_estimator({q_, q_})),
        fx_(p_, m_),
        gx_y_(p_, m_),
        gx_theta_(p_, m_),
        fy_(q_, m_),
        gy_(q_, m_) {
    if (!problem_.has_nonsmooth_term()) return;
    y_.require_mappable("the lower level has a proximal map");
    theta_.require_mappable("the lower level has a proximal map");
  }

  void iterate(std::uint64_t k) override {
    const double c = options_.penalty(k);
    const double lower = options_.schedule.lower(k);
    step_theta(k, options_.gamma * lower);
    step_x(k, options_.alpha * options_.schedule.upper(k), c);
    step_y(k, options_.beta * lower, c);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("theta", theta_);
    visitor.within("theta_estimator", *theta_estimator_);
    visitor.within("x_estimator", *x_estimator_);
    visitor.within("y_estimator", *y_estimator_);
  }

 private:
  void step_theta(std::uint64_t k, double step) {
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
    };
    theta_estimator_->estimate({.iteration = k, .step = 0}, {&x_.value(), &theta_.value()}, oracle,
                               {&gy_});
    theta_.descend(step, gy_ + (theta_.value() - y_.value()) / options_.smoothing);
    take_prox(theta_, step);
  }

  void step_x(std::uint64_t k, double step, double c) {
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(sample, {{*at[0], *at[1], out[0], nullptr}});
      problem_.grad_g(sample,
                      {{*at[0], *at[1], out[1], nullptr}, {*at[0], *at[2], out[2], nullptr}});
    };
    x_estimator_->estimate({.iteration = k, .step = 1}, {&x_.value(), &y_.value(), &theta_.value()},
                           oracle, {&fx_, &gx_y_, &gx_theta_});
    x_.descend(step, fx_ / c + gx_y_ - gx_theta_);
  }

  void step_y(std::uint64_t k, double step, double c) {
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(sample, {{*at[0], *at[1], nullptr, out[0]}});
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[1]}});
    };
    y_estimator_->estimate({.iteration = k, .step = 2}, {&x_.value(), &y_.value()}, oracle,
                           {&fy_, &gy_});
    y_.descend(step, fy_ / c + gy_ - (y_.value() - theta_.value()) / options_.smoothing);
    take_prox(y_, step);
  }

  /// Of step r(x, .) at each agent's own x.
  void take_prox(ConsensusVariable& variable, double step) {
    if (!problem_.has_nonsmooth_term()) return;
    const AgentView& x = x_;
    variable.map([&](int i, ConsensusVariable::Vector column) {
      problem_.lower_prox(step, ConstVector(x.data() + i * x.outerStride(), x.rows()), column);
    });
  }

  BilevelProblem& problem_;
  MehaOptions options_;
  ConsensusVariable x_, y_, theta_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> theta_estimator_, x_estimator_, y_estimator_;
  AgentMatrix fx_, gx_y_, gx_theta_, fy_, gy_;
};

}  // namespace

static MethodEntry meha_entry() {
  MethodEntry entry{
      .name = "meha",
      .summary = "single loop on a Moreau envelope; lower levels with a proximal map",
      .formula =
          "theta <- prox(theta - gamma (gy(x,theta) + (theta - y)/s));  "
          "x <- x - alpha (fx/c + gx(x,y) - gx(x,theta));  "
          "y <- prox(y - beta (fy/c + gy(x,y) - (y - theta)/s));  c = lambda (k + 1)^e",
      .reference = "R. Liu, Z. Liu, W. Yao, S. Zeng, J. Zhang, ICML 2024, arXiv:2405.09927",
      .assumes =
          "lower level smooth plus a weakly convex term, 1 / smoothing above twice its weak "
          "convexity; x is biased by about 1 / c",
      .fails =
          "where the lower level is not convex, only stationarity is certified; freezes where the "
          "nonsmooth term holds all of y at a kink",
      .serves = {.set = true, .nonsmooth = true},
      .uses_products = false,
      .means_first = false};
  bind<Meha>(entry, MehaOptions{});
  return entry;
}

std::vector<MethodEntry> meha_parts() {
  return {meha_entry()};
}

}  // namespace echelon::detail

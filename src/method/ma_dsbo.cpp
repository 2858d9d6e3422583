#include "entries.hpp"
#include "moving_average.hpp"
#include "products.hpp"

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

  MethodCost cost() const {
    const auto y_steps = static_cast<double>(inner_steps);
    const auto v_steps = static_cast<double>(solver_steps);
    MethodCost cost{
        .y_steps = y_steps, .auxiliary_steps = v_steps, .gradients = y_steps + v_steps + 1};
    products.add_to(cost, v_steps + 1);
    return cost;
  }
};

/// Two inner loops that agents walk together, then one step of x; H = d2g/dy2, J = d2g/dydx:
///
///     K times:  y <- y - beta grad_y g(x, y)
///     N times:  v <- v - gamma (H(x, y) v - grad_y f(x, y))
///     r <- (1 - theta) r + theta (grad_x f(x, y) - J(x, y)'v);    x <- x - alpha r
///
/// y and v go on from their last values. Samples are fresh in each inner step.
class MaDsbo final : public Method {
 public:
  MaDsbo(const MethodContext& context, const MaDsboOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        v_(context.auxiliary_variable("v", VectorXd::Zero(context.problem.lower_dimension()))),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        lower_estimator_(context.make_estimator({q_})),
        system_estimator_(context.make_estimator({q_, q_})),
        upper_estimator_(context.make_estimator({p_, p_})),
        average_(options.average, p_, m_, context.participation),
        gy_(q_, m_),
        fy_(q_, m_),
        hv_(q_, m_),
        fx_(p_, m_),
        jv_(p_, m_),
        direction_(p_, m_) {}

  void iterate(std::uint64_t k) override {
    const auto y_steps = static_cast<std::uint32_t>(options_.inner_steps);
    const auto v_steps = static_cast<std::uint32_t>(options_.solver_steps);
    const double lower = options_.schedule.lower(k);
    if (!options_.carry_trackers) {
      y_.forget();
      v_.forget();
    }
    for (std::uint32_t t = 0; t < y_steps; ++t) {
      lower_estimator_->estimate({.iteration = k, .step = t}, {&x_.value(), &y_.value()},
                                 lower_gradient_, {&gy_});
      y_.descend(options_.beta * lower, gy_);
    }
    for (std::uint32_t t = 0; t < v_steps; ++t) {
      system_estimator_->estimate({.iteration = k, .step = y_steps + t},
                                  {&x_.value(), &y_.value(), &v_.value()}, system_, {&fy_, &hv_});
      v_.descend(options_.gamma * lower, hv_ - fy_);
    }
    upper_estimator_->estimate({.iteration = k, .step = y_steps + v_steps},
                               {&x_.value(), &y_.value(), &v_.value()}, upper_, {&fx_, &jv_});
    direction_ = fx_ - jv_;
    average_.apply(direction_);
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("v", v_);
    visitor.within("lower_estimator", *lower_estimator_);
    visitor.within("system_estimator", *system_estimator_);
    visitor.within("upper_estimator", *upper_estimator_);
    visitor.within("average", average_);
  }

 private:
  BilevelProblem& problem_;
  MaDsboOptions options_;
  Products products_;
  ConsensusVariable x_, y_, v_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> lower_estimator_, system_estimator_, upper_estimator_;
  MovingAverage average_;
  AgentMatrix gy_, fy_, hv_, fx_, jv_, direction_;

  Oracle lower_gradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
  };
  Oracle system_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], nullptr, out[0]}});
    products_(sample, {*at[0], *at[1], *at[2], out[1], nullptr});
  };
  Oracle upper_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], nullptr}});
    products_(sample, {*at[0], *at[1], *at[2], nullptr, out[1]});
  };
};

}  // namespace

MethodEntry ma_dsbo_entry() {
  MethodEntry entry{
      .name = "ma-dsbo",
      .summary = "inner loops on y and on the linear system, x along a moving average",
      .formula =
          "K times: y <- y - beta gy;  N times: v <- v - gamma (H v - fy);  "
          "r <- (1 - theta) r + theta (fx - J^T v);  x <- x - alpha r",
      .reference = "X. Chen, M. Huang, S. Ma, K. Balasubramanian, ICML 2023, arXiv:2210.12839",
      .assumes = "lower level strongly convex",
      .fails =
          "biased with gossip on agents that differ, and where trackers start anew at each x; "
          "stops "
          "at a wrong point where the lower level has more than one minimizer",
      .serves = {},
      .uses_products = true,
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<MaDsbo>(entry, MaDsboOptions{});
  return entry;
}

}  // namespace echelon::detail

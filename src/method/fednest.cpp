#include "entries.hpp"
#include "inverse.hpp"

namespace echelon::detail {

namespace {

struct FedNestOptions {
  std::int64_t inner_rounds = 3;
  std::int64_t local_steps = 5;
  std::int64_t upper_local_steps = 1;
  double alpha = 0.1;
  double beta = 0.2;
  InverseOptions inverse{.inverse = "neumann"};
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_rounds", inner_rounds, at_least(1), "rounds of y before each round of x (T)");
    visitor("local_steps", local_steps, at_least(1), "local steps of y in a round");
    visitor("upper_local_steps", upper_local_steps, at_least(1),
            "local steps of x in a round (tau)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about .5 / L_g");
    inverse.visit(visitor);
    products.visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto rounds = static_cast<double>(inner_rounds);
    const double lower_pairs = 2 * rounds * static_cast<double>(local_steps - 1);
    const double upper_pairs = 2 * static_cast<double>(upper_local_steps - 1);
    MethodCost cost{.y_steps = rounds,
                    .p_means = 2,
                    .q_means = 2 * rounds,
                    .q_exact = 1 + inverse.products() + (inverse.by_factors() ? 1 : 0),
                    .gradients = rounds + 1};
    products.add_to(cost, inverse.products() + 1);
    MethodCost local{.gradients = lower_pairs + upper_pairs};
    products.add_to(local, upper_pairs);
    cost.direct = {local.gradients, local.products};
    cost.count = inverse.count();
    return cost;
  }
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
class FedNest final : public Method {
 public:
  FedNest(const MethodContext& context, const FedNestOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        inverse_(context, options.inverse, products_),
        mean_(context),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        lower_means_(context.mean_tracker("lower_direction", {q_})),
        lower_changes_(context.mean_tracker("lower_change", {q_})),
        upper_means_(context.mean_tracker("upper_direction", {p_})),
        upper_changes_(context.mean_tracker("upper_change", {p_})),
        lower_estimator_(context.make_estimator({q_})),
        upper_estimator_(context.make_estimator({p_, p_, q_}, {}, true)),
        x_now_(p_, m_),
        y_now_(q_, m_),
        v_(q_, m_),
        solution_(q_, m_),
        gy_(q_, m_),
        gy_now_(q_, m_),
        fx_(p_, m_),
        jv_(p_, m_),
        fx_now_(p_, m_),
        jv_now_(p_, m_) {}

  void iterate(std::uint64_t k) override {
    const auto rounds = static_cast<std::uint32_t>(options_.inner_rounds);
    for (std::uint32_t round = 0; round < rounds; ++round) lower_round(k, round);
    upper_round(k, rounds * static_cast<std::uint32_t>(options_.local_steps));
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("lower_means", lower_means_);
    visitor.within("lower_changes", lower_changes_);
    visitor.within("upper_means", upper_means_);
    visitor.within("upper_changes", upper_changes_);
    visitor.within("lower_estimator", *lower_estimator_);
    visitor.within("upper_estimator", *upper_estimator_);
  }

 private:
  void lower_round(std::uint64_t k, std::uint32_t round) {
    const auto steps = static_cast<std::uint32_t>(options_.local_steps);
    const double beta = options_.beta * options_.schedule.lower(k);
    lower_estimator_->estimate({.iteration = k, .step = round * steps}, {&x_.value(), &y_.value()},
                               lower_gradient_, {&gy_});
    lower_means_.component(0) = gy_;
    lower_means_.update();
    const AgentView mean = lower_means_.mean(0);
    y_now_ = y_.value() - beta * mean;
    for (std::uint32_t t = 1; t < steps; ++t) {
      problem_.grad_g({.iteration = k, .step = round * steps + t},
                      {{x_, y_, nullptr, &gy_}, {x_, y_now_, nullptr, &gy_now_}});
      y_now_ -= beta * (gy_now_ - gy_ + mean);
    }
    lower_changes_.component(0) = y_.value() - y_now_;
    lower_changes_.update();
    y_.descend(1, lower_changes_.mean(0));
  }

  void upper_round(std::uint64_t k, std::uint32_t first_step) {
    const auto steps = static_cast<std::uint32_t>(options_.upper_local_steps);
    const double alpha = options_.alpha * options_.schedule.upper(k);
    upper_estimator_->estimate({.iteration = k, .step = first_step}, {&x_.value(), &y_.value()},
                               hypergradient_, {&fx_, &jv_, &v_});
    upper_means_.component(0) = fx_ - jv_;
    upper_means_.update();
    const AgentView mean = upper_means_.mean(0);
    x_now_ = x_.value() - alpha * mean;
    for (std::uint32_t t = 1; t < steps; ++t) {
      const Sample sample{.iteration = k, .step = first_step + t};
      direction(sample, x_, fx_, jv_);
      direction(sample, x_now_, fx_now_, jv_now_);
      x_now_ -= alpha * (fx_now_ - jv_now_ - fx_ + jv_ + mean);
    }
    upper_changes_.component(0) = x_.value() - x_now_;
    upper_changes_.update();
    x_.descend(1, upper_changes_.mean(0));
  }

  void direction(const Sample& sample, const AgentView& x, AgentMatrix& fx, AgentMatrix& jv) {
    problem_.grad_f(sample, {{x, y_, &fx, nullptr}});
    products_(sample, {x, y_, v_, nullptr, &jv});
  }

  BilevelProblem& problem_;
  FedNestOptions options_;
  Products products_;
  ConsensusVariable x_, y_;
  InverseHessian inverse_;
  ExactMean mean_;
  Index p_, q_;
  int m_;
  MeanTracker lower_means_, lower_changes_, upper_means_, upper_changes_;
  std::unique_ptr<GradientEstimator> lower_estimator_, upper_estimator_;
  AgentMatrix x_now_, y_now_, v_, solution_, gy_, gy_now_, fx_, jv_, fx_now_, jv_now_;

  Oracle lower_gradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
  };
  /// Writes fx, J'v and v. Collective.
  Oracle hypergradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], &solution_}});
    mean_(solution_);
    inverse_.apply(sample, *at[0], *at[1], solution_);
    products_(sample, {*at[0], *at[1], solution_, nullptr, out[1]});
    *out[2] = solution_;
  };
};

}  // namespace

static MethodEntry fednest_entry() {
  MethodEntry entry{
      .name = "fednest",
      .summary =
          "nested rounds of local steps with variance reduction toward the mean of all agents, and "
          "a Neumann series of their mean Hessian",
      .formula =
          "T rounds: gbar = mean gy(y), local y_{t+1} = y_t - beta (gy(y_t) - gy(y) + gbar), "
          "y <- mean;  v = eta sum (I - eta H)^j fy;  the same for x along D = fx - J^T v",
      .reference = "D. Tarzanagh, M. Li, C. Thrampoulidis, S. Oymak, ICML 2022, arXiv:2205.02215",
      .assumes = "lower level strongly convex",
      .fails = "too few terms of the series are a bias: about (1 - eta mu)^Q of v is missing",
      .serves = {},
      .uses_products = true,
      .means_first = true};
  bind<FedNest>(entry, FedNestOptions{});
  return entry;
}

std::vector<MethodEntry> fednest_parts() {
  return {fednest_entry()};
}

}  // namespace echelon::detail

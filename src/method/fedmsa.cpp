#include <array>

#include "echelon/method/products.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct FedMsaOptions {
  double alpha = 0.05;
  double beta = 0.1;
  double gamma = 0.1;
  std::int64_t local_steps = 5;
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about .5 / L_g");
    visitor("gamma", gamma, at_least(0), "step of v; about .5 / L_g");
    visitor("local_steps", local_steps, at_least(1),
            "steps of a round; from the second on, agents follow changes of their own gradients");
    products.visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto pairs = 2 * static_cast<double>(local_steps - 1);  // not seen by the estimator
    MethodCost cost{.y_steps = 2, .p_means = 2, .q_means = 4, .gradients = 2};
    products.add_to(cost, 1, true);
    MethodCost local{.gradients = 2 * pairs};
    products.add_to(local, pairs, true);
    cost.direct = {local.gradients, local.products};
    return cost;
  }
};

/// Rounds of local steps from the server's direction. With S = (x, y, v), H = d2g/dy2, J =
/// d2g/dydx, and D(S) = (grad_x f - J'v, grad_y g, H v - grad_y f) of agent i:
///
///     d <- mean of all agents' D(S), each by its estimator (the paper's has momentum that follows
///     the point: STORM)
///     S_1 = S - a d;    t = 1 .. tau - 1:   d <- d + D(S_t) - D(S_{t-1});   S_{t+1} = S_t - a d
///     S <- mean of the agents' S_tau
///
/// a = (alpha, beta, gamma) for the three parts. Both means are those of
/// MethodContext::mean_tracker. At a point where the mean of D vanishes no agent moves, however
/// much agents differ.
class FedMsa final : public Method {
 public:
  FedMsa(const MethodContext& context, const FedMsaOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        v_(context.auxiliary_variable_of_means("v")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        direction_means_(context.mean_tracker("direction", {p_, q_, q_})),
        change_means_(context.mean_tracker("change", {p_, q_, q_})),
        estimator_(context.make_estimator({p_, q_, q_})),
        now_(parts()),
        last_(parts()),
        direction_(parts()),
        at_now_(parts()),
        at_last_(parts()),
        fy_(q_, m_),
        gx_(p_, m_),
        jv_(p_, m_) {}

  void iterate(std::uint64_t k) override {
    Parts& start = last_;
    start[0].copy_from(x_);
    start[1].copy_from(y_);
    start[2].copy_from(v_);
    find_server_direction(k);
    const double lower = options_.schedule.lower(k);
    const double steps[3] = {options_.alpha * options_.schedule.upper(k), options_.beta * lower,
                             options_.gamma * lower};
    walk(k, steps);
    for (std::size_t part = 0; part < 3; ++part) {
      const AgentView& from = part == 0 ? x_.value() : part == 1 ? y_.value() : v_.value();
      change_means_.component(part) = from - now_[part];
    }
    change_means_.update();
    x_.descend(1, change_means_.mean(0));
    y_.descend(1, change_means_.mean(1));
    v_.descend(1, change_means_.mean(2));
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("v", v_);
    visitor.within("direction_means", direction_means_);
    visitor.within("change_means", change_means_);
    visitor.within("estimator", *estimator_);
  }

 private:
  using Parts = std::array<AgentMatrix, 3>;  ///< of x, y, v

  Parts parts() const { return {AgentMatrix(p_, m_), AgentMatrix(q_, m_), AgentMatrix(q_, m_)}; }

  void find_server_direction(std::uint64_t k) {
    estimator_->estimate({.iteration = k}, {&x_.value(), &y_.value(), &v_.value()}, directions_,
                         {&direction_[0], &direction_[1], &direction_[2]});
    for (std::size_t part = 0; part < 3; ++part) {
      direction_means_.component(part) = direction_[part];
    }
    direction_means_.update();
    for (std::size_t part = 0; part < 3; ++part) {
      direction_[part] = direction_means_.mean(part);
    }
  }

  /// From `last_`, the start, to `now_`, where each agent's local steps end.
  void walk(std::uint64_t k, const double (&steps)[3]) {
    for (std::size_t part = 0; part < 3; ++part) {
      now_[part] = last_[part] - steps[part] * direction_[part];
    }
    const auto local_steps = static_cast<std::uint32_t>(options_.local_steps);
    for (std::uint32_t t = 1; t < local_steps; ++t) {
      const Sample sample{.iteration = k, .step = t};
      evaluate(sample, now_, at_now_);
      evaluate(sample, last_, at_last_);
      for (std::size_t part = 0; part < 3; ++part) {
        direction_[part] += at_now_[part] - at_last_[part];
        swap(last_[part], now_[part]);
        now_[part] = last_[part] - steps[part] * direction_[part];
      }
    }
  }

  void evaluate(const Sample& sample, const Parts& at, Parts& out) {
    const AgentView* const point[] = {&at[0], &at[1], &at[2]};
    AgentView* const outputs[] = {&out[0], &out[1], &out[2]};
    directions_(sample, point, outputs);
  }

  BilevelProblem& problem_;
  FedMsaOptions options_;
  Products products_;
  ConsensusVariable x_, y_, v_;
  Index p_, q_;
  int m_;
  MeanTracker direction_means_, change_means_;
  std::unique_ptr<GradientEstimator> estimator_;
  Parts now_, last_, direction_, at_now_, at_last_;
  AgentMatrix fy_, gx_, jv_;

  /// D at (x, y, v).
  Oracle directions_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    const bool forward = options_.products.forward();
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], &fy_}});
    problem_.grad_g(sample, {{*at[0], *at[1], forward ? &gx_ : nullptr, out[1]}});
    products_(sample, {*at[0], *at[1], *at[2], out[2], &jv_, &gx_, out[1]});
    parallel_for(m_, [&](int i) {
      out[0]->col(i) -= jv_.col(i);
      out[2]->col(i) -= fy_.col(i);
    });
  };
};

}  // namespace

static MethodEntry fedmsa_entry() {
  MethodEntry entry{
      .name = "fedmsa",
      .summary =
          "rounds of local steps on the linear system that start along the mean direction of all "
          "agents and follow changes of the agents' own gradients",
      .formula =
          "D = (fx - J^T v, gy, H v - fy) at S = (x,y,v);  d <- mean D(S);  S_1 = S - a d;  "
          "tau - 1 times: d <- d + D(S_t) - D(S_{t-1}), S_{t+1} = S_t - a d;  S <- mean S_tau",
      .reference = "D. A. Tarzanagh, M. Li, P. Sharma, S. Oymak, 2023, arXiv:2306.01648",
      .assumes = "lower level strongly convex",
      .fails = "stops at a wrong point where the lower level has more than one minimizer",
      .serves = {},
      .uses_products = true,
      .means_first = true};
  bind<FedMsa>(entry, FedMsaOptions{});
  return entry;
}

std::vector<MethodEntry> fedmsa_parts() {
  return {fedmsa_entry()};
}

}  // namespace echelon::detail

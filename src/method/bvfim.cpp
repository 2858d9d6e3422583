#include <algorithm>
#include <cmath>

#include "adam.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct BvfimOptions {
  std::int64_t z_steps = 50;
  std::int64_t y_steps = 25;
  double alpha = 0.01;
  double beta = 0.01;
  double gamma = 0.01;
  double mu = 0.01;
  double theta = 0.01;
  double sigma = 0.001;
  double slack = 0;
  double bound = 1;
  std::string decay = "geometric";
  AdamOptions adam;

  void visit(OptionVisitor& visitor) {
    visitor("z_steps", z_steps, at_least(1), "steps of z per iteration");
    visitor("y_steps", y_steps, at_least(1), "steps of y per iteration");
    visitor("alpha", alpha, at_least(0), "step of x by Adam, per entry and iteration");
    visitor("beta", beta, at_least(0), "step of y");
    visitor("gamma", gamma, at_least(0), "step of z");
    visitor("mu", mu, at_least(0), "weight of d_k |z|^2 in the value function");
    visitor("theta", theta, at_least(0), "weight of d_k |y|^2 in the loss of y");
    visitor("sigma", sigma, at_least(0), "weight of the barrier");
    visitor("slack", slack, at_least(0), "added to the value function");
    visitor("bound", bound, any_number(),
            "m: a known bound above -min g; y diverges if it is none");
    visitor.choice("decay", decay, {"geometric", "power", "harmonic", "logarithmic"},
                   "d_k = 1.1^-(k+1), (k+1)^-1.1, 1 / (1.1 (k+1)), or 1 / log(1.1 (k+2))");
    adam.visit(visitor);
  }

  MethodCost cost() const {
    const auto inner = static_cast<double>(z_steps);
    const auto outer = static_cast<double>(y_steps);
    return {.y_steps = outer,
            .auxiliary_steps = inner,
            .p_means = 1,
            .q_means = outer,
            .scalars_exact = 1,
            .gradients = inner + 2 * outer + 3,
            .values = 1};
  }

  /// d_k; the logarithmic one would start below 0 at k + 1 = 1.
  double regularization(std::uint64_t k) const {
    const double count = static_cast<double>(k) + 1;
    if (decay == "geometric") return std::pow(1.1, -count);
    if (decay == "power") return std::pow(count, -1.1);
    if (decay == "harmonic") return 1 / (1.1 * count);
    return 1 / std::log(1.1 * (count + 1));
  }
};

/// Barrier on the regularized value function, in the form of the released code, where the barrier's
/// argument has the value V + m + 1e-8 whatever y is:
///
///     repeat T_z times:  z <- z - gamma (grad_y g(x, z) + 2 mu d_k z)
///     V = mean g(x, z) + mu d_k |z|^2 + slack,        w = sigma d_k / (V + m + 1e-8)
///     repeat T_y times:  y <- y - beta mean (grad_y f + 2 theta d_k y + w grad_y g(x, y))
///     x <- x - alpha Adam(mean (grad_x f + w (grad_x g(x, y) - grad_x g(x, z))))
///
/// V is an exact mean: w has a pole at V = -m, which single agents' values may cross.
class Bvfim final : public Method {
 public:
  Bvfim(const MethodContext& context, const BvfimOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        z_(context.lower_copy("z")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        average_(context),
        value_(1, m_),
        y_direction_(context.mean_tracker("y_direction", {q_})),
        x_direction_(context.mean_tracker("x_direction", {p_})),
        z_estimator_(context.make_estimator({q_})),
        y_estimator_(context.make_estimator({q_, q_})),
        x_estimator_(context.make_estimator({p_, p_, p_})),
        adam_(options.adam, problem_.upper_set(), p_, m_),
        gy_z_(q_, m_),
        fy_(q_, m_),
        fx_(p_, m_),
        gx_z_(p_, m_),
        weight_(1, m_) {}

  void iterate(std::uint64_t k) override {
    const double d = options_.regularization(k);
    const auto z_steps = static_cast<std::uint32_t>(options_.z_steps);
    const auto y_steps = static_cast<std::uint32_t>(options_.y_steps);
    const Oracle lower_gradient = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
    };
    for (std::uint32_t t = 0; t < z_steps; ++t) {
      z_estimator_->estimate({.iteration = k, .step = t}, {&x_.value(), &z_.value()},
                             lower_gradient, {&gy_z_});
      z_.descend(options_.gamma, gy_z_ + 2 * options_.mu * d * z_.value());
    }
    find_weight({.iteration = k, .step = z_steps}, d);
    for (std::uint32_t t = 0; t < y_steps; ++t) {
      step_y({.iteration = k, .step = z_steps + 1 + t}, d);
    }
    step_x(k, {.iteration = k, .step = z_steps + 1 + y_steps});
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("z", z_);
    visitor.within("y_direction", y_direction_);
    visitor.within("x_direction", x_direction_);
    visitor.within("z_estimator", *z_estimator_);
    visitor.within("y_estimator", *y_estimator_);
    visitor.within("x_estimator", *x_estimator_);
    visitor.within("adam", adam_);
  }

 private:
  void find_weight(const Sample& sample, double d) {
    problem_.values(Level::lower, sample, x_, z_, value_);
    parallel_for(m_, [&](int i) {
      value_(0, i) += options_.mu * d * z_.value().col(i).squaredNorm() + options_.slack;
    });
    average_(value_);
    parallel_for(m_, [&](int i) {
      const double above = std::max(value_(0, i) + options_.bound, 0.0);
      weight_(0, i) = options_.sigma * d / (above + 1e-8);
    });
  }

  void step_y(const Sample& sample, double d) {
    AgentView dy = y_direction_.component(0);
    const Oracle gradients = [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(drawn, {{*at[0], *at[1], nullptr, out[0]}});
      problem_.grad_g(drawn, {{*at[0], *at[1], nullptr, out[1]}});
    };
    y_estimator_->estimate(sample, {&x_.value(), &y_.value()}, gradients, {&fy_, &dy});
    parallel_for(m_, [&](int i) {
      dy.col(i) =
          fy_.col(i) + 2 * options_.theta * d * y_.value().col(i) + weight_(0, i) * dy.col(i);
    });
    y_direction_.update();
    y_.descend(options_.beta, y_direction_.mean(0));
  }

  void step_x(std::uint64_t k, const Sample& sample) {
    AgentView dx = x_direction_.component(0);
    const Oracle gradients = [&](const Sample& drawn, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(drawn, {{*at[0], *at[1], out[0], nullptr}});
      problem_.grad_g(drawn,
                      {{*at[0], *at[1], out[1], nullptr}, {*at[0], *at[2], out[2], nullptr}});
    };
    x_estimator_->estimate(sample, {&x_.value(), &y_.value(), &z_.value()}, gradients,
                           {&fx_, &dx, &gx_z_});
    parallel_for(
        m_, [&](int i) { dx.col(i) = fx_.col(i) + weight_(0, i) * (dx.col(i) - gx_z_.col(i)); });
    x_direction_.update();
    x_.descend(options_.alpha, adam_.direction(k, x_direction_.mean(0), x_));
  }

  BilevelProblem& problem_;
  BvfimOptions options_;
  ConsensusVariable x_, y_, z_;
  Index p_, q_;
  int m_;
  ExactMean average_;
  AgentMatrix value_;
  MeanTracker y_direction_, x_direction_;
  std::unique_ptr<GradientEstimator> z_estimator_, y_estimator_, x_estimator_;
  Adam adam_;
  AgentMatrix gy_z_, fy_, fx_, gx_z_, weight_;
};

}  // namespace

static MethodEntry bvfim_entry() {
  MethodEntry entry{
      .name = "bvfim",
      .summary = "barrier on a regularized value function; a baseline, for nonconvex lower levels",
      .formula =
          "T_z times: z <- z - gamma (gy(x,z) + 2 mu d_k z);  V = g(x,z) + mu d_k |z|^2, "
          "w = sigma d_k / (V + m);  T_y times: y <- y - beta (fy + 2 theta d_k y + w gy);  "
          "x by Adam along fx + w (gx(x,y) - gx(x,z))",
      .reference = "R. Liu, X. Liu, X. Yuan, S. Zeng, J. Zhang, ICML 2021, arXiv:2106.07991",
      .assumes = "a bound of the lower level is known; no answer is guaranteed",
      .fails =
          "the weight of the lower level vanishes with d_k unless the bound is tight: ends "
          "near the minimizer of f alone",
      .serves = {},
      .uses_products = false,
      .means_first = true};
  bind<Bvfim>(entry, BvfimOptions{});
  return entry;
}

std::vector<MethodEntry> bvfim_parts() {
  return {bvfim_entry()};
}

}  // namespace echelon::detail

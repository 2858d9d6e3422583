#include <cmath>

#include "entries.hpp"

namespace echelon::detail {

namespace {

struct MoreauOptions {
  double alpha = 0.02;
  double beta = 0.1;
  double gamma = 0.1;
  double mu = 0.01;
  double mu_exponent = 0;
  double smoothing = 1;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0),
            "step of x; it takes about 1 / (alpha mu) iterations, so raise it as mu falls");
    visitor("beta", beta, at_least(0), "step of y");
    visitor("gamma", gamma, at_least(0), "step of theta");
    visitor("mu", mu, above(0), "weight of f; the bias of x is about mu");
    visitor("mu_exponent", mu_exponent, {.low = 0, .high = 0.5, .high_open = true},
            "e in mu (k + 1)^-e");
    visitor("smoothing", smoothing, above(0),
            "gamma of the Moreau envelope min over u of g(x, u) + |u - y|^2 / 2 gamma");
    schedule.visit(visitor);
  }

  MethodCost cost() const { return {.auxiliary_steps = 1, .gradients = 3}; }

  double weight(std::uint64_t k) const {
    return mu * std::pow(static_cast<double>(k) + 1, -mu_exponent);
  }
};

/// Descends mu f + g - (Moreau envelope of g). Single loop, Jacobi, theta starts at y:
///
///     theta <- theta - gamma (grad_y g(x, theta) + (theta - y) / smoothing)
///     x     <- x - alpha (mu grad_x f(x, y) + grad_x g(x, y) - grad_x g(x, theta))
///     y     <- y - beta (mu grad_y f(x, y) + grad_y g(x, y) - (y - theta) / smoothing)
class Moreau final : public Method {
 public:
  Moreau(const MethodContext& context, const MoreauOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        theta_(context.lower_copy("theta")),
        p_(problem_.upper_dimension()),
        q_(problem_.lower_dimension()),
        m_(context.network.agents().count()),
        estimator_(context.make_estimator({p_, q_, p_, q_, p_, q_})),
        fx_(p_, m_),
        fy_(q_, m_),
        gx_y_(p_, m_),
        gy_y_(q_, m_),
        gx_theta_(p_, m_),
        gy_theta_(q_, m_),
        pull_(q_, m_) {}

  void iterate(std::uint64_t k) override {
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
      problem_.grad_g(sample, {{*at[0], *at[1], out[2], out[3]}, {*at[0], *at[2], out[4], out[5]}});
    };
    estimator_->estimate({.iteration = k}, {&x_.value(), &y_.value(), &theta_.value()}, oracle,
                         {&fx_, &fy_, &gx_y_, &gy_y_, &gx_theta_, &gy_theta_});
    const double mu = options_.weight(k);
    const double lower = options_.schedule.lower(k);
    pull_ = (y_.value() - theta_.value()) / options_.smoothing;
    theta_.descend(options_.gamma * lower, gy_theta_ - pull_);
    x_.descend(options_.alpha * options_.schedule.upper(k), mu * fx_ + gx_y_ - gx_theta_);
    y_.descend(options_.beta * lower, mu * fy_ + gy_y_ - pull_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("theta", theta_);
    visitor.within("estimator", *estimator_);
  }

 private:
  BilevelProblem& problem_;
  MoreauOptions options_;
  ConsensusVariable x_, y_, theta_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> estimator_;
  AgentMatrix fx_, fy_, gx_y_, gy_y_, gx_theta_, gy_theta_, pull_;
};

}  // namespace

MethodEntry moreau_entry() {
  MethodEntry entry{
      .name = "moreau",
      .summary = "single loop on a Moreau envelope, small fixed weight of f",
      .formula =
          "theta <- theta - gamma (gy(x,theta) + (theta - y)/s);  "
          "x <- x - alpha (mu fx + gx(x,y) - gx(x,theta));  "
          "y <- y - beta (mu fy + gy(x,y) - (y - theta)/s)",
      .reference = "Y. Ma, X. Wang, W. Yao, J. Zhang, 2026, arXiv:2601.22682 (SUN-DSBO)",
      .assumes = "neither level convex; x is biased by about mu",
      .fails =
          "slow in x where mu is small: about 1 / (alpha mu) iterations; drifts beside the answer "
          "of a bilinear game",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<Moreau>(entry, MoreauOptions{});
  return entry;
}

}  // namespace echelon::detail

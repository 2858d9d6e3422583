#include <memory>
#include <vector>

#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct PzoboOptions {
  std::int64_t inner_steps = 10;
  double alpha = 0.02;
  double beta = 0.5;
  double mu = 0.01;
  std::int64_t directions = 10;
  bool warm_start = true;
  StepSchedule schedule;
  bool by_values = false;  ///< hozog

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y in each iteration (N)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about .5 / L_g");
    visitor("mu", mu, above(0), "length of the perturbations of x; bias and noise grow with it");
    visitor("directions", directions, at_least(1),
            "random directions in each iteration (Q); the variance is about p / Q");
    visitor("warm_start", warm_start,
            "y goes on from the last iteration, instead of starting anew where the problem says");
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto runs = static_cast<double>(directions + 1);
    const auto lower = runs * static_cast<double>(inner_steps);
    return {.y_steps = 0,
            .q_exact = lower,
            .gradients = by_values ? lower : lower + 1,
            .values = by_values ? runs : 0};
  }
};

/// The response of y to x, from runs of the lower level's solver at perturbed x: all start at the
/// same y and see the same samples.
///
///     u_j ~ N(0, I), j = 1 .. Q, the same for all agents;  u_0 = 0
///     y_j = N steps  y <- P(y - beta mean grad_y g(x + mu u_j, y))  from y,  j = 0 .. Q
///     pzobo:  D = grad_x f(x, y_0) + 1/Q sum_j <(y_j - y_0) / mu, grad_y f(x, y_0)> u_j
///     hozog:  D = 1/Q sum_j (f(x + mu u_j, y_j) - f(x, y_0)) / mu u_j
///     x <- x - alpha D,   y <- y_0
class Pzobo final : public Method {
 public:
  Pzobo(const MethodContext& context, const PzoboOptions& options)
      : problem_(context.problem),
        options_(options),
        seed_(context.seed),
        p_(problem_.upper_dimension()),
        q_(problem_.lower_dimension()),
        m_(context.network.agents().count()),
        mean_(context),
        x_(context.upper_variable("x")),
        given_start_(problem_.start_y()),
        y_(q_, m_),
        start_(q_, m_),
        estimator_(context.make_estimator({p_}, {p_, q_}, true)),
        gradients_(q_ * (options.directions + 1), m_),
        direction_(p_, m_),
        fy_(q_, m_),
        value_(1, m_),
        base_value_(1, m_),
        u_(p_, options.directions) {
    problem_.lower_set().project(given_start_);
    y_.colwise() = given_start_;
    for (std::int64_t j = 0; j <= options_.directions; ++j) {
      runs_.push_back({AgentMatrix(p_, m_), AgentMatrix(q_, m_), AgentMatrix(q_, m_)});
    }
  }

  void iterate(std::uint64_t k) override {
    draw_directions(k);
    beta_ = options_.beta * options_.schedule.lower(k);
    if (options_.warm_start) {
      start_.copy_from(y_);
    } else {
      start_.colwise() = given_start_;
    }
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      differentiate(sample, *at[0], *at[1], *out[0]);
      const bool now = at[0] == &x_.value();  // estimators may ask at earlier points too
      if (now) y_.copy_from(runs_[0].y);
    };
    estimator_->estimate({.iteration = k}, {&x_.value(), &start_}, oracle, {&direction_});
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.per_agent("y", y_);
    visitor.within("estimator", *estimator_);
  }

 private:
  struct Run {
    AgentMatrix x, y, gy;
  };

  void draw_directions(std::uint64_t k) {
    for (Index j = 0; j < u_.cols(); ++j) {
      Draws draws(seed_, Purpose::perturbation, 0, k, static_cast<std::uint64_t>(j));
      for (Index i = 0; i < p_; ++i) u_(i, j) = draws.normal();
    }
  }

  void differentiate(const Sample& sample, const AgentView& x, const AgentView& start,
                     AgentView& direction) {
    for (std::size_t j = 0; j < runs_.size(); ++j) {
      runs_[j].x.copy_from(x);
      if (j > 0) runs_[j].x.colwise() += options_.mu * u_.col(static_cast<Index>(j) - 1);
      runs_[j].y.copy_from(start);
    }
    Sample drawn = sample;
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    for (drawn.step = 0; drawn.step < steps; ++drawn.step) step_lower(drawn);
    if (options_.by_values) {
      differentiate_values(drawn, direction);
    } else {
      differentiate_response(drawn, direction);
    }
  }

  /// One step of all runs; their gradients travel in one message.
  void step_lower(const Sample& sample) {
    std::vector<EvaluationPoint> points;
    for (Run& run : runs_) points.push_back({run.x, run.y, nullptr, &run.gy});
    problem_.grad_g(sample, points);
    const auto block = [&](std::size_t j) {
      return gradients_.middleRows(static_cast<Index>(j) * q_, q_);
    };
    for (std::size_t j = 0; j < runs_.size(); ++j) block(j) = runs_[j].gy;
    mean_(gradients_);
    for (std::size_t j = 0; j < runs_.size(); ++j) {
      AgentMatrix& y = runs_[j].y;
      y -= beta_ * block(j);
      parallel_for(m_, [&](int i) { problem_.lower_set().project(y.col(i)); });
    }
  }

  void differentiate_response(const Sample& sample, AgentView& direction) {
    const Run& base = runs_[0];
    problem_.grad_f(sample, {{base.x, base.y, &direction, &fy_}});
    const double factor = 1 / (options_.mu * static_cast<double>(options_.directions));
    parallel_for(m_, [&](int i) {
      for (Index j = 0; j < u_.cols(); ++j) {
        const AgentMatrix& moved = runs_[static_cast<std::size_t>(j) + 1].y;
        const double slope = (moved.col(i) - base.y.col(i)).dot(fy_.col(i));
        direction.col(i) += factor * slope * u_.col(j);
      }
    });
  }

  void differentiate_values(const Sample& sample, AgentView& direction) {
    problem_.values(Level::upper, sample, runs_[0].x, runs_[0].y, base_value_);
    direction.setZero();
    const double factor = 1 / (options_.mu * static_cast<double>(options_.directions));
    for (Index j = 0; j < u_.cols(); ++j) {
      const Run& run = runs_[static_cast<std::size_t>(j) + 1];
      problem_.values(Level::upper, sample, run.x, run.y, value_);
      parallel_for(m_, [&](int i) {
        direction.col(i) += factor * (value_(0, i) - base_value_(0, i)) * u_.col(j);
      });
    }
  }

  BilevelProblem& problem_;
  PzoboOptions options_;
  std::uint64_t seed_;
  Index p_, q_;
  int m_;
  ExactMean mean_;
  ConsensusVariable x_;
  VectorXd given_start_;
  AgentMatrix y_, start_;
  std::unique_ptr<GradientEstimator> estimator_;
  double beta_ = 0;        ///< of this iteration
  std::vector<Run> runs_;  ///< at x, then at the perturbed ones
  AgentMatrix gradients_;  ///< of all runs, one below the other
  AgentMatrix direction_, fy_, value_, base_value_;
  Eigen::MatrixXd u_;
};

}  // namespace

static MethodEntry pzobo_entry() {
  MethodEntry entry{
      .name = "pzobo",
      .summary = "no second derivatives: the response of y to x from runs at perturbed x",
      .formula =
          "y_j = N lower steps at x + mu u_j from one y;  x <- x - alpha (fx(x,y_0) + "
          "1/Q sum_j <(y_j - y_0)/mu, fy(x,y_0)> u_j)",
      .reference = "D. Sow, K. Ji, Y. Liang, NeurIPS 2022, arXiv:2110.07004, algorithm 1",
      .assumes = "lower level strongly convex, few upper unknowns",
      .fails =
          "noise of variance about p / Q on x; stops at a wrong point where the lower level "
          "has more than one minimizer",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = false};
  bind<Pzobo>(entry, PzoboOptions{});
  return entry;
}

static MethodEntry hozog_entry() {
  MethodEntry entry = pzobo_entry();
  entry.name = "hozog";
  entry.summary = "no gradients of f: F is differentiated by its values at perturbed x";
  entry.formula =
      "y_j = N lower steps at x + mu u_j from one y;  x <- x - alpha/Q sum_j "
      "(f(x + mu u_j, y_j) - f(x, y_0))/mu u_j";
  entry.reference = "B. Gu, G. Liu, Y. Zhang, X. Geng, H. Huang, 2021, arXiv:2102.09026";
  PzoboOptions options;
  options.by_values = true;
  bind<Pzobo>(entry, options);
  return entry;
}

std::vector<MethodEntry> pzobo_parts() {
  return {pzobo_entry(), hozog_entry()};
}

}  // namespace echelon::detail

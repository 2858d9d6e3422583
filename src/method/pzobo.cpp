#include <deque>
#include <vector>

#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct PzoboOptions : NestedSteps {
  PzoboOptions() { alpha = 0.02, inner_steps = 10; }
  std::int64_t directions = 10;
  double mu = 0.01;
  bool warm_start = true, by_values = false;  ///< by_values: hozog

  void visit(OptionVisitor& visitor) {
    NestedSteps::visit(visitor);
    visitor("mu", mu, above(0), "length of the perturbations of x; bias and noise grow with it");
    visitor("directions", directions, at_least(1),
            "random directions in each iteration (Q); the variance is about p / Q");
    visitor("warm_start", warm_start,
            "y continues from the last iteration instead of starting where the problem says");
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
class Pzobo final : public ComposedMethod<PzoboOptions> {
 public:
  Pzobo(const MethodContext& its_context, const PzoboOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    problem.lower_set().project(given_start);
    y.colwise() = given_start;
    report_y(y);
  }

  void iterate(std::uint64_t k) override {
    for (Index j = 0; j < u.cols(); ++j) {
      Draws draws(context.seed, Purpose::perturbation, 0, k, static_cast<std::uint64_t>(j));
      for (Index i = 0; i < p; ++i) u(i, j) = draws.normal();
    }
    beta = options.lower(k);
    if (options.warm_start) {
      start = y;
    } else {
      start.colwise() = given_start;
    }
    estimate({.iteration = k});
    x.descend(options.upper(k), direction);
  }

 private:
  /// The solver at x (j = 0), or at the perturbed x.
  struct Run {
    Run(Index p, Index q, int m) : x(p, m), y(q, m) {}
    Block x, y;
    Gradient gy = dg_dy(x, y);
    Value f = value_of(Level::upper, x, y);
  };

  void differentiate(const Evaluation& call) {
    for (std::size_t j = 0; j < runs.size(); ++j) {
      runs[j].x = call.at(x);
      if (j > 0) runs[j].x.colwise() += options.mu * u.col(static_cast<Index>(j) - 1);
      runs[j].y = call.at(start);
    }
    for (std::int64_t t = 0; t < options.inner_steps; ++t) step_lower(call.at_step(t).sample());
    const Sample sample = call.at_step(options.inner_steps).sample();
    if (options.by_values) {
      differentiate_values(sample, call.into(direction));
    } else {
      differentiate_response(sample, call.into(direction));
    }
    if (call.is_here()) y = runs[0].y;
  }

  /// One step of all runs; their gradients travel in one message.
  void step_lower(const Sample& sample) {
    gradients(sample);
    const auto block = [&](std::size_t j) {
      return stacked.middleRows(static_cast<Index>(j) * q, q);
    };
    for (std::size_t j = 0; j < runs.size(); ++j) block(j) = runs[j].gy;
    mean(stacked);
    for (std::size_t j = 0; j < runs.size(); ++j) {
      runs[j].y -= beta * block(j);
      parallel_for(m, [&](int i) { problem.lower_set().project(runs[j].y.col(i)); });
    }
  }

  void differentiate_response(const Sample& sample, AgentView& into) {
    problem.grad_f(sample, {{runs[0].x, runs[0].y, &into, &fy}});
    parallel_for(m, [&](int i) {
      for (Index j = 0; j < u.cols(); ++j) {
        const Block& moved = runs[static_cast<std::size_t>(j) + 1].y;
        const double slope = (moved.col(i) - runs[0].y.col(i)).dot(fy.col(i));
        into.col(i) += factor * slope * u.col(j);
      }
    });
  }

  void differentiate_values(const Sample& sample, AgentView& into) {
    values(sample);
    parallel_for(m, [&](int i) {
      into.col(i).setZero();
      for (Index j = 0; j < u.cols(); ++j) {
        const Value& moved = runs[static_cast<std::size_t>(j) + 1].f;
        into.col(i) += factor * (moved(0, i) - runs[0].f(0, i)) * u.col(j);
      }
    });
  }

  std::deque<Run> all_runs() {
    std::deque<Run> result;
    for (std::int64_t j = 0; j <= options.directions; ++j) result.emplace_back(p, q, m);
    return result;
  }
  std::vector<Term*> terms(Term Run::*term) {
    std::vector<Term*> result;
    for (Run& run : runs) result.push_back(&(run.*term));
    return result;
  }

  const double factor = 1 / (options.mu * static_cast<double>(options.directions));
  double beta = 0;  ///< of this iteration
  Eigen::MatrixXd u{p, options.directions};
  VectorXd given_start = problem.start_y();
  Upper x{*this, "x"};
  Carried y{*this, "y", q};
  Block start{q, m}, direction{p, m}, fy{q, m};
  std::deque<Run> runs = all_runs();
  Block stacked{q * (options.directions + 1), m};  ///< gradients of all runs
  ExactMean mean{context};
  Direct gradients{*this, terms(&Run::gy)}, values{*this, terms(&Run::f)};
  Together estimate{*this,
                    {.outputs = {&direction},
                     .at = {&x.value(), &start},
                     .evaluate = [this](const Evaluation& call) { differentiate(call); },
                     .collective = true}};
};

}  // namespace

std::vector<MethodEntry> pzobo_parts() {
  const MethodEntry pzobo = method_entry<Pzobo>(
      {.name = "pzobo",
       .summary = "no second derivatives: the response of y to x from runs at perturbed x",
       .formula = "y_j = N lower steps at x + mu u_j from one y;  x <- x - alpha (fx(x,y_0) + "
                  "1/Q sum_j <(y_j - y_0)/mu, fy(x,y_0)> u_j)",
       .reference = "D. Sow, K. Ji, Y. Liang, NeurIPS 2022, arXiv:2110.07004, algorithm 1",
       .assumes = "lower level strongly convex, few upper unknowns",
       .fails = "noise of variance about p / Q on x; stops at a wrong point where the lower level "
                "has more than one minimizer",
       .serves = {.set = true}});
  MethodEntry hozog = pzobo;
  hozog.name = "hozog";
  hozog.summary = "no gradients of f: F is differentiated by its values at perturbed x";
  hozog.formula =
      "y_j = N lower steps at x + mu u_j from one y;  x <- x - alpha/Q sum_j "
      "(f(x + mu u_j, y_j) - f(x, y_0))/mu u_j";
  hozog.reference = "B. Gu, G. Liu, Y. Zhang, X. Geng, H. Huang, 2021, arXiv:2102.09026";
  PzoboOptions by_values;
  by_values.by_values = true;
  hozog.options = by_values;
  return {pzobo, hozog};
}

}  // namespace echelon::detail

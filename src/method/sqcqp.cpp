#include <cmath>

#include "curvature.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

struct SqcqpOptions {
  double epsilon = 0.1, alpha = 1, weight = 0.01, armijo = 0.1;
  ProductOptions products;
  SafeguardOptions safeguard;

  void visit(OptionVisitor& visitor) {
    visitor("epsilon", epsilon, above(0), "|grad_y g| that is tolerated; the error of x follows");
    visitor("alpha", alpha, above_up_to(0, 1), "share of h - epsilon^2 asked to vanish at a step");
    visitor("weight", weight, above(0), "w of the term w |d|^2 in the constraint");
    visitor("armijo", armijo, above_up_to(0, 0.5), "least share of the predicted change of a step");
    products.visit(visitor);
    safeguard.visit(visitor);
  }

  Varies varies() const { return Varies::at_least; }  // one trial of the line search
};

/// Sequential programs with one quadratic constraint, h(x, y) = |grad_y g|^2 <= epsilon^2, and a
/// line search. Jacobi.
///
///     d = argmin 1/2 |d + df|^2  subject to  <dh, d> + w |d|^2 <= -alpha (h - epsilon^2)
///     t = 1, 1/2, 1/4, ... until h and f fall enough;   (x, y) <- (x, y) + t d
///
/// df, v = grad_y g and dh = 2 (J'v, H v) are network means. The line search compares exact means,
/// so that all agents take the same t, and its long steps keep the iterates in motion near the
/// bound, where tracked means would lag behind: all means are exact, whatever the strategies. With
/// a set for y as in LowerStationarity. Where x is at the bound of a set of its own and d would
/// leave it, fx and the x-part of dh count along the set alone: what the projection takes away
/// must not be counted on, or no t is short enough.
class Sqcqp final : public ComposedMethod<SqcqpOptions> {
 public:
  Sqcqp(const MethodContext& given, const SqcqpOptions& its_options)
      : ComposedMethod(given.with_exact_means(), its_options) {}

  void iterate(std::uint64_t k) override {
    safeguard(k);
    const Sample sample{.iteration = k};
    lower.evaluate(sample);
    parallel_for(m, [&](int i) { find_direction(i); });
    const double step = search(sample);
    x.descend(-step, lower.dx);
    y.descend(-step, lower.dy);
  }

 private:
  /// Exact means that the line search compares.
  struct Figures {
    double excess;  ///< h - epsilon^2
    double f;
  };

  void find_direction(int i) {
    const double excess = lower.r.col(i).squaredNorm() - tolerated;
    const VectorXd fx = lower.fx().col(i), hx = lower.hx.col(i);
    const auto step_for = [&](const InnerProducts& products) {
      return quadratic_constraint_step(products, options.weight, -options.alpha * excess);
    };
    Combination d = step_for(lower.inner_products(i));
    HeldProducts held{fx, hx, {}};
    for (int pass = 0; pass < most_passes && !x.set().is_whole_space(); ++pass) {
      const Combination before = d;
      held = held_products(x.set(), x.value().col(i), d.of_a * fx + d.of_b * hx, fx, hx,
                           lower.inner_products_of_y(i));
      d = step_for(held.all);
      const double moved = std::abs(d.of_a - before.of_a) + std::abs(d.of_b - before.of_b);
      if (moved <= 1e-12 * (1 + std::abs(before.of_b))) break;
    }
    auto dx = lower.dx.col(i), dy = lower.dy.col(i);
    dx = d.of_a * held.a + d.of_b * held.b;
    dy = d.of_a * lower.fy().col(i) + d.of_b * lower.hy.col(i);
    block(q + 1, i) = held.a.dot(dx) + lower.fy().col(i).dot(dy);
    block(q + 2, i) = d.feasible ? 0 : 1;
  }

  double search(const Sample& sample) {
    evaluate_start(sample);
    const Figures start = figures(y, lower.gy(), f);
    const double slope = mean(q + 1);
    const bool restoring = mean(q + 2) > 0;
    double t = 1;
    for (int trial = 0; trial < most_halvings; ++trial, t /= 2) {
      parallel_for(m, [&](int i) {
        trial_x.col(i) = x.value().col(i) + t * lower.dx.col(i);
        trial_y.col(i) = y.value().col(i) + t * lower.dy.col(i);
        x.set().project(trial_x.col(i));
        y.set().project(trial_y.col(i));
      });
      evaluate_trial(sample);
      const Figures now = figures(trial_y, trial_gy, trial_f);
      const bool f_falls = slope > 0 || now.f <= start.f + options.armijo * t * slope;
      if (constraint_holds(start.excess, now.excess, t) && (restoring || f_falls)) return t;
    }
    return t;
  }

  bool constraint_holds(double before, double now, double t) const {
    constexpr double at_the_bound = 1e-5;
    if (std::abs(before) < at_the_bound) return now <= at_the_bound;
    return now <= before * (before > 0 ? 1 - options.alpha * t / 2 : 1 - options.armijo);
  }

  /// Collective.
  Figures figures(const AgentView& at_y, const AgentView& gy, const AgentView& values) {
    block.topRows(q) = gy;
    block.row(q) = values;
    VectorXd mean_y = VectorXd::Zero(q);
    if (!y.set().is_whole_space()) network.mean(at_y, mean_y);
    network.mean(block, mean);
    VectorXd residual = mean.head(q);
    to_lower_residual(y.set(), mean_y, residual);
    return {residual.squaredNorm() - tolerated, mean(q)};
  }

  static constexpr int most_halvings = 40;
  const double tolerated = options.epsilon * options.epsilon;
  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  LowerStationarity lower{*this, x, y, options.products};
  CurvatureSafeguard safeguard{
      *this, x, y, options.safeguard, options.products, 1.5 * options.epsilon};
  Block trial_x{p, m}, trial_y{q, m};
  Gradient trial_gy = dg_dy(trial_x, trial_y);
  Value f = value_of(Level::upper, x, y), trial_f = value_of(Level::upper, trial_x, trial_y);
  Direct evaluate_start{*this, {&f}}, evaluate_trial{*this, {&trial_gy, &trial_f}};
  Block block{q + 3, m};  ///< grad_y g, f, <df, d>, 1 where the program has no solution
  VectorXd mean;          ///< of block
};

}  // namespace

std::vector<MethodEntry> sqcqp_parts() {
  return {method_entry<Sqcqp>(
      {.name = "sqcqp",
       .summary = "programs with one quadratic constraint and a line search: no steps to tune",
       .formula = "v = gy;  h = |v|^2;  dh = 2 (J'v, H v);  d = argmin 1/2 |d + df|^2 subject to "
                  "<dh,d> + w |d|^2 <= -alpha (h - epsilon^2);  (x,y) <- (x,y) + t d",
       .reference = "S. Sharifi, N. Abolfazli, E. Y. Hamedani, M. Fazlyab, IEEE L-CSS 2025, "
                    "arXiv:2505.14647",
       .assumes = "exact gradients; nothing convex; x is biased by about epsilon",
       .fails = "noise blocks the line search, which averages over all agents; may stop at a "
                "maximizer of the lower level, which safeguard = yes leaves; follows minimizers "
                "past where they turn into maximizers",
       .serves = {.set = true},
       .uses_products = true,
       .means_first = true,
       .always_exact = true})};
}

}  // namespace echelon::detail

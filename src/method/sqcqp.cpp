#include <cmath>

#include "curvature.hpp"
#include "entries.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

struct SqcqpOptions {
  double epsilon = 0.1;
  double alpha = 1;
  double weight = 0.01;
  double armijo = 0.1;
  ProductOptions products;
  SafeguardOptions safeguard;

  void visit(OptionVisitor& visitor) {
    visitor("epsilon", epsilon, above(0), "|grad_y g| that is tolerated; the error of x follows");
    visitor("alpha", alpha, above_up_to(0, 1), "share of h - epsilon^2 asked to vanish at a step");
    visitor("weight", weight, above(0), "w of the term w |d|^2 in the constraint");
    visitor("armijo", armijo, above_up_to(0, 0.5),
            "share of the predicted change that a step must bring");
    products.visit(visitor);
    safeguard.visit(visitor);
  }

  /// With one trial of the line search; at an active constraint there are several.
  MethodCost cost() const {
    MethodCost cost{.q_exact = 2, .scalars_exact = 6, .gradients = 1, .values = 2};
    cost.count = MethodCost::Count::at_least;  // one trial of the line search
    LowerStationarity::add_to(cost, products);
    return cost;
  }
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
class Sqcqp final : public Method {
 public:
  Sqcqp(const MethodContext& given, const SqcqpOptions& options)
      : Sqcqp(options, given.with_exact_means()) {}

  void iterate(std::uint64_t k) override {
    safeguard_(k, x_, y_);
    const Sample sample{.iteration = k};
    at_.evaluate(sample, x_, y_);
    parallel_for(m_, [&](int i) { find_direction(i); });
    const double step = search(sample);
    x_.descend(-step, dx_);
    y_.descend(-step, dy_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("means", at_);
  }

 private:
  Sqcqp(const SqcqpOptions& options, const MethodContext& context)
      : problem_(context.problem),
        network_(context.network),
        options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        at_(context, options.products),
        safeguard_(context, options.safeguard, options.products, 1.5 * options.epsilon),
        p_(problem_.upper_dimension()),
        q_(problem_.lower_dimension()),
        m_(network_.agents().count()),
        dx_(p_, m_),
        dy_(q_, m_),
        trial_x_(p_, m_),
        trial_y_(q_, m_),
        gy_(q_, m_),
        value_(1, m_),
        figures_(q_ + 3, m_) {}

  /// Exact means that the line search compares.
  struct Figures {
    double excess;  ///< h - epsilon^2
    double f;
  };

  void find_direction(int i) {
    const double excess = at_.r().col(i).squaredNorm() - tolerated();
    const VectorXd fx = at_.fx().col(i), hx = at_.hx().col(i);
    const auto step_for = [&](const InnerProducts& products) {
      return quadratic_constraint_step(products, options_.weight, -options_.alpha * excess);
    };
    Combination d = step_for(at_.inner_products(i));
    HeldProducts held{fx, hx, {}};
    for (int pass = 0; pass < most_passes && !x_.set().is_whole_space(); ++pass) {
      const Combination before = d;
      held = held_products(x_.set(), x_.value().col(i), d.of_a * fx + d.of_b * hx, fx, hx,
                           at_.inner_products_of_y(i));
      d = step_for(held.all);
      const double moved = std::abs(d.of_a - before.of_a) + std::abs(d.of_b - before.of_b);
      if (moved <= 1e-12 * (1 + std::abs(before.of_b))) break;
    }
    dx_.col(i) = d.of_a * held.a + d.of_b * held.b;
    dy_.col(i) = d.of_a * at_.fy().col(i) + d.of_b * at_.hy().col(i);
    figures_(q_ + 1, i) = held.a.dot(dx_.col(i)) + at_.fy().col(i).dot(dy_.col(i));
    figures_(q_ + 2, i) = d.feasible ? 0 : 1;
  }

  double search(const Sample& sample) {
    const Figures start = figures(sample, x_, y_, at_.gy());
    const double slope = mean_(q_ + 1);
    const bool restoring = mean_(q_ + 2) > 0;
    double t = 1;
    for (int trial = 0; trial < most_halvings; ++trial, t /= 2) {
      parallel_for(m_, [&](int i) {
        trial_x_.col(i) = x_.value().col(i) + t * dx_.col(i);
        trial_y_.col(i) = y_.value().col(i) + t * dy_.col(i);
        x_.set().project(trial_x_.col(i));
        y_.set().project(trial_y_.col(i));
      });
      problem_.grad_g(sample, {{trial_x_, trial_y_, nullptr, &gy_}});
      const Figures now = figures(sample, trial_x_, trial_y_, gy_);
      const bool f_falls = slope > 0 || now.f <= start.f + options_.armijo * t * slope;
      if (constraint_holds(start.excess, now.excess, t) && (restoring || f_falls)) return t;
    }
    return t;
  }

  bool constraint_holds(double before, double now, double t) const {
    constexpr double at_the_bound = 1e-5;
    if (std::abs(before) < at_the_bound) return now <= at_the_bound;
    return now <= before * (before > 0 ? 1 - options_.alpha * t / 2 : 1 - options_.armijo);
  }

  /// Collective.
  Figures figures(const Sample& sample, const AgentView& x, const AgentView& y,
                  const AgentView& gy) {
    problem_.values(Level::upper, sample, x, y, value_);
    figures_.topRows(q_) = gy;
    figures_.row(q_) = value_;
    VectorXd mean_y = VectorXd::Zero(q_);
    if (!y_.set().is_whole_space()) network_.mean(y, mean_y);
    network_.mean(figures_, mean_);
    VectorXd residual = mean_.head(q_);
    to_lower_residual(y_.set(), mean_y, residual);
    return {residual.squaredNorm() - tolerated(), mean_(q_)};
  }

  double tolerated() const { return options_.epsilon * options_.epsilon; }

  static constexpr int most_halvings = 40;

  BilevelProblem& problem_;
  Network& network_;
  SqcqpOptions options_;
  ConsensusVariable x_, y_;
  LowerStationarity at_;
  CurvatureSafeguard safeguard_;
  Index p_, q_;
  int m_;
  AgentMatrix dx_, dy_, trial_x_, trial_y_, gy_, value_;
  AgentMatrix figures_;  ///< grad_y g, f, <df, d>, 1 where the program has no solution
  VectorXd mean_;        ///< of figures
};

}  // namespace

static MethodEntry sqcqp_entry() {
  MethodEntry entry{
      .name = "sqcqp",
      .summary = "programs with one quadratic constraint and a line search: no steps to tune",
      .formula =
          "v = gy;  h = |v|^2;  dh = 2 (J'v, H v);  d = argmin 1/2 |d + df|^2 subject to "
          "<dh,d> + w |d|^2 <= -alpha (h - epsilon^2);  (x,y) <- (x,y) + t d",
      .reference =
          "S. Sharifi, N. Abolfazli, E. Y. Hamedani, M. Fazlyab, IEEE L-CSS 2025, "
          "arXiv:2505.14647",
      .assumes = "exact gradients; nothing convex; x is biased by about epsilon",
      .fails =
          "noise blocks the line search, which averages over all agents; may stop at a maximizer "
          "of the lower level, which "
          "safeguard = yes leaves; follows minimizers past where they turn into maximizers",
      .serves = {.set = true},
      .uses_products = true,
      .means_first = true,
      .always_exact = true};
  bind<Sqcqp>(entry, SqcqpOptions{});
  return entry;
}

std::vector<MethodEntry> sqcqp_parts() {
  return {sqcqp_entry()};
}

}  // namespace echelon::detail

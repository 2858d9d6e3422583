#include <cmath>
#include <memory>

#include "curvature.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"
#include "entries.hpp"
#include "lower_quadratic.hpp"

namespace echelon::detail {

namespace {

struct ConstrainedOptions {
  double perturbation = 4e-5;
  double active_tolerance = 1e-8;
  std::int64_t newton_steps = 1;
  ProductOptions products;

  void visit(OptionVisitor& visitor) {
    visitor("perturbation", perturbation, at_least(0),
            "variance of the entries of the random q in g + <q, y>, without which active rows may "
            "have multiplier 0; 0 = none");
    visitor("active_tolerance", active_tolerance, at_least(0),
            "rows whose multiplier is at most this do not count as active");
    visitor("newton_steps", newton_steps, at_least(1),
            "quadratic programs per iteration; 1 is exact where g is quadratic or linear in y");
    products.visit(visitor);
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(newton_steps);
    MethodCost cost{.y_steps = 0,
                    .p_exact = 1,
                    .q_exact = 2 * steps + 1,
                    .gradients = steps + 1,
                    .per_y = {.q_exact = steps}};
    products.add_to(cost, 1);
    if (!products.exact()) cost.count = MethodCost::Count::at_most;  // differences along 0 are free
    (products.exact() ? cost.per_y.products : cost.per_y.gradients) =
        (products.exact() ? 1 : 2) * steps;
    cost.count = MethodCost::Count::at_most;  // products with zero are free
    return cost;
  }
};

/// The lower level with rows C y + E x <= c, its box being some of them, and the gradient of F.
///
///     y*, active rows (N, E_N):  Newton steps on g + <q, y>, each a quadratic program
///     [H N'; N 0] (v, w) = (mean grad_y f, 0)
///     D = grad_x f - J'v - E_N'w                    = grad_x f + (dy*/dx)' grad_y f
///
/// with H = d2g/dy2, J = d2g/dydx, since [H N'; N 0] (dy, dlambda) = -(J, E_N). H, grad_y g, x in
/// the rows and grad_y f of the system are exact means, so y*, v and w are the same for all agents.
class ConstrainedLower {
 public:
  ConstrainedLower(const MethodContext& context, const ConstrainedOptions& options)
      : problem_(context.problem),
        options_(options),
        lower_(context, options.products),
        products_(context.problem, options.products),
        seed_(context.seed),
        q_(problem_.lower_dimension()),
        estimator_(
            context.make_estimator({problem_.upper_dimension()}, {problem_.upper_dimension(), q_})),
        y_(q_, context.network.agents().count()),
        start_(q_, context.network.agents().count()),
        moving_(q_, context.network.agents().count()),
        v_(q_, context.network.agents().count()),
        fy_(q_, context.network.agents().count()),
        jv_(problem_.upper_dimension(), context.network.agents().count()) {
    context.exact_means();  // refuses a personal lower level
    collect_rows();
    y_.colwise() = problem_.start_y();
  }

  /// Into `direction`: what the estimator makes of D at x, the perturbation being the `draw`-th.
  /// Collective.
  void differentiate(std::uint64_t k, std::uint64_t draw, const AgentView& x,
                     AgentMatrix& direction) {
    start_.copy_from(y_);
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      moving_.copy_from(*at[1]);
      differentiate(sample, draw, *at[0], moving_, *out[0]);
      const bool now = at[0] == &x;  // estimators may ask at earlier points too
      if (now) y_.copy_from(moving_);
    };
    estimator_->estimate({.iteration = k}, {&x, &start_}, oracle, {&direction});
  }

  const AgentView& y() const { return y_; }
  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("value", y_);
    visitor.within("estimator", *estimator_);
  }

 private:
  static Index ssize(const std::vector<Index>& rows) { return static_cast<Index>(rows.size()); }

  /// Takes y to y*(x).
  void differentiate(const Sample& sample, std::uint64_t draw, const AgentView& x, AgentView& y,
                     AgentView& direction) {
    const VectorXd right = c_ - E_ * lower_.mean(x);
    const VectorXd q = perturbation(draw);
    const Sample everything = Sample::everything();
    Eigen::MatrixXd H(q_, q_);
    std::vector<Index> active;
    for (std::int64_t step = 0; step < options_.newton_steps; ++step) {
      VectorXd at = lower_.mean(y);
      for (Index j = 0; j < q_; ++j) {
        H.col(j) = lower_.hessian_times(everything, x, at, VectorXd::Unit(q_, j));
      }
      H = (0.5 * (H + H.transpose())).eval();
      const VectorXd gradient = lower_.gradient(everything, x, at) + q;
      active = minimize({H, gradient - H * at, C_, right}, at);
      y.colwise() = at;
    }
    problem_.grad_f(sample, {{x, y, &direction, &fy_}});
    const auto [v, w] = OptimalitySystem(H, rows_of(C_, active))
                            .solve(lower_.mean(fy_), VectorXd::Zero(ssize(active)));
    v_.colwise() = v;
    products_(everything, {x, y, v_, nullptr, &jv_});
    direction -= jv_;
    direction.colwise() -= (rows_of(E_, active).transpose() * w).eval();
  }

  /// The linear constraints, then the finite bounds of the box.
  void collect_rows() {
    const FeasibleSet& set = problem_.lower_set();
    require(set.is_whole_space() || set.kind() == FeasibleSet::Kind::box, ErrorKind::usage,
            "the lower level is kept in ", set.text(),
            ", which this method does not turn into linear inequalities; it takes boxes");
    const LinearConstraints& given = *problem_.lower_constraints();
    C_ = given.A;
    E_ = given.B;
    c_ = given.c;
    if (set.is_whole_space()) return;
    for (Index i = 0; i < q_; ++i) {
      if (std::isfinite(set.high()(i))) append_row(i, 1, set.high()(i));
      if (std::isfinite(set.low()(i))) append_row(i, -1, -set.low()(i));
    }
  }
  void append_row(Index entry, double sign, double bound) {
    const Index rows = C_.rows();
    C_.conservativeResize(rows + 1, Eigen::NoChange);
    E_.conservativeResize(rows + 1, Eigen::NoChange);
    c_.conservativeResize(rows + 1);
    C_.row(rows) = sign * VectorXd::Unit(q_, entry).transpose();
    E_.row(rows).setZero();
    c_(rows) = bound;
  }

  VectorXd perturbation(std::uint64_t draw) const {
    Draws draws(seed_, Purpose::perturbation, 0, draw);
    VectorXd q(q_);
    for (Index i = 0; i < q_; ++i) q(i) = std::sqrt(options_.perturbation) * draws.normal();
    return q;
  }

  /// y becomes the solution; returns the active rows.
  std::vector<Index> minimize(const QuadraticProgram& program, VectorXd& y) const {
    using Status = QuadraticSolution::Status;
    const QuadraticSolution solution = solve(program, y);
    require(solution.status != Status::infeasible, ErrorKind::usage,
            "the lower level has no feasible point at the mean of x; tighten the set of x");
    require(solution.status != Status::unbounded, ErrorKind::usage,
            "the lower level has no minimizer at the mean of x (it is not convex, or falls without "
            "end)");
    y = solution.y;
    std::vector<Index> active;
    for (Index j = 0; j < solution.multipliers.size(); ++j) {
      if (solution.multipliers(j) > options_.active_tolerance) {
        active.push_back(solution.active[static_cast<std::size_t>(j)]);
      }
    }
    return active;
  }

  BilevelProblem& problem_;
  ConstrainedOptions options_;
  MeanLowerLevel lower_;
  Products products_;
  std::uint64_t seed_;
  Index q_;
  Eigen::MatrixXd C_, E_;
  VectorXd c_;
  std::unique_ptr<GradientEstimator> estimator_;
  AgentMatrix y_, start_, moving_, v_, fy_, jv_;
};

struct SigdOptions : ConstrainedOptions {
  double alpha = 0.05;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x; about .1 / sqrt(run.iterations)");
    ConstrainedOptions::visit(visitor);
    schedule.visit(visitor);
  }
};

/// x <- P(x - alpha D(x)), with one perturbation for all iterations.
class Sigd final : public Method {
 public:
  Sigd(const MethodContext& context, const SigdOptions& options)
      : options_(options),
        x_(context.upper_variable("x")),
        lower_(context, options),
        direction_(context.problem.upper_dimension(), context.network.agents().count()) {}

  void iterate(std::uint64_t k) override {
    lower_.differentiate(k, 0, x_, direction_);
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return lower_.y(); }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", lower_);
  }

 private:
  SigdOptions options_;
  ConsensusVariable x_;
  ConstrainedLower lower_;
  AgentMatrix direction_;
};

struct DsBloOptions : ConstrainedOptions {
  double momentum = 0.9;
  double norm_weight = 20;
  double norm_offset = 20;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("momentum", momentum, between(0, 0.999), "weight of the last direction");
    visitor("norm_weight", norm_weight, at_least(0),
            "gamma_1 of the step 1 / (gamma_1 |m| + gamma_2); x moves at most by 1 / gamma_1");
    visitor("norm_offset", norm_offset, above(0), "gamma_2 of the step");
    ConstrainedOptions::visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    MethodCost cost = ConstrainedOptions::cost();
    cost.p_exact += 1;
    return cost;
  }
};

/// A fresh perturbation in each iteration, and the gradient at a random point of the last step:
///
///     xbar ~ U[x_old, x];   m <- beta m + (1 - beta) D(xbar);   x <- P(x - m / (gamma_1 |mean m| +
///     gamma_2))
class DsBlo final : public Method {
 public:
  DsBlo(const MethodContext& context, const DsBloOptions& options)
      : options_(options),
        seed_(context.seed),
        network_(context.network),
        x_(context.upper_variable("x")),
        lower_(context, options),
        last_(x_.value().rows(), x_.value().cols()),
        between_(x_.value().rows(), x_.value().cols()),
        direction_(x_.value().rows(), x_.value().cols()),
        m_(x_.value().rows(), x_.value().cols()) {
    last_.copy_from(x_);
  }

  void iterate(std::uint64_t k) override {
    const double share = Draws(seed_, Purpose::perturbation, 0, k, 1).uniform();
    between_ = last_ + share * (x_.value() - last_);
    lower_.differentiate(k, k, between_, direction_);
    m_ = options_.momentum * m_ + (1 - options_.momentum) * direction_;
    VectorXd mean;
    network_.mean(m_, mean);
    const double norm = options_.norm_weight * mean.norm() + options_.norm_offset;
    last_.copy_from(x_);
    x_.descend(options_.schedule.upper(k) / norm, m_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return lower_.y(); }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", lower_);
    visitor.per_agent("last_x", last_);
    visitor.per_agent("momentum", m_);
  }

 private:
  DsBloOptions options_;
  std::uint64_t seed_;
  Network& network_;
  ConsensusVariable x_;
  ConstrainedLower lower_;
  AgentMatrix last_, between_, direction_, m_;
};

}  // namespace

MethodEntry sigd_entry() {
  MethodEntry entry{
      .name = "sigd",
      .summary =
          "implicit gradient of a lower level with linear inequalities, from its active "
          "rows",
      .formula =
          "y* = argmin g(x,y) + <q,y> s.t. A y + B x <= c, active rows (N, E);  "
          "[H N^T; N 0] (v,w) = (fy,0);  x <- P(x - alpha (fx - J^T v - E^T w))",
      .reference =
          "P. Khanduri, I. Tsaknakis, Y. Zhang, J. Liu, S. Liu, J. Zhang, M. Hong, "
          "ICML 2023",
      .assumes = "g convex in y and its solution unique; few lower unknowns (dense matrices)",
      .fails = "jumps between gradients where the active rows change",
      .serves = {.set = true, .inequalities = true},
      .uses_products = true,
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<Sigd>(entry, SigdOptions{});
  return entry;
}

MethodEntry ds_blo_entry() {
  MethodEntry entry = sigd_entry();
  entry.name = "ds-blo";
  entry.summary = "sigd with fresh perturbations, momentum and steps of bounded length";
  entry.formula =
      "D as sigd, at xbar ~ U[x_old, x] and with a new q;  m <- beta m + (1-beta) D;  "
      "x <- P(x - m/(gamma_1 |m| + gamma_2))";
  entry.reference = "P. Khanduri, I. Tsaknakis, Y. Zhang, S. Liu, M. Hong, 2025, arXiv:2504.04545";
  bind<DsBlo>(entry, DsBloOptions{});
  return entry;
}

}  // namespace echelon::detail

#include "constrained_lower.hpp"

#include <cmath>

#include "echelon/core/random.hpp"

namespace echelon::detail {

ConstrainedLower::ConstrainedLower(const MethodContext& context, const ConstrainedOptions& options)
    : problem_(context.problem),
      options_(options),
      lower_(context, options.products),
      products_(context.problem, options.products),
      seed_(context.seed),
      q_(problem_.lower_dimension()),
      estimator_(context.make_estimator({problem_.upper_dimension()},
                                        {problem_.upper_dimension(), q_}, true)),
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

void ConstrainedLower::differentiate(std::uint64_t k, std::uint64_t draw, const AgentView& x,
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

void ConstrainedLower::visit_state(StateVisitor& visitor) {
  visitor.per_agent("value", y_);
  visitor.within("estimator", *estimator_);
}

/// Takes y to y*(x).
void ConstrainedLower::differentiate(const Sample& sample, std::uint64_t draw, const AgentView& x,
                                     AgentView& y, AgentView& direction) {
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
  const auto [v, w] =
      OptimalitySystem(H, rows_of(C_, active))
          .solve(lower_.mean(fy_), VectorXd::Zero(static_cast<Index>(active.size())));
  v_.colwise() = v;
  products_(everything, {x, y, v_, nullptr, &jv_});
  direction -= jv_;
  direction.colwise() -= (rows_of(E_, active).transpose() * w).eval();
}

/// The linear constraints, then the finite bounds of the box.
void ConstrainedLower::collect_rows() {
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

void ConstrainedLower::append_row(Index entry, double sign, double bound) {
  const Index rows = C_.rows();
  C_.conservativeResize(rows + 1, Eigen::NoChange);
  E_.conservativeResize(rows + 1, Eigen::NoChange);
  c_.conservativeResize(rows + 1);
  C_.row(rows) = sign * VectorXd::Unit(q_, entry).transpose();
  E_.row(rows).setZero();
  c_(rows) = bound;
}

VectorXd ConstrainedLower::perturbation(std::uint64_t draw) const {
  Draws draws(seed_, Purpose::perturbation, 0, draw);
  VectorXd q(q_);
  for (Index i = 0; i < q_; ++i) q(i) = std::sqrt(options_.perturbation) * draws.normal();
  return q;
}

/// y becomes the solution; returns the active rows.
std::vector<Index> ConstrainedLower::minimize(const QuadraticProgram& program, VectorXd& y) const {
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

}  // namespace echelon::detail

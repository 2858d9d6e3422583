#include "constrained_lower.hpp"

#include <cmath>

#include "echelon/core/random.hpp"

namespace echelon::detail {

ConstrainedLower::ConstrainedLower(MethodBase& method, const ConstrainedOptions& its_options,
                                   const AgentView& its_x)
    : method_(method), options(its_options), x(its_x) {
  method.context.exact_means();  // refuses a personal lower level
  collect_rows();
  y.colwise() = method.problem.start_y();
  method.report_y(y);
}

void ConstrainedLower::differentiate(std::uint64_t k, std::uint64_t draw) {
  start = y;
  draw_ = draw;
  estimate({.iteration = k});
}

/// Takes y from its start to y*(x).
void ConstrainedLower::differentiate(const Evaluation& call) {
  const Index q = method_.q;
  const AgentView& at_x = call.at(x);
  AgentView& D = call.into(direction);
  moving = call.at(start);
  const VectorXd right = c - E * lower.mean(at_x);
  const VectorXd perturbed = perturbation();
  const Sample everything = Sample::everything();
  Eigen::MatrixXd H(q, q);
  std::vector<Index> active;
  for (std::int64_t step = 0; step < options.newton_steps; ++step) {
    VectorXd at = lower.mean(moving);
    for (Index j = 0; j < q; ++j) {
      H.col(j) = lower.hessian_times(everything, at_x, at, VectorXd::Unit(q, j));
    }
    H = (0.5 * (H + H.transpose())).eval();
    const VectorXd gradient = lower.gradient(everything, at_x, at) + perturbed;
    active = minimize({H, gradient - H * at, C, right}, at);
    moving.colwise() = at;
  }
  method_.problem.grad_f(call.sample(), {{at_x, moving, &D, &fy}});
  const auto [solution, w] =
      OptimalitySystem(H, rows_of(C, active))
          .solve(lower.mean(fy), VectorXd::Zero(static_cast<Index>(active.size())));
  v.colwise() = solution;
  products(everything, {at_x, moving, v, nullptr, &jv});
  D -= jv;
  D.colwise() -= (rows_of(E, active).transpose() * w).eval();
  if (call.is_here()) y = moving;
}

/// The linear constraints, then the finite bounds of the box.
void ConstrainedLower::collect_rows() {
  const FeasibleSet& set = method_.problem.lower_set();
  require(set.is_whole_space() || set.kind() == FeasibleSet::Kind::box, ErrorKind::usage,
          "the lower level is kept in ", set.text(),
          ", which this method does not turn into linear inequalities; it takes boxes");
  const LinearConstraints& given = *method_.problem.lower_constraints();
  C = given.A;
  E = given.B;
  c = given.c;
  if (set.is_whole_space()) return;
  for (Index i = 0; i < method_.q; ++i) {
    if (std::isfinite(set.high()(i))) append_row(i, 1, set.high()(i));
    if (std::isfinite(set.low()(i))) append_row(i, -1, -set.low()(i));
  }
}

void ConstrainedLower::append_row(Index entry, double sign, double bound) {
  const Index rows = C.rows();
  C.conservativeResize(rows + 1, Eigen::NoChange);
  E.conservativeResize(rows + 1, Eigen::NoChange);
  c.conservativeResize(rows + 1);
  C.row(rows) = sign * VectorXd::Unit(method_.q, entry).transpose();
  E.row(rows).setZero();
  c(rows) = bound;
}

VectorXd ConstrainedLower::perturbation() const {
  Draws draws(method_.context.seed, Purpose::perturbation, 0, draw_);
  VectorXd result(method_.q);
  for (double& entry : result) entry = std::sqrt(options.perturbation) * draws.normal();
  return result;
}

/// `to` becomes the solution; returns the active rows.
std::vector<Index> ConstrainedLower::minimize(const QuadraticProgram& program, VectorXd& to) const {
  using Status = QuadraticSolution::Status;
  const QuadraticSolution solution = solve(program, to);
  require(solution.status != Status::infeasible, ErrorKind::usage,
          "the lower level has no feasible point at the mean of x; tighten the set of x");
  require(solution.status != Status::unbounded, ErrorKind::usage,
          "the lower level has no minimizer at the mean of x (it is not convex, or falls without "
          "end)");
  to = solution.y;
  std::vector<Index> active;
  for (Index j = 0; j < solution.multipliers.size(); ++j) {
    if (solution.multipliers(j) > options.active_tolerance) {
      active.push_back(solution.active[static_cast<std::size_t>(j)]);
    }
  }
  return active;
}

}  // namespace echelon::detail

#pragma once
/// A lower level with linear inequalities: its solution, and the gradient of f at it.

#include <cstdint>
#include <memory>
#include <vector>

#include "curvature.hpp"
#include "lower_quadratic.hpp"

namespace echelon::detail {

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
  /// Throws a usage error for a personal lower level, and for a set that is no box.
  ConstrainedLower(const MethodContext& context, const ConstrainedOptions& options);

  /// Into `direction`: what the estimator makes of D at x, the perturbation being the `draw`-th.
  /// Throws a usage error where there is no y*. Collective.
  void differentiate(std::uint64_t k, std::uint64_t draw, const AgentView& x,
                     AgentMatrix& direction);

  const AgentView& y() const { return y_; }
  void visit_state(StateVisitor& visitor);

 private:
  void differentiate(const Sample& sample, std::uint64_t draw, const AgentView& x, AgentView& y,
                     AgentView& direction);
  void collect_rows();
  void append_row(Index entry, double sign, double bound);
  VectorXd perturbation(std::uint64_t draw) const;
  std::vector<Index> minimize(const QuadraticProgram& program, VectorXd& y) const;

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

}  // namespace echelon::detail

#pragma once
/// A lower level with linear inequalities: its solution, and the gradient of f at it.

#include <cstdint>
#include <vector>

#include "curvature.hpp"
#include "lower_quadratic.hpp"

namespace echelon::detail {

struct ConstrainedOptions {
  double perturbation = 4e-5, active_tolerance = 1e-8;
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

  Varies varies() const { return Varies::at_most; }  // products with zero are free
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
  MethodBase& method_;

 public:
  /// At x, a block of the method. Throws a usage error for a personal lower level, and for a set
  /// that is no box.
  ConstrainedLower(MethodBase& method, const ConstrainedOptions& its_options,
                   const AgentView& its_x);

  /// Fills `direction`: what the estimator makes of D, the perturbation being the `draw`-th. Throws
  /// a usage error where there is no y*. Collective.
  void differentiate(std::uint64_t k, std::uint64_t draw);

  Block direction{method_.p, method_.m};

 private:
  void differentiate(const Evaluation& call);
  void collect_rows();
  void append_row(Index entry, double sign, double bound);
  VectorXd perturbation() const;
  std::vector<Index> minimize(const QuadraticProgram& program, VectorXd& to) const;

  ConstrainedOptions options;
  const AgentView& x;
  MeanLowerLevel lower{method_.context, options.products};
  Products products{method_.problem, options.products};
  std::uint64_t draw_ = 0;
  Eigen::MatrixXd C, E;
  VectorXd c;
  Carried y{method_, "y/value", method_.q};
  Block start{method_.q, method_.m}, moving{method_.q, method_.m}, v{method_.q, method_.m};
  Block fy{method_.q, method_.m}, jv{method_.p, method_.m};
  Together estimate{method_,
                    {.outputs = {&direction},
                     .at = {&x, &start},
                     .evaluate = [this](const Evaluation& call) { differentiate(call); },
                     .collective = true}};
};

}  // namespace echelon::detail

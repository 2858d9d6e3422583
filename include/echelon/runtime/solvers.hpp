#pragma once
/// Solvers for evaluation: minimizers of smooth convex functions and linear systems, on vectors
/// that all ranks hold alike.

#include <functional>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/eigen.hpp"

namespace echelon {

struct SolverOptions {
  double tolerance =
      1e-8;  ///< on the norm of the gradient or residual, relative to 1 + its size at the start
  int iterations = 2000;
};

struct SolverResult {
  bool converged = false;
  int iterations = 0;
  double residual = 0;
};

/// Minimizes a convex function from its gradient alone: limited-memory BFGS, memory 20 (D. C. Liu,
/// J. Nocedal, Math. Programming 45, 1989), with a search for the zero of the slope along each
/// direction. `y` holds start and answer.
SolverResult minimize(const std::function<void(const VectorXd& y, VectorXd& gradient)>& gradient,
                      VectorXd& y, const SolverOptions& options);

/// Conjugate gradient for H v = b with H positive definite (M. R. Hestenes, E. Stiefel, 1952). `v`
/// holds start and answer. Stops without convergence on a direction of non-positive curvature.
SolverResult conjugate_gradient(const std::function<void(const VectorXd& v, VectorXd& hv)>& product,
                                const VectorXd& b, VectorXd& v, const SolverOptions& options);

}  // namespace echelon

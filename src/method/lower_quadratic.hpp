#pragma once
/// Small dense convex quadratic (and linear) programs with inequalities, and how their solutions
/// move with the data.

#include <Eigen/Core>
#include <Eigen/QR>
#include <vector>

#include "echelon/core/agent_matrix.hpp"

namespace echelon::detail {

/// min over y of 1/2 y'H y + a'y  subject to  C y <= c;  H positive semidefinite.
struct QuadraticProgram {
  Eigen::MatrixXd H;
  VectorXd a;
  Eigen::MatrixXd C;
  VectorXd c;
};

struct QuadraticSolution {
  enum class Status { solved, infeasible, unbounded } status = Status::solved;
  VectorXd y;
  std::vector<Index> active{};  ///< linearly independent rows of C that hold with equality
  VectorXd multipliers{};       ///< of these rows, >= 0
};

/// The given rows, one below the other.
Eigen::MatrixXd rows_of(const Eigen::MatrixXd& matrix, const std::vector<Index>& rows);

/// Proximal points y <- argmin of the program plus rho/2 |. - y|^2, each by the dual active-set
/// method; rho is small, so that a few suffice (for a linear program, finitely many). `start` is
/// where they begin; it need not be feasible.
/// Sources: D. Goldfarb, A. Idnani, Mathematical Programming 27, 1983; R. T. Rockafellar, SIAM J.
/// Control and Optimization 14, 1976.
QuadraticSolution solve(const QuadraticProgram& program, const VectorXd& start);

/// The optimality system of a program on its active rows N:
///
///     [ H  N' ] [ u ]   [ top    ]
///     [ N  0  ] [ w ] = [ bottom ]
///
/// It is regular where H is positive definite on Ker N; elsewhere, the solution of least norm.
class OptimalitySystem {
 public:
  OptimalitySystem(const Eigen::MatrixXd& H, const Eigen::MatrixXd& N);

  struct Solution {
    VectorXd u, w;
  };
  Solution solve(const VectorXd& top, const VectorXd& bottom) const;

 private:
  Index q_;
  Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> system_;
};

}  // namespace echelon::detail

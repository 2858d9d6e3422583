#include "spectrum.hpp"

// GCC 12 sees a use after free in Spectra's general solver where Eigen resizes a vector; there is
// none.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif

#include <Spectra/GenEigsSolver.h>
#include <Spectra/SymEigsShiftSolver.h>
#include <Spectra/SymEigsSolver.h>

#include <Eigen/Dense>
#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace echelon::detail {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using SparseMatrix = Eigen::SparseMatrix<double>;

constexpr AgentId largest_dense = 512;
constexpr double not_found = std::numeric_limits<double>::quiet_NaN();

void remove_mean(Eigen::Ref<VectorXd> x) {
  const auto n = static_cast<double>(x.size());
  x.array() -= x.dot(VectorXd::Ones(x.size())) / n;
}

MatrixXd dense(const MixingMatrix& matrix) {
  MatrixXd result = MatrixXd::Zero(matrix.agents(), matrix.agents());
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) result(i, j) = weight;
  }
  return result;
}

SparseMatrix sparse(const MixingMatrix& matrix) {
  std::vector<Eigen::Triplet<double>> triplets;
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) triplets.emplace_back(i, j, weight);
  }
  SparseMatrix result(matrix.agents(), matrix.agents());
  result.setFromTriplets(triplets.begin(), triplets.end());
  return result;
}

/// Without the columns known to sum to 1 there is no deflation; the eigenvalue nearest to 1 is left
/// out instead.
double dense_row_stochastic(const MatrixXd& matrix) {
  const Eigen::EigenSolver<MatrixXd> solver(matrix, false);
  if (solver.info() != Eigen::Success) return not_found;
  const auto values = solver.eigenvalues();
  Index dropped = 0;
  for (Index i = 1; i < values.size(); ++i) {
    if (std::abs(values[i] - 1.0) < std::abs(values[dropped] - 1.0)) dropped = i;
  }
  double largest = 0;
  for (Index i = 0; i < values.size(); ++i) {
    if (i != dropped) largest = std::max(largest, std::abs(values[i]));
  }
  return largest;
}

double dense_second(const MixingMatrix& matrix, const Certificate& known) {
  MatrixXd w = dense(matrix);
  if (!known.doubly_stochastic()) return dense_row_stochastic(w);
  w.array() -= 1.0 / known.agents;
  if (known.symmetric) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(w, Eigen::EigenvaluesOnly);
    return solver.info() == Eigen::Success ? solver.eigenvalues().cwiseAbs().maxCoeff() : not_found;
  }
  const Eigen::EigenSolver<MatrixXd> solver(w, false);
  return solver.info() == Eigen::Success ? solver.eigenvalues().cwiseAbs().maxCoeff() : not_found;
}

/// y = (W - 1 1^T / n + shift I) x. The shift keeps the eigenvalues away from 0, where Spectra's
/// relative stopping rule would ask for too much.
class Deflated {
 public:
  using Scalar = double;
  Deflated(const SparseMatrix& w, double shift) : w_(w), shift_(shift) {}
  Index rows() const { return w_.rows(); }
  Index cols() const { return w_.cols(); }
  void perform_op(const double* x_in, double* y_out) const {
    const Eigen::Map<const VectorXd> x(x_in, rows());
    Eigen::Map<VectorXd> y(y_out, rows());
    const double mean = x.dot(VectorXd::Ones(rows())) / static_cast<double>(rows());
    y = w_ * x + shift_ * x;
    y.array() -= mean;
  }

 private:
  const SparseMatrix& w_;
  double shift_;
};

constexpr Index basis = 50;
constexpr Index restarts = 300;
constexpr double precision = 1e-11;

double symmetric_lanczos(const SparseMatrix& w) {
  constexpr double shift = 3;  // all eigenvalues of W are in [-1, 1] unless weights are negative
  Deflated op(w, shift);
  Spectra::SymEigsSolver<Deflated> solver(op, 2, std::min(basis, w.rows()));
  solver.init();
  solver.compute(Spectra::SortRule::BothEnds, restarts, precision);
  if (solver.info() != Spectra::CompInfo::Successful) return not_found;
  return (solver.eigenvalues().array() - shift).abs().maxCoeff();
}

double general_arnoldi(const SparseMatrix& w) {
  Deflated op(w, 0);
  Spectra::GenEigsSolver<Deflated> solver(op, 1, std::min(basis, w.rows()));
  solver.init();
  solver.compute(Spectra::SortRule::LargestMagn, restarts, precision);
  if (solver.info() != Spectra::CompInfo::Successful) return not_found;
  return solver.eigenvalues().cwiseAbs().maxCoeff();
}

/// y = P (W - sigma I)^-1 P x with P = I - 1 1^T / n, for sigma outside of the spectrum, where the
/// matrix is definite.
class DeflatedInverse {
 public:
  using Scalar = double;
  explicit DeflatedInverse(const SparseMatrix& w) : w_(w) {}
  Index rows() const { return w_.rows(); }
  Index cols() const { return w_.cols(); }
  void set_shift(double sigma) {
    SparseMatrix identity(rows(), rows());
    identity.setIdentity();
    solver_.compute(w_ - sigma * identity);
    if (solver_.info() != Eigen::Success) throw std::runtime_error("the factorization failed");
  }
  void perform_op(const double* x_in, double* y_out) const {
    VectorXd x = Eigen::Map<const VectorXd>(x_in, rows());
    remove_mean(x);
    Eigen::Map<VectorXd> y(y_out, rows());
    y = solver_.solve(x);
    remove_mean(y);
  }

 private:
  const SparseMatrix& w_;
  Eigen::SimplicialLDLT<SparseMatrix> solver_;
};

double nearest_eigenvalue(const SparseMatrix& w, double sigma) {
  DeflatedInverse op(w);
  Spectra::SymEigsShiftSolver<DeflatedInverse> solver(op, 1, std::min<Index>(20, w.rows()), sigma);
  solver.init();
  solver.compute(Spectra::SortRule::LargestMagn, restarts, precision);
  return solver.info() == Spectra::CompInfo::Successful ? solver.eigenvalues()[0] : not_found;
}

/// By Sylvester's law of inertia: W + bound I is positive definite.
bool all_eigenvalues_above(const SparseMatrix& w, double bound) {
  SparseMatrix identity(w.rows(), w.cols());
  identity.setIdentity();
  const Eigen::SimplicialLDLT<SparseMatrix> solver(w - bound * identity);
  return solver.info() == Eigen::Success && (solver.vectorD().array() > 0).all();
}

/// Eigenvalues that crowd at 1, as those of a ring do, are spread out by inverting next to them.
/// Those at the lower end matter only if they reach below the mirror image of what was found.
double symmetric_shift_invert(const SparseMatrix& w) {
  constexpr double beyond = 1e-8;
  const double top = nearest_eigenvalue(w, 1 + beyond);
  if (std::isnan(top) || all_eigenvalues_above(w, -std::abs(top))) return std::abs(top);
  const double bottom = nearest_eigenvalue(w, -1 - beyond);
  return std::isnan(bottom) ? not_found : std::max(std::abs(top), std::abs(bottom));
}

bool cheap_to_factorize(const Certificate& known, AgentId width) {
  constexpr std::int64_t most_fill = 50'000'000;
  return known.symmetric && known.smallest_weight > 0 && width <= known.agents / 8 &&
         std::int64_t{width} * known.agents <= most_fill;
}

template <class Solve>
double nan_if_it_fails(const Solve& solve) {
  try {
    return solve();
  } catch (const std::runtime_error&) {
    return not_found;
  } catch (const std::invalid_argument&) {
    return not_found;
  }
}

}  // namespace

double second_eigenvalue(const MixingMatrix& matrix, const Certificate& known, AgentId width) {
  if (known.agents == 1) return 0;
  // A doubly stochastic matrix falls into blocks if it is not strongly connected, and each has the
  // eigenvalue 1.
  if (!known.connected && known.doubly_stochastic() && known.smallest_weight > 0) return 1;
  if (known.agents <= largest_dense) return dense_second(matrix, known);
  if (!known.doubly_stochastic()) return not_found;

  const SparseMatrix w = sparse(matrix);
  if (!known.symmetric) return nan_if_it_fails([&] { return general_arnoldi(w); });
  if (cheap_to_factorize(known, width)) {
    const double found = nan_if_it_fails([&] { return symmetric_shift_invert(w); });
    if (!std::isnan(found)) return found;
  }
  return nan_if_it_fails([&] { return symmetric_lanczos(w); });
}

}  // namespace echelon::detail

#include "laplacian.hpp"

#include <Spectra/SymEigsShiftSolver.h>
#include <Spectra/SymEigsSolver.h>

#include <Eigen/Dense>
#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>
#include <algorithm>
#include <optional>
#include <stdexcept>

#include "echelon/core/error.hpp"

namespace echelon::detail {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using SparseMatrix = Eigen::SparseMatrix<double>;

constexpr AgentId largest_dense = 512;
constexpr Index restarts = 300;
constexpr double precision = 1e-10;

double mean(const Eigen::Ref<const VectorXd>& x) {
  return x.dot(VectorXd::Ones(x.size())) / static_cast<double>(x.size());
}

SparseMatrix laplacian(const Graph& graph) {
  std::vector<Eigen::Triplet<double>> triplets;
  triplets.reserve(graph.edges() + static_cast<std::size_t>(graph.agents()));
  for (AgentId i = 0; i < graph.agents(); ++i) {
    for (const AgentId j : graph.senders(i)) triplets.emplace_back(i, j, -1.0);
    triplets.emplace_back(i, i, static_cast<double>(graph.senders(i).size()));
  }
  SparseMatrix result(graph.agents(), graph.agents());
  result.setFromTriplets(triplets.begin(), triplets.end());
  return result;
}

struct Levels {
  AgentId reached = 0;
  AgentId width = 0;  ///< agents on the largest level
  AgentId last = 0;
};

Levels breadth_first(const Graph& graph, AgentId start) {
  std::vector<bool> seen(static_cast<std::size_t>(graph.agents()), false);
  std::vector<AgentId> level = {start};
  std::vector<AgentId> next;
  seen[static_cast<std::size_t>(start)] = true;
  Levels result;
  while (!level.empty()) {
    result.reached += static_cast<AgentId>(level.size());
    result.width = std::max(result.width, static_cast<AgentId>(level.size()));
    result.last = level.back();
    next.clear();
    for (const AgentId i : level) {
      for (const AgentId j : graph.senders(i)) {
        if (seen[static_cast<std::size_t>(j)]) continue;
        seen[static_cast<std::size_t>(j)] = true;
        next.push_back(j);
      }
    }
    level.swap(next);
  }
  return result;
}

LaplacianEnds dense_ends(const SparseMatrix& l) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(MatrixXd(l), Eigen::EigenvaluesOnly);
  ECHELON_ASSERT(solver.info() == Eigen::Success);
  return {solver.eigenvalues()[1], solver.eigenvalues()[l.rows() - 1]};
}

/// y = (L + shift (1 1^T / n + I)) x: the constant vector moves from 0 to `shift`, between the ends
/// if `shift` is the largest degree, and all eigenvalues away from 0, where Spectra's relative
/// stopping rule would ask for too much.
class Deflated {
 public:
  using Scalar = double;
  Deflated(const SparseMatrix& l, double shift) : l_(l), shift_(shift) {}
  Index rows() const { return l_.rows(); }
  Index cols() const { return l_.cols(); }
  void perform_op(const double* x_in, double* y_out) const {
    const VectorXd x = Eigen::Map<const VectorXd>(x_in, rows());
    Eigen::Map<VectorXd> y(y_out, rows());
    y = l_ * x + shift_ * x;
    y.array() += shift_ * mean(x);
  }

 private:
  const SparseMatrix& l_;
  double shift_;
};

std::optional<LaplacianEnds> lanczos_ends(const SparseMatrix& l, double largest_degree) {
  Deflated op(l, largest_degree);
  Spectra::SymEigsSolver<Deflated> solver(op, 2, 50);
  solver.init();
  solver.compute(Spectra::SortRule::BothEnds, restarts, precision);
  if (solver.info() != Spectra::CompInfo::Successful) return std::nullopt;
  const VectorXd found = solver.eigenvalues().array() - largest_degree;
  return LaplacianEnds{found.minCoeff(), found.maxCoeff()};
}

/// y = P (L - sigma I)^-1 P x with P = I - 1 1^T / n, for sigma outside of the spectrum.
class DeflatedInverse {
 public:
  using Scalar = double;
  explicit DeflatedInverse(const SparseMatrix& l) : l_(l) {}
  Index rows() const { return l_.rows(); }
  Index cols() const { return l_.cols(); }
  void set_shift(double sigma) {
    SparseMatrix identity(rows(), rows());
    identity.setIdentity();
    solver_.compute(l_ - sigma * identity);
    if (solver_.info() != Eigen::Success) throw std::runtime_error("the factorization failed");
  }
  void perform_op(const double* x_in, double* y_out) const {
    VectorXd x = Eigen::Map<const VectorXd>(x_in, rows());
    x.array() -= mean(x);
    VectorXd y = solver_.solve(x);
    y.array() -= mean(y);
    Eigen::Map<VectorXd>(y_out, rows()) = y;
  }

 private:
  const SparseMatrix& l_;
  Eigen::SimplicialLDLT<SparseMatrix> solver_;
};

std::optional<double> nearest_eigenvalue(const SparseMatrix& l, double sigma) {
  DeflatedInverse op(l);
  Spectra::SymEigsShiftSolver<DeflatedInverse> solver(op, 1, 20, sigma);
  solver.init();
  solver.compute(Spectra::SortRule::LargestMagn, restarts, precision);
  if (solver.info() != Spectra::CompInfo::Successful) return std::nullopt;
  return solver.eigenvalues()[0];
}

/// For the crowded spectra of rings, paths and narrow lattices. No eigenvalue exceeds twice the
/// largest degree.
std::optional<LaplacianEnds> inverse_ends(const SparseMatrix& l, double largest_degree) {
  const double beyond = 1e-8 * largest_degree;
  const auto second = nearest_eigenvalue(l, -beyond);
  const auto largest = second ? nearest_eigenvalue(l, 2 * largest_degree + beyond) : std::nullopt;
  if (!largest) return std::nullopt;
  return LaplacianEnds{*second, *largest};
}

/// The width of a search from the rim bounds how much a factorization fills in.
bool cheap_to_factorize(AgentId agents, AgentId width) {
  constexpr std::int64_t most_fill = 50'000'000;
  return width <= agents / 8 && std::int64_t{width} * agents <= most_fill;
}

template <class Solve>
std::optional<LaplacianEnds> none_if_it_fails(const Solve& solve) {
  try {
    return solve();
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace

LaplacianEnds laplacian_ends(const Graph& graph) {
  const AgentId n = graph.agents();
  ECHELON_ASSERT(n >= 2 && graph.is_undirected());
  const Levels from_first = breadth_first(graph, 0);
  require(from_first.reached == n, ErrorKind::usage,
          "best-constant weights: the graph is not connected (agent 0 reaches ", from_first.reached,
          " of ", n,
          " agents, and no constant weight makes the others agree); choose `metropolis` "
          "weights or a connected graph");
  const SparseMatrix l = laplacian(graph);
  if (n <= largest_dense) return dense_ends(l);

  const double largest_degree = VectorXd(l.diagonal()).maxCoeff();
  std::optional<LaplacianEnds> found;
  if (cheap_to_factorize(n, breadth_first(graph, from_first.last).width)) {
    found = none_if_it_fails([&] { return inverse_ends(l, largest_degree); });
  }
  if (!found) found = none_if_it_fails([&] { return lanczos_ends(l, largest_degree); });
  require(found.has_value(), ErrorKind::usage,
          "best-constant weights: the Laplacian's eigenvalues "
          "were not found (the iteration did not converge for ",
          n, " agents); choose `metropolis` weights");
  return *found;
}

}  // namespace echelon::detail

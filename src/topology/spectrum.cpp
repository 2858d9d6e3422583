#include "spectrum.hpp"

#include <Eigen/Dense>
#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "arnoldi.hpp"
#include "lanczos.hpp"

namespace echelon::detail {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using SparseMatrix = Eigen::SparseMatrix<double>;

constexpr double not_found = std::numeric_limits<double>::quiet_NaN();

MatrixXd dense(const MixingMatrix& matrix) {
  MatrixXd result = MatrixXd::Zero(matrix.agents(), matrix.agents());
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) result(i, j) = weight;
  }
  return result;
}

std::size_t weights_of(const Certificate& known) {
  return known.edges + static_cast<std::size_t>(known.agents);
}

/// Rows one after the other without gaps: what limits a product is how fast memory can be read.
struct FlatRows {
  std::vector<std::size_t> ends{};
  std::vector<AgentId> senders{};
  std::vector<double> weights{};
};

FlatRows flat_rows(const MixingMatrix& matrix) {
  FlatRows rows;
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      rows.senders.push_back(j);
      rows.weights.push_back(weight);
    }
    rows.ends.push_back(rows.senders.size());
  }
  return rows;
}

/// y = W x.
void apply(const FlatRows& rows, const std::vector<double>& x, std::vector<double>& y) {
  const AgentId* senders = rows.senders.data();
  const double* weights = rows.weights.data();
  std::size_t at = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    double sum = 0;
    for (const std::size_t end = rows.ends[i]; at < end; ++at) {
      sum += weights[at] * x[static_cast<std::size_t>(senders[at])];
    }
    y[i] = sum;
  }
}

void apply(const MixingMatrix& matrix, const std::vector<double>& x, std::vector<double>& y) {
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    double sum = 0;
    for (const auto& [j, weight] : matrix.row(i)) sum += weight * x[static_cast<std::size_t>(j)];
    y[static_cast<std::size_t>(i)] = sum;
  }
}

/// y = W^T x.
void apply_transposed(const MixingMatrix& matrix, const std::vector<double>& x,
                      std::vector<double>& y) {
  std::fill(y.begin(), y.end(), 0.0);
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    const double value = x[static_cast<std::size_t>(i)];
    for (const auto& [j, weight] : matrix.row(i)) y[static_cast<std::size_t>(j)] += weight * value;
  }
}

/// The eigenvalue 1 of the constant vectors is the one nearest to 1.
Spectrum dense_symmetric(const MatrixXd& w) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(w, Eigen::EigenvaluesOnly);
  if (solver.info() != Eigen::Success) return {not_found, not_found};
  const auto& values = solver.eigenvalues();
  Index dropped = 0;
  for (Index i = 1; i < values.size(); ++i) {
    if (std::abs(values[i] - 1) < std::abs(values[dropped] - 1)) dropped = i;
  }
  double largest = 0;
  for (Index i = 0; i < values.size(); ++i) {
    if (i != dropped) largest = std::max(largest, std::abs(values[i]));
  }
  return {largest, values[0]};
}

/// sigma I - W, below and on the diagonal.
SparseMatrix shifted(const MixingMatrix& matrix, double sigma, double sign) {
  const Index n = matrix.agents();
  SparseMatrix result(n, n);
  for (AgentId j = 0; j < n; ++j) {
    result.startVec(j);
    result.insertBack(j, j) = sigma;
    for (const auto& [i, weight] : matrix.row(j)) {
      if (i == j) result.coeffRef(j, j) -= sign * weight;
      if (i > j) result.insertBack(i, j) = -sign * weight;
    }
  }
  result.finalize();
  return result;
}

/// The eigenvalue of sign W nearest below 1, without that of the constant vectors: eigenvalues that
/// crowd at 1, as those of a ring do, are spread out by inverting next to them. NaN if any is above
/// (by Sylvester's law of inertia).
double nearest_to_one(const MixingMatrix& matrix, double sign) {
  constexpr double sigma = 1 + 1e-8;
  const Eigen::SimplicialLDLT<SparseMatrix> solver(shifted(matrix, sigma, sign));
  if (solver.info() != Eigen::Success || !(solver.vectorD().array() > 0).all()) return not_found;
  const Operator inverse = [&](const std::vector<double>& x, std::vector<double>& y) {
    const auto n = static_cast<Index>(x.size());
    Eigen::Map<Eigen::VectorXd>(y.data(), n) =
        solver.solve(Eigen::Map<const Eigen::VectorXd>(x.data(), n));
  };
  LanczosGoal goal;
  goal.lowest = false;
  goal.highest_origin = 0;
  goal.full_steps = 40;
  goal.most_steps = 400;
  return sigma - 1 / lanczos(inverse, static_cast<std::size_t>(matrix.agents()), goal).highest;
}

/// A few edges more than a tree, or long and thin. Worth it where news travels slowly.
bool cheap_to_factorize(const Certificate& known, AgentId width) {
  constexpr double most_work = 2e9;
  const double agents = known.agents;
  const double edges = static_cast<double>(known.edges) / 2;
  if (edges <= agents * 1.02) return true;
  return agents * width * width <= most_work;
}

bool possible_to_factorize(const Certificate& known, AgentId width) {
  constexpr std::int64_t most_fill = 50'000'000;
  return width <= known.agents / 8 && std::int64_t{width} * known.agents <= most_fill;
}

int steps_for(double work, const Certificate& known) {
  const double step = static_cast<double>(weights_of(known)) + 6.0 * known.agents;
  return static_cast<int>(std::clamp(work / step, 30.0, 10000.0));
}

/// The constant vectors' eigenvalue 1 counts for the smallest.
Spectrum from_ends(double lowest, double highest) {
  return {std::max(std::abs(lowest), std::abs(highest)), std::min(lowest, 1.0)};
}

Spectrum large_symmetric(const MixingMatrix& matrix, const Certificate& known, AgentId width) {
  const bool in_parts = !known.connected && known.smallest_weight > 0;
  const bool thin = !in_parts && cheap_to_factorize(known, width);
  double highest = in_parts ? 1 : not_found;
  if (thin) highest = nearest_to_one(matrix, 1);

  LanczosGoal goal;
  goal.highest = std::isnan(highest);
  goal.full_steps = steps_for(1e8, known);
  goal.most_steps = steps_for(thin ? 4e8 : 4e9, known);
  const FlatRows rows = flat_rows(matrix);
  const Operator w = [&](const std::vector<double>& x, std::vector<double>& y) {
    apply(rows, x, y);
  };
  const SpectrumEnds ends = lanczos(w, static_cast<std::size_t>(known.agents), goal);
  if (goal.highest) highest = ends.highest;
  double lowest = ends.lowest;
  const bool again = thin || possible_to_factorize(known, width);
  if (again && std::isnan(lowest)) lowest = -nearest_to_one(matrix, -1);
  if (again && !thin && std::isnan(highest)) highest = nearest_to_one(matrix, 1);
  if (std::isnan(highest) || std::isnan(lowest)) return {not_found, lowest};
  return from_ends(lowest, highest);
}

/// Whether W W^T = W^T W, on random vectors.
bool is_normal(const MixingMatrix& matrix) {
  const std::vector<double> x = probe_vector(static_cast<std::size_t>(matrix.agents()), 1);
  std::vector<double> y(x.size());
  std::vector<double> left(x.size());
  std::vector<double> right(x.size());
  apply_transposed(matrix, x, y);
  apply(matrix, y, left);
  apply(matrix, x, y);
  apply_transposed(matrix, y, right);
  double difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference = std::max(difference, std::abs(left[i] - right[i]));
  }
  return difference < 1e-13;
}

/// The absolute eigenvalues of a normal matrix, as circulant ones are, are the roots of those of
/// W^T W.
double large_normal(const MixingMatrix& matrix, const Certificate& known) {
  std::vector<double> between(static_cast<std::size_t>(known.agents));
  const Operator squared = [&](const std::vector<double>& x, std::vector<double>& y) {
    apply(matrix, x, between);
    apply_transposed(matrix, between, y);
  };
  LanczosGoal goal;
  goal.lowest = false;
  goal.full_steps = steps_for(5e7, known);
  goal.most_steps = steps_for(1e9, known);
  return std::sqrt(lanczos(squared, between.size(), goal).highest);
}

Operator operator_of(const Rounds& rounds) {
  return [&rounds, between = std::vector<double>()](const std::vector<double>& x,
                                                    std::vector<double>& y) mutable {
    between = x;
    remove_mean(between);
    for (const auto& round : rounds) {
      apply(*round, between, y);
      remove_mean(y);
      std::swap(between, y);
    }
    std::swap(between, y);
  };
}

double norm(const std::vector<double>& x) {
  return std::sqrt(inner_product(x, x));
}

}  // namespace

Spectrum spectrum(const MixingMatrix& matrix, const Certificate& known, AgentId width) {
  if (known.agents == 1) return {0, 1};
  Spectrum result{not_found, not_found};
  if (known.agents <= largest_dense && known.symmetric) {
    result = dense_symmetric(dense(matrix));
  } else if (known.symmetric) {
    result = large_symmetric(matrix, known, width);
  }
  // A doubly stochastic matrix falls into blocks if it is not strongly connected, and each has the
  // eigenvalue 1.
  if (!known.connected && known.doubly_stochastic() && known.smallest_weight > 0) {
    result.second = 1;
  } else if (!known.symmetric && known.agents > largest_dense && known.doubly_stochastic() &&
             is_normal(matrix)) {
    result.second = large_normal(matrix, known);
  } else if (!known.symmetric) {
    const Rounds one = {std::shared_ptr<const MixingMatrix>(std::shared_ptr<void>(), &matrix)};
    result.second =
        std::exp(known.agents <= largest_dense ? log_largest_eigenvalue(dense_product(one))
                                               : log_largest_eigenvalue(one));
  }
  return result;
}

DenseProduct dense_product(const Rounds& rounds) {
  constexpr double rounding = 1e-13;
  const AgentId n = rounds.front()->agents();
  MatrixXd product = MatrixXd::Identity(n, n).array() - 1.0 / n;
  MatrixXd next(n, n);
  DenseProduct result;
  for (const auto& round : rounds) {
    for (Index column = 0; column < n; ++column) {
      double sum = 0;
      for (AgentId i = 0; i < n; ++i) {
        double value = 0;
        for (const auto& [j, weight] : round->row(i)) value += weight * product(j, column);
        next(i, column) = value;
        sum += value;
      }
      next.col(column).array() -= sum / n;
    }
    const double length = next.norm();
    if (length <= rounding * product.norm()) return {};
    result.log_scale += std::log(length);
    product = next / length;
  }
  result.scaled = std::move(product);
  return result;
}

double log_norm(const DenseProduct& product) {
  if (product.zero()) return -std::numeric_limits<double>::infinity();
  const MatrixXd squared = product.scaled.transpose() * product.scaled;
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(squared, Eigen::EigenvaluesOnly);
  return product.log_scale + std::log(solver.eigenvalues().maxCoeff()) / 2;
}

double log_largest_eigenvalue(const DenseProduct& product) {
  if (product.zero()) return -std::numeric_limits<double>::infinity();
  const Eigen::EigenSolver<MatrixXd> solver(product.scaled, false);
  if (solver.info() != Eigen::Success) return not_found;
  return product.log_scale + std::log(solver.eigenvalues().cwiseAbs().maxCoeff());
}

int powers_until(const DenseProduct& product, double bound, int most, bool& nilpotent) {
  constexpr double rounding = 1e-13;
  const double target = std::log(bound);
  nilpotent = product.zero();
  if (nilpotent) return 1;
  const double half_log_n = std::log(static_cast<double>(product.scaled.rows())) / 2;
  DenseProduct power = product;
  for (int m = 1; m <= most; ++m) {
    const double log_frobenius = power.log_scale + std::log(power.scaled.norm());
    if (log_frobenius <= target) return m;
    if (log_frobenius - half_log_n <= target && log_norm(power) <= target) return m;
    const MatrixXd next = product.scaled * power.scaled;
    const double length = next.norm();
    nilpotent = length <= rounding * product.scaled.norm() * power.scaled.norm();
    if (nilpotent) return m + 1;
    power.log_scale += product.log_scale + std::log(length);
    power.scaled = next / length;
  }
  return 0;
}

double log_largest_eigenvalue(const Rounds& rounds) {
  return arnoldi_log_largest(operator_of(rounds),
                             static_cast<std::size_t>(rounds.front()->agents()));
}

double log_decay(const Rounds& rounds) {
  constexpr std::uint64_t vectors = 3;
  const std::size_t half = rounds.size() / 2;
  double largest = -std::numeric_limits<double>::infinity();
  for (std::uint64_t k = 0; k < vectors; ++k) {
    std::vector<double> x = probe_vector(static_cast<std::size_t>(rounds.front()->agents()), 2 + k);
    std::vector<double> y(x.size());
    double log_length = 0;
    for (std::size_t round = 0; round < rounds.size(); ++round) {
      const double before = norm(x);
      apply(*rounds[round], x, y);
      remove_mean(y);
      const double length = norm(y);
      if (length <= 1e-13 * before) {
        log_length = -std::numeric_limits<double>::infinity();
        break;
      }
      if (round >= half) log_length += std::log(length / before);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = y[i] / length;
    }
    largest = std::max(largest, log_length);
  }
  return largest / static_cast<double>(rounds.size() - half);
}

}  // namespace echelon::detail

#pragma once
/// Eigenvalues of mixing matrices, and of products of several.

#include <Eigen/Core>
#include <memory>
#include <vector>

#include "echelon/topology/certificate.hpp"

namespace echelon::detail {

constexpr AgentId largest_dense = 512;

struct Spectrum {
  double second;    ///< second largest absolute eigenvalue
  double smallest;  ///< of a symmetric matrix
};

/// Reads what is already certified about W: connected, sums, symmetric, smallest weight, diameter.
/// `width` is the number of agents on the largest level of a search from the rim of the graph; it
/// bounds how much a factorization fills in. NaN for what was not found.
Spectrum spectrum(const MixingMatrix& matrix, const Certificate& known, AgentId width);

using Rounds = std::vector<std::shared_ptr<const MixingMatrix>>;

/// P = W(T-1) ... W(0) between projections off the mean, n x n, as `scaled` times exp(log_scale).
/// For row-stochastic factors it is (I - J) P, for column-stochastic ones P (I - J), for doubly
/// stochastic ones P - J. Zero where it is below rounding.
struct DenseProduct {
  Eigen::MatrixXd scaled;
  double log_scale = 0;

  bool zero() const { return scaled.size() == 0; }
};
DenseProduct dense_product(const Rounds& rounds);
/// Logarithm of the spectral norm.
double log_norm(const DenseProduct& product);
/// Logarithm of the largest absolute eigenvalue; NaN if it was not found.
double log_largest_eigenvalue(const DenseProduct& product);
/// The smallest m with |product^m| <= bound in the spectral norm; 0 if that would be more than
/// `most`. Sets `nilpotent` if a power is zero.
int powers_until(const DenseProduct& product, double bound, int most, bool& nilpotent);

/// The same largest eigenvalue with the product as an operator.
double log_largest_eigenvalue(const Rounds& rounds);
/// What one pass over `rounds` does to differences in the long run, per round: logarithm of the
/// factor, from random vectors over the second half of the rounds.
double log_decay(const Rounds& rounds);

}  // namespace echelon::detail

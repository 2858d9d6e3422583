#pragma once
/// Logistic regression on sparse rows: losses, gradients at several points in one pass over the
/// data, exact Hessian products.
///
///     z_j = <a_j, y>      CE_j(y) = log(1 + e^{z_j}) - label_j z_j,  label_j in {0, 1}
///     grad CE_j = (sigma(z_j) - label_j) a_j      Hessian of CE_j = sigma(z_j) sigma(-z_j) a_j
///     a_j^T
///
/// y in R^D, no bias. Scalar (float or double) is the type of z and sigma; gradients are summed in
/// double, row after row. Results do not depend on addresses, on threads, or on how many points
/// share a pass.

#include <cstdint>
#include <span>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/problem/data.hpp"

namespace echelon {

/// Samples of one agent taking part in a call.
struct SparseBatch {
  const SparseData& samples;
  const std::uint8_t* labels;                       ///< one per row of `samples`, 0 or 1
  const std::vector<std::int64_t>* rows = nullptr;  ///< with repetitions; nullptr = every row once

  Index count() const { return rows ? static_cast<Index>(rows->size()) : samples.rows(); }
  std::size_t row(Index position) const {
    const auto index = static_cast<std::size_t>(position);
    return rows ? static_cast<std::size_t>((*rows)[index]) : index;
  }
};

/// One classifier and what is wanted of it; nullptr = not wanted. Arrays over samples have one
/// entry per position in the batch.
struct LogisticPoint {
  const double* y;                      ///< D numbers
  double scale = 1;                     ///< multiplies the gradient
  double* gradient = nullptr;           ///< sum_j scale grad CE_j, D numbers
  double* losses = nullptr;             ///< CE_j
  std::uint8_t* predictions = nullptr;  ///< 1 where z > 0
};

template <class Scalar>
void logistic_evaluate(const SparseBatch& batch, std::span<const LogisticPoint> points);

/// hv = sum_j scale (Hessian of CE_j at y) v.
template <class Scalar>
void logistic_product(const SparseBatch& batch, const double* y, const double* v, double scale,
                      double* hv);

extern template void logistic_evaluate<float>(const SparseBatch&, std::span<const LogisticPoint>);
extern template void logistic_evaluate<double>(const SparseBatch&, std::span<const LogisticPoint>);
extern template void logistic_product<float>(const SparseBatch&, const double*, const double*,
                                             double, double*);
extern template void logistic_product<double>(const SparseBatch&, const double*, const double*,
                                              double, double*);

}  // namespace echelon

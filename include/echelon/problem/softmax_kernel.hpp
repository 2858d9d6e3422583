#pragma once
/// Softmax regression on dense rows: losses, gradients at several points in one pass over the data,
/// exact Hessian products.
///
///     z_jc = <a_j, y_c> + bias_c      P_j = softmax(z_j)      CE_j(y) = log sum_c e^{z_jc} -
///     z_j,label(j) grad sum_j w_j CE_j = sum_j w_j (P_j - e_label(j)) (a_j, 1)^T
///
/// y in R^{(D+1) x C}, column-major: class c is column c, its last entry the bias. Rows are taken
/// in blocks, forward and backward while a block is in cache. Scalar (float or double) is the type
/// of all products; sums over blocks are double. Results do not depend on addresses, on threads, or
/// on how many points share a pass.

#include <cstdint>
#include <span>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/eigen.hpp"
#include "echelon/problem/data.hpp"

namespace echelon {

/// Rows in float, padded with zeros to a stride that suits vectors and caches.
class DenseSamples {
 public:
  DenseSamples() = default;
  /// Copies rows first .. first + rows - 1 of `data`.
  DenseSamples(const DenseData& data, std::int64_t first, std::int64_t rows);

  Index features() const { return features_; }
  Index rows() const { return rows_; }
  Index stride() const { return stride_; }
  const float* row(Index i) const { return values_.data() + i * stride_; }
  std::int64_t bytes() const { return std::ssize(values_) * std::int64_t{sizeof(float)}; }

 private:
  Index features_ = 0;
  Index rows_ = 0;
  Index stride_ = 0;
  std::vector<float> values_;
};

/// Samples of one agent taking part in a call.
struct DenseBatch {
  const DenseSamples& samples;
  const std::uint8_t* labels;                       ///< one per row of `samples`
  const std::vector<std::int64_t>* rows = nullptr;  ///< with repetitions; nullptr = every row once

  Index count() const { return rows ? static_cast<Index>(rows->size()) : samples.rows(); }
  Index row(Index position) const {
    return rows ? (*rows)[static_cast<std::size_t>(position)] : position;
  }
};

/// Samples and their labels.
struct LabelledRows {
  DenseSamples samples;
  std::vector<std::uint8_t> labels;

  DenseBatch batch(const std::vector<std::int64_t>* rows = nullptr) const {
    return {samples, labels.data(), rows};
  }
  std::int64_t bytes() const { return samples.bytes() + std::ssize(labels); }
};

/// One classifier and what is wanted of it; nullptr = not wanted. Arrays over samples have one
/// entry per position in the batch.
struct SoftmaxPoint {
  const double* y;                      ///< (D+1) C numbers
  const double* weights = nullptr;      ///< w_j; nullptr = all 1
  double scale = 1;                     ///< multiplies every weight
  double* gradient = nullptr;           ///< sum_j scale w_j grad CE_j, (D+1) C numbers
  double* losses = nullptr;             ///< CE_j, without weights
  std::uint8_t* predictions = nullptr;  ///< the class with the largest z, the first of equals
};

/// Evaluates all points in one pass. Without any gradient there is no backward half.
template <class Scalar>
void softmax_evaluate(const DenseBatch& batch, Index classes, std::span<const SoftmaxPoint> points);

struct SoftmaxProduct {
  const double* y;
  const double* v;
  const double* weights = nullptr;
  double scale = 1;
  double* hv = nullptr;      ///< sum_j scale w_j (Hessian of CE_j at y) v
  double* slopes = nullptr;  ///< <grad CE_j(y), v>, without weights
};

/// Exact products: with Z = A y and V = A v, the Hessian product is that of S_j = P_j * (V_j -
/// <P_j, V_j>) in place of P_j - e.
template <class Scalar>
void softmax_product(const DenseBatch& batch, Index classes, const SoftmaxProduct& product);

extern template void softmax_evaluate<float>(const DenseBatch&, Index,
                                             std::span<const SoftmaxPoint>);
extern template void softmax_evaluate<double>(const DenseBatch&, Index,
                                              std::span<const SoftmaxPoint>);
extern template void softmax_product<float>(const DenseBatch&, Index, const SoftmaxProduct&);
extern template void softmax_product<double>(const DenseBatch&, Index, const SoftmaxProduct&);

}  // namespace echelon

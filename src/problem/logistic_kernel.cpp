#include "echelon/problem/logistic_kernel.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace echelon {

namespace {

constexpr Index block_rows = 256;
/// More points than this are taken in several passes.
constexpr std::size_t most_points = 4;

/// One number per row of a block. Fixed size and alignment: coefficient-wise functions are the same
/// at any address.
template <class Scalar>
using BlockArray = Eigen::Array<Scalar, block_rows, 1>;

/// `width` numbers that are worked on at once, filled up to whole packets.
template <class Scalar, std::size_t width>
using Lanes = Eigen::Array<
    Scalar, width == 1 ? 1 : static_cast<int>(std::max(16 / sizeof(Scalar), std::bit_ceil(width))),
    1>;

/// `width` vectors of D numbers side by side, [feature][vector], so that a row's entry meets all of
/// them at once.
template <class Scalar, std::size_t width>
class Interleaved {
 public:
  using Entry = Lanes<Scalar, width>;

  explicit Interleaved(std::int64_t features)
      : values_(static_cast<std::size_t>(features) * stride) {}

  void set(std::size_t slot, const double* vector) {
    for (std::size_t i = slot; i < values_.size(); i += stride) {
      values_[i] = static_cast<Scalar>(*vector++);
    }
  }
  void write(std::size_t slot, double* vector) const {
    for (std::size_t i = slot; i < values_.size(); i += stride) {
      *vector++ = static_cast<double>(values_[i]);
    }
  }
  Eigen::Map<Entry> at(std::int32_t feature) {
    return Eigen::Map<Entry>(values_.data() + static_cast<std::size_t>(feature) * stride);
  }

 private:
  static constexpr auto stride = static_cast<std::size_t>(Entry::SizeAtCompileTime);
  std::vector<Scalar> values_;
};

template <class Scalar, std::size_t width>
using BlockArrays = std::array<BlockArray<Scalar>, width>;

/// z[p](b) = <row b of the block, vector p>
template <class Scalar, std::size_t width>
void forward(const SparseBatch& batch, Index first, Index count,
             Interleaved<Scalar, width>& vectors, BlockArrays<Scalar, width>& z) {
  for (Index b = 0; b < count; ++b) {
    const std::size_t row = batch.row(first + b);
    Lanes<Scalar, width> sums = Lanes<Scalar, width>::Zero();
    for (auto k = static_cast<std::size_t>(batch.samples.offsets[row]);
         k < static_cast<std::size_t>(batch.samples.offsets[row + 1]); ++k) {
      const auto value = static_cast<Scalar>(batch.samples.values[k]);
      sums += value * vectors.at(batch.samples.columns[k]);
    }
    for (std::size_t p = 0; p < width; ++p) z[p](b) = sums(static_cast<Index>(p));
  }
}

/// vector p += sum_b s[p](b) (row b of the block)
template <class Scalar, std::size_t width>
void backward(const SparseBatch& batch, Index first, Index count,
              const BlockArrays<Scalar, width>& s, Interleaved<double, width>& totals) {
  for (Index b = 0; b < count; ++b) {
    const std::size_t row = batch.row(first + b);
    Lanes<double, width> factors = Lanes<double, width>::Zero();
    for (std::size_t p = 0; p < width; ++p) {
      factors(static_cast<Index>(p)) = static_cast<double>(s[p](b));
    }
    for (auto k = static_cast<std::size_t>(batch.samples.offsets[row]);
         k < static_cast<std::size_t>(batch.samples.offsets[row + 1]); ++k) {
      totals.at(batch.samples.columns[k]) += static_cast<double>(batch.samples.values[k]) * factors;
    }
  }
}

/// e^{-|z|} never overflows; sigma and the loss follow from it.
template <class Scalar>
BlockArray<Scalar> decays(const BlockArray<Scalar>& z) {
  return (-z.abs()).exp();
}

template <class Scalar>
BlockArray<Scalar> sigma(const BlockArray<Scalar>& z, const BlockArray<Scalar>& decay) {
  // Written so that a NaN stays one.
  return (z < Scalar(0)).select(decay, BlockArray<Scalar>::Ones()) / (Scalar(1) + decay);
}

/// Losses and predictions of a block; z becomes the derivatives of the scaled losses.
template <class Scalar>
void finish_block(const SparseBatch& batch, Index first, Index count, const LogisticPoint& point,
                  BlockArray<Scalar>& z) {
  const auto label = [&](Index b) { return batch.labels[batch.row(first + b)]; };
  for (Index b = 0; point.predictions && b < count; ++b) {
    point.predictions[first + b] = z(b) > 0 ? 1 : 0;
  }
  const BlockArray<Scalar> decay = decays<Scalar>(z);
  for (Index b = 0; point.losses && b < count; ++b) {
    const auto margin = static_cast<double>(label(b) == 1 ? z(b) : -z(b));
    point.losses[first + b] =
        std::log1p(static_cast<double>(decay(b))) + (margin > 0 ? 0 : -margin);
  }
  if (!point.gradient) return;
  z = sigma<Scalar>(z, decay);
  for (Index b = 0; b < count; ++b) z(b) -= static_cast<Scalar>(label(b));
  z *= static_cast<Scalar>(point.scale);
}

template <class Scalar, std::size_t width>
void evaluate(const SparseBatch& batch, std::span<const LogisticPoint> points) {
  Interleaved<Scalar, width> vectors(batch.samples.features);
  Interleaved<double, width> totals(batch.samples.features);
  bool any_gradient = false;
  for (std::size_t p = 0; p < width; ++p) {
    vectors.set(p, points[p].y);
    any_gradient = any_gradient || points[p].gradient;
  }
  BlockArrays<Scalar, width> z;
  for (BlockArray<Scalar>& values : z) values.setZero();
  for (Index first = 0; first < batch.count(); first += block_rows) {
    const Index count = std::min(block_rows, batch.count() - first);
    forward(batch, first, count, vectors, z);
    for (std::size_t p = 0; p < width; ++p) finish_block(batch, first, count, points[p], z[p]);
    if (any_gradient) backward(batch, first, count, z, totals);
  }
  for (std::size_t p = 0; p < width; ++p) {
    if (points[p].gradient) totals.write(p, points[p].gradient);
  }
}

}  // namespace

template <class Scalar>
void logistic_evaluate(const SparseBatch& batch, std::span<const LogisticPoint> points) {
  for (; points.size() > most_points; points = points.subspan(most_points)) {
    evaluate<Scalar, most_points>(batch, points.first(most_points));
  }
  switch (points.size()) {
    case 1:
      return evaluate<Scalar, 1>(batch, points);
    case 2:
      return evaluate<Scalar, 2>(batch, points);
    case 3:
      return evaluate<Scalar, 3>(batch, points);
    case 4:
      return evaluate<Scalar, 4>(batch, points);
    default:
      return;
  }
}

template <class Scalar>
void logistic_product(const SparseBatch& batch, const double* y, const double* v, double scale,
                      double* hv) {
  Interleaved<Scalar, 2> vectors(batch.samples.features);
  vectors.set(0, y);
  vectors.set(1, v);
  Interleaved<double, 1> totals(batch.samples.features);
  BlockArrays<Scalar, 2> z;
  for (BlockArray<Scalar>& values : z) values.setZero();
  for (Index first = 0; first < batch.count(); first += block_rows) {
    const Index count = std::min(block_rows, batch.count() - first);
    forward(batch, first, count, vectors, z);
    const BlockArray<Scalar> decay = decays<Scalar>(z[0]);
    const BlockArrays<Scalar, 1> s{decay / (Scalar(1) + decay).square() * z[1] *
                                   static_cast<Scalar>(scale)};
    backward(batch, first, count, s, totals);
  }
  totals.write(0, hv);
}

template void logistic_evaluate<float>(const SparseBatch&, std::span<const LogisticPoint>);
template void logistic_evaluate<double>(const SparseBatch&, std::span<const LogisticPoint>);
template void logistic_product<float>(const SparseBatch&, const double*, const double*, double,
                                      double*);
template void logistic_product<double>(const SparseBatch&, const double*, const double*, double,
                                       double*);

}  // namespace echelon

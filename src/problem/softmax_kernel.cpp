#include "echelon/problem/softmax_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "echelon/core/error.hpp"
#include "thin_products.hpp"

namespace echelon {

namespace {

using detail::head_group;
using detail::row_group;

constexpr Index block_rows = 64;
/// An odd multiple, so that rows of 1024 or 4096 numbers do not compete for the same cache sets.
constexpr Index stride_unit = 16;

Index rounded_up(Index count, Index unit) {
  return (count + unit - 1) / unit * unit;
}

template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

/// One number per row of a block. Fixed size and alignment: coefficient-wise functions and sums are
/// the same at any address.
template <class Scalar>
using BlockArray = Eigen::Array<Scalar, block_rows, 1>;

/// Serves a batch as blocks of Scalar rows: in place when possible, otherwise gathered or cast into
/// a buffer.
template <class Scalar>
class BlockReader {
 public:
  explicit BlockReader(const DenseBatch& batch) : batch_(batch) {
    if (in_place()) return;
    const Index rows = std::min(block_rows, rounded_up(batch.count(), row_group));
    buffer_.setZero(batch.samples.stride(), rows);
  }

  /// Valid until the next call. Rows between `count` and the next multiple of row_group are
  /// readable and arbitrary.
  const Scalar* load(Index first, Index count) {
    if constexpr (std::is_same_v<Scalar, float>) {
      if (in_place()) return batch_.samples.row(first);
    }
    for (Index b = 0; b < count; ++b) {
      const float* row = batch_.samples.row(batch_.row(first + b));
      std::copy(row, row + batch_.samples.stride(), buffer_.col(b).data());
    }
    return buffer_.data();
  }

 private:
  bool in_place() const { return std::is_same_v<Scalar, float> && !batch_.rows; }

  const DenseBatch& batch_;
  Matrix<Scalar> buffer_;
};

/// Classifiers stacked side by side: `group` heads for each, those beyond the classes zero.
template <class Scalar>
class Stack {
 public:
  Stack(Index features, Index stride, Index classes, std::size_t count)
      : features_(features), classes_(classes), group_(rounded_up(classes, head_group)) {
    heads_.setZero(stride, group_ * static_cast<Index>(count));
    biases_.setZero(heads_.cols());
    z_.setZero(block_rows, heads_.cols());
  }

  void set(std::size_t slot, const double* y) {
    for (Index c = 0; c < classes_; ++c, y += features_ + 1) {
      const Index head = first_head(slot) + c;
      for (Index d = 0; d < features_; ++d) heads_(d, head) = static_cast<Scalar>(y[d]);
      biases_(head) = static_cast<Scalar>(y[features_]);
    }
  }

  /// z = rows times heads + biases. Entries beyond `count` are arbitrary but finite if the heads
  /// are.
  void forward(const Scalar* x, Index count) {
    detail::thin_forward(x, count, heads_.data(), heads_.cols(), heads_.rows(), z_.data(),
                         block_rows);
    for (Index h = 0; h < heads_.cols(); ++h) head(h) += biases_(h);
  }

  Eigen::Map<BlockArray<Scalar>, Eigen::AlignedMax> z(std::size_t slot, Index c) {
    return head(first_head(slot) + c);
  }
  const Scalar* z_data() const { return z_.data(); }
  Index group() const { return group_; }

 private:
  Index first_head(std::size_t slot) const { return static_cast<Index>(slot) * group_; }
  Eigen::Map<BlockArray<Scalar>, Eigen::AlignedMax> head(Index h) {
    return Eigen::Map<BlockArray<Scalar>, Eigen::AlignedMax>(z_.col(h).data());
  }

  Index features_;
  Index classes_;
  Index group_;
  Matrix<Scalar> heads_;                             // stride x heads
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> biases_;  // heads
  Matrix<Scalar> z_;                                 // block_rows x heads
};

/// Gradients of the first `slots` classifiers of a stack.
template <class Scalar>
class GradientTotals {
 public:
  GradientTotals(Index features, Index stride, Index classes, Index group, std::size_t slots)
      : features_(features), classes_(classes), group_(group) {
    totals_.setZero(stride, group * static_cast<Index>(slots));
    biases_.setZero(totals_.cols());
  }

  /// Adds a block whose z hold the derivatives; those beyond `count` must be 0.
  void add(const Scalar* x, Index count, Stack<Scalar>& stack) {
    if (totals_.cols() == 0) return;
    detail::thin_backward(x, count, stack.z_data(), block_rows, totals_.cols(), totals_.data(),
                          totals_.rows());
    for (Index h = 0; h < totals_.cols(); ++h) {
      biases_(h) += static_cast<double>(stack.z(0, h).sum());
    }
  }

  void write(std::size_t slot, double* gradient) const {
    for (Index c = 0; c < classes_; ++c, gradient += features_ + 1) {
      const Index head = static_cast<Index>(slot) * group_ + c;
      std::copy_n(totals_.col(head).data(), features_, gradient);
      gradient[features_] = biases_(head);
    }
  }

 private:
  Index features_;
  Index classes_;
  Index group_;
  Matrix<double> totals_;  // stride x heads
  Eigen::VectorXd biases_;
};

/// Weights of a block times the scale; 0 beyond its rows.
template <class Scalar>
BlockArray<Scalar> block_weights(const double* weights, double scale, Index first, Index count) {
  BlockArray<Scalar> result = BlockArray<Scalar>::Zero();
  for (Index b = 0; b < count; ++b) {
    result(b) = static_cast<Scalar>(weights ? scale * weights[first + b] : scale);
  }
  return result;
}

/// Replaces z by e^{z - max}, and returns their sums.
template <class Scalar>
BlockArray<Scalar> exponentials(Stack<Scalar>& stack, std::size_t slot, Index classes) {
  BlockArray<Scalar> largest = stack.z(slot, 0);
  for (Index c = 1; c < classes; ++c) largest = largest.max(stack.z(slot, c));
  BlockArray<Scalar> sums = BlockArray<Scalar>::Zero();
  for (Index c = 0; c < classes; ++c) {
    auto z = stack.z(slot, c);
    z = (z - largest).exp();
    sums += z;
  }
  return sums;
}

template <class Scalar>
void write_predictions(Stack<Scalar>& stack, std::size_t slot, Index classes, Index count,
                       std::uint8_t* predictions) {
  for (Index b = 0; b < count; ++b) {
    Index best = 0;
    for (Index c = 1; c < classes; ++c) {
      if (stack.z(slot, c)(b) > stack.z(slot, best)(b)) best = c;
    }
    predictions[b] = static_cast<std::uint8_t>(best);
  }
}

/// The part of a block after its z are known: predictions, losses, and derivatives of the weighted
/// losses in place of z.
template <class Scalar>
void finish_block(const DenseBatch& batch, Index first, Index count, Index classes,
                  const SoftmaxPoint& point, Stack<Scalar>& stack, std::size_t slot) {
  const auto label = [&](Index b) { return Index{batch.labels[batch.row(first + b)]}; };
  if (point.predictions) {
    write_predictions(stack, slot, classes, count, point.predictions + first);
  }
  if (!point.losses && !point.gradient) return;

  BlockArray<Scalar> largest = stack.z(slot, 0);
  BlockArray<Scalar> chosen;
  if (point.losses) {
    for (Index c = 1; c < classes; ++c) largest = largest.max(stack.z(slot, c));
    for (Index b = 0; b < count; ++b) chosen(b) = stack.z(slot, label(b))(b) - largest(b);
  }
  const BlockArray<Scalar> sums = exponentials(stack, slot, classes);
  if (point.losses) {
    for (Index b = 0; b < count; ++b) {
      point.losses[first + b] =
          std::log(static_cast<double>(sums(b))) - static_cast<double>(chosen(b));
    }
  }
  if (!point.gradient) return;

  const auto weights = block_weights<Scalar>(point.weights, point.scale, first, count);
  const BlockArray<Scalar> factors = weights / sums;
  for (Index c = 0; c < classes; ++c) stack.z(slot, c) *= factors;
  for (Index b = 0; b < count; ++b) stack.z(slot, label(b))(b) -= weights(b);
}

}  // namespace

DenseSamples::DenseSamples(const DenseData& data, std::int64_t first, std::int64_t rows)
    : features_(data.features), rows_(rows) {
  ECHELON_ASSERT(first >= 0 && first + rows <= data.rows());
  stride_ = (rounded_up(features_, stride_unit) / stride_unit | 1) * stride_unit;
  values_.resize(static_cast<std::size_t>(rounded_up(rows_, row_group) * stride_));
  for (Index i = 0; i < rows_; ++i) {
    std::copy_n(data.values.data() + (first + i) * features_, features_,
                values_.data() + i * stride_);
  }
}

template <class Scalar>
void softmax_evaluate(const DenseBatch& batch, Index classes,
                      std::span<const SoftmaxPoint> points) {
  // Points that want a gradient come first, so that the backward half is one product.
  std::vector<const SoftmaxPoint*> order;
  for (const SoftmaxPoint& point : points) order.push_back(&point);
  const auto rest = std::stable_partition(
      order.begin(), order.end(), [](const SoftmaxPoint* p) { return p->gradient != nullptr; });
  const auto gradients = static_cast<std::size_t>(rest - order.begin());

  const DenseSamples& samples = batch.samples;
  Stack<Scalar> stack(samples.features(), samples.stride(), classes, order.size());
  for (std::size_t slot = 0; slot < order.size(); ++slot) stack.set(slot, order[slot]->y);
  GradientTotals<Scalar> totals(samples.features(), samples.stride(), classes, stack.group(),
                                gradients);
  BlockReader<Scalar> reader(batch);
  for (Index first = 0; first < batch.count(); first += block_rows) {
    const Index count = std::min(block_rows, batch.count() - first);
    const Scalar* x = reader.load(first, count);
    stack.forward(x, count);
    for (std::size_t slot = 0; slot < order.size(); ++slot) {
      finish_block(batch, first, count, classes, *order[slot], stack, slot);
    }
    totals.add(x, count, stack);
  }
  for (std::size_t slot = 0; slot < gradients; ++slot) totals.write(slot, order[slot]->gradient);
}

template <class Scalar>
void softmax_product(const DenseBatch& batch, Index classes, const SoftmaxProduct& product) {
  const DenseSamples& samples = batch.samples;
  Stack<Scalar> stack(samples.features(), samples.stride(), classes, 2);
  stack.set(0, product.y);
  stack.set(1, product.v);
  GradientTotals<Scalar> totals(samples.features(), samples.stride(), classes, stack.group(),
                                product.hv ? 1 : 0);
  BlockReader<Scalar> reader(batch);
  for (Index first = 0; first < batch.count(); first += block_rows) {
    const Index count = std::min(block_rows, batch.count() - first);
    const Scalar* x = reader.load(first, count);
    stack.forward(x, count);
    const BlockArray<Scalar> sums = exponentials(stack, 0, classes);
    BlockArray<Scalar> means = BlockArray<Scalar>::Zero();
    for (Index c = 0; c < classes; ++c) {
      stack.z(0, c) /= sums;
      means += stack.z(0, c) * stack.z(1, c);
    }
    for (Index b = 0; product.slopes && b < count; ++b) {
      const Index label = batch.labels[batch.row(first + b)];
      product.slopes[first + b] = static_cast<double>(means(b) - stack.z(1, label)(b));
    }
    const auto weights = block_weights<Scalar>(product.weights, product.scale, first, count);
    for (Index c = 0; c < classes; ++c) {
      stack.z(0, c) *= (stack.z(1, c) - means) * weights;
    }
    totals.add(x, count, stack);
  }
  if (product.hv) totals.write(0, product.hv);
}

template void softmax_evaluate<float>(const DenseBatch&, Index, std::span<const SoftmaxPoint>);
template void softmax_evaluate<double>(const DenseBatch&, Index, std::span<const SoftmaxPoint>);
template void softmax_product<float>(const DenseBatch&, Index, const SoftmaxProduct&);
template void softmax_product<double>(const DenseBatch&, Index, const SoftmaxProduct&);

}  // namespace echelon

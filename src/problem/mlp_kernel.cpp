#include "echelon/problem/mlp_kernel.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "echelon/core/error.hpp"

namespace echelon {

namespace {

/// Rows of a block: enough for the products to be worth their packing, few enough for a layer's
/// activations to stay in cache.
constexpr Index block_rows = 128;

template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

/// a <- s(a). Whole buffers at a time, whose alignment is always the same.
template <class Scalar>
void activate(Activation activation, Matrix<Scalar>& a) {
  auto array = a.array();
  switch (activation) {
    case Activation::sigmoid:
      array = (1 + (-array).exp()).inverse();
      break;
    case Activation::tanh:  // vectorized for both types, unlike Eigen's own
      array = 2 * (1 + (-2 * array).exp()).inverse() - 1;
      break;
    case Activation::relu:
      array = array.max(Scalar(0));
      break;
  }
}

/// d <- d s'(t), given a = s(t).
template <class Scalar>
void multiply_by_slope(Activation activation, const Matrix<Scalar>& a, Matrix<Scalar>& d) {
  switch (activation) {
    case Activation::sigmoid:
      d.array() *= a.array() * (1 - a.array());
      break;
    case Activation::tanh:
      d.array() *= 1 - a.array().square();
      break;
    case Activation::relu:
      d.array() *= (a.array() > Scalar(0)).template cast<Scalar>();
      break;
  }
}

/// s''(t), given a = s(t).
template <class Scalar>
Matrix<Scalar> curvature(Activation activation, const Matrix<Scalar>& a) {
  switch (activation) {
    case Activation::sigmoid:
      return a.array() * (1 - a.array()) * (1 - 2 * a.array());
    case Activation::tanh:
      return -2 * a.array() * (1 - a.array().square());
    case Activation::relu:
      break;
  }
  return Matrix<Scalar>::Zero(a.rows(), a.cols());
}

/// The W_l of one point in Scalar.
template <class Scalar>
std::vector<Matrix<Scalar>> layers_of(const MlpShape& shape, const double* features,
                                      const double* last) {
  std::vector<Matrix<Scalar>> layers;
  for (Index l = 1; l <= shape.layers(); ++l) {
    const auto layer = static_cast<std::size_t>(l);
    const double* from = l == shape.layers() ? last : features;
    const Index rows = shape.widths[layer - 1] + 1;
    const Index columns = shape.widths[layer];
    layers.push_back(Eigen::Map<const Matrix<double>>(from, rows, columns).cast<Scalar>());
    if (l < shape.layers()) features += rows * columns;
  }
  return layers;
}

/// The samples of a block as columns, with a last row of ones: (d_0 + 1) x count.
template <class Scalar>
Matrix<Scalar> inputs_of(const DenseBatch& batch, Index first, Index count) {
  const Index inputs = batch.samples.features();
  Matrix<Scalar> result(inputs + 1, count);
  for (Index b = 0; b < count; ++b) {
    const float* row = batch.samples.row(batch.row(first + b));
    std::copy_n(row, inputs, result.col(b).data());
  }
  result.bottomRows(1).setOnes();
  return result;
}

/// Sums of a gradient over blocks, where they are wanted.
template <class Scalar>
class Totals {
 public:
  Totals(const MlpShape& shape, double* features, double* last) {
    for (Index l = 1; l <= shape.layers(); ++l) {
      const auto layer = static_cast<std::size_t>(l);
      double* const out = l == shape.layers() ? last : features;
      sums_.emplace_back(out, shape.widths[layer - 1] + 1, shape.widths[layer]);
      if (l < shape.layers() && features != nullptr) features += shape.layer_size(l);
      if (out == nullptr) continue;
      sums_.back().setZero();
      if (lowest_ == 0) lowest_ = l;
    }
  }

  /// The lowest layer whose gradient is wanted; 0 if there is none.
  Index lowest() const { return lowest_; }

  /// += a b', part of the gradient of W_l.
  void add(Index l, const Matrix<Scalar>& a, const Matrix<Scalar>& b) {
    auto& sum = sums_[static_cast<std::size_t>(l - 1)];
    if (sum.data() == nullptr) return;
    block_.noalias() = a * b.transpose();  // into an own buffer, whose alignment is always the same
    sum += block_.template cast<double>();
  }

 private:
  std::vector<Eigen::Map<Matrix<double>>> sums_;  ///< of layers 1 .. L
  Matrix<Scalar> block_;
  Index lowest_ = 0;
};

/// A perceptron on one block.
template <class Scalar>
class Perceptron {
 public:
  Perceptron(const MlpShape& shape, const double* features, const double* last)
      : shape_(shape),
        weights_(layers_of<Scalar>(shape, features, last)),
        a_(static_cast<std::size_t>(shape.layers())) {}

  Index layers() const { return shape_.layers(); }
  const Matrix<Scalar>& weights(Index l) const { return weights_[static_cast<std::size_t>(l - 1)]; }
  /// a_l with a row of ones below, l = 1 .. L-1.
  const Matrix<Scalar>& a(Index l) const { return a_[static_cast<std::size_t>(l)]; }
  Activation activation() const { return shape_.activation; }

  /// z, classes x count.
  Matrix<Scalar> forward(const Matrix<Scalar>& inputs) {
    const Matrix<Scalar>* below = &inputs;
    for (Index l = 1; l < layers(); ++l) {
      Matrix<Scalar>& next = a_[static_cast<std::size_t>(l)];
      const Index width = weights(l).cols();
      next.resize(width + 1, inputs.cols());
      next.topRows(width).noalias() = weights(l).transpose() * *below;
      next.row(width).setZero();
      activate(shape_.activation, next);
      next.row(width).setOnes();
      below = &next;
    }
    return weights(layers()).transpose() * *below;
  }

  /// d, the derivative by the pre-activations of layer l, becomes that of layer l - 1.
  void back(Index l, Matrix<Scalar>& d) const {
    const Matrix<Scalar> by_outputs = weights(l) * d;  // with a row of no meaning for the bias
    Matrix<Scalar> sloped = by_outputs;
    multiply_by_slope(shape_.activation, a(l - 1), sloped);
    d = sloped.topRows(sloped.rows() - 1);
  }

 private:
  const MlpShape& shape_;
  std::vector<Matrix<Scalar>> weights_;
  std::vector<Matrix<Scalar>> a_;  ///< the first one unused: the inputs are shared
};

/// z (classes x count) becomes softmax(z), column by column; `log_sums` gets log sum e^z - max.
template <class Scalar>
void softmax_columns(Matrix<Scalar>& z, Matrix<Scalar>& log_sums) {
  log_sums.resize(1, z.cols());
  for (Index b = 0; b < z.cols(); ++b) {
    Scalar largest = z(0, b);
    for (Index c = 1; c < z.rows(); ++c) largest = std::max(largest, z(c, b));
    for (Index c = 0; c < z.rows(); ++c) z(c, b) -= largest;
  }
  z.array() = z.array().exp();
  for (Index b = 0; b < z.cols(); ++b) {
    Scalar sum = 0;
    for (Index c = 0; c < z.rows(); ++c) sum += z(c, b);
    log_sums(0, b) = std::log(sum);
    for (Index c = 0; c < z.rows(); ++c) z(c, b) /= sum;
  }
}

Index label_of(const DenseBatch& batch, Index position) {
  return Index{batch.labels[batch.row(position)]};
}

/// Losses and predictions from z, which becomes softmax(z).
template <class Scalar>
void read_block(const DenseBatch& batch, Index first, const MlpPoint& point, Matrix<Scalar>& z) {
  for (Index b = 0; point.predictions && b < z.cols(); ++b) {
    Index best = 0;
    for (Index c = 1; c < z.rows(); ++c) {
      if (z(c, b) > z(best, b)) best = c;
    }
    point.predictions[first + b] = static_cast<std::uint8_t>(best);
  }
  for (Index b = 0; point.losses && b < z.cols(); ++b) {
    const Scalar chosen = z(label_of(batch, first + b), b);
    Scalar largest = z(0, b);
    for (Index c = 1; c < z.rows(); ++c) largest = std::max(largest, z(c, b));
    point.losses[first + b] = static_cast<double>(largest - chosen);
  }
  Matrix<Scalar> log_sums;
  softmax_columns(z, log_sums);
  for (Index b = 0; point.losses && b < z.cols(); ++b) {
    point.losses[first + b] += static_cast<double>(log_sums(0, b));
  }
}

void check(const DenseBatch& batch, const MlpShape& shape) {
  ECHELON_ASSERT(shape.widths.size() >= 2 && shape.inputs() == batch.samples.features());
}

/// One point on one block.
template <class Scalar>
void evaluate_block(const DenseBatch& batch, Index first, const Matrix<Scalar>& inputs,
                    const MlpPoint& point, Perceptron<Scalar>& perceptron, Totals<Scalar>& totals) {
  Matrix<Scalar> d = perceptron.forward(inputs);
  const Index lowest = totals.lowest();
  if (lowest == 0 && !point.losses && !point.predictions) return;
  read_block(batch, first, point, d);
  if (lowest == 0) return;
  for (Index b = 0; b < d.cols(); ++b) d(label_of(batch, first + b), b) -= 1;
  d *= static_cast<Scalar>(point.scale);
  for (Index l = perceptron.layers(); l >= lowest; --l) {
    totals.add(l, l == 1 ? inputs : perceptron.a(l - 1), d);
    if (l > lowest) perceptron.back(l, d);
  }
}

/// The derivative of a perceptron along a direction, on one block.
template <class Scalar>
class Tangent {
 public:
  Tangent(const Perceptron<Scalar>& perceptron, const MlpShape& shape, const MlpProduct& product)
      : perceptron_(perceptron), a_(static_cast<std::size_t>(shape.layers())) {
    const VectorXd zero_features =
        VectorXd::Zero(product.feature_direction ? 0 : shape.feature_size());
    const VectorXd zero_last = VectorXd::Zero(product.last_direction ? 0 : shape.last_size());
    weights_ = layers_of<Scalar>(
        shape, product.feature_direction ? product.feature_direction : zero_features.data(),
        product.last_direction ? product.last_direction : zero_last.data());
    moves_features_ = product.feature_direction != nullptr;
  }

  /// The derivative of z. That of a_l has a row of zeros below.
  Matrix<Scalar> forward(const Matrix<Scalar>& inputs) {
    const Index top = perceptron_.layers();
    for (Index l = 1; l < top && moves_features_; ++l) {
      const Index width = weights(l).cols();
      Matrix<Scalar>& next = a_[static_cast<std::size_t>(l)];
      next.setZero(width + 1, inputs.cols());
      next.topRows(width).noalias() =
          weights(l).transpose() * (l == 1 ? inputs : perceptron_.a(l - 1));
      if (l > 1) next.topRows(width).noalias() += perceptron_.weights(l).transpose() * a(l - 1);
      t_.resize(a_.size());
      t_[static_cast<std::size_t>(l)] = next;
      multiply_by_slope(perceptron_.activation(), perceptron_.a(l), next);
    }
    Matrix<Scalar> z = weights(top).transpose() * (top == 1 ? inputs : perceptron_.a(top - 1));
    if (top > 1 && moves_features_)
      z.noalias() += perceptron_.weights(top).transpose() * a(top - 1);
    return z;
  }

  /// d and its derivative rd, by the pre-activations of layer l, become those of layer l - 1.
  void back(Index l, Matrix<Scalar>& d, Matrix<Scalar>& rd) const {
    const Activation activation = perceptron_.activation();
    const Matrix<Scalar>& below = perceptron_.a(l - 1);
    Matrix<Scalar> by_outputs = perceptron_.weights(l) * d;
    Matrix<Scalar> moved = perceptron_.weights(l) * rd;
    moved.noalias() += weights(l) * d;
    multiply_by_slope(activation, below, moved);
    if (moves_features_) {
      moved.array() += curvature(activation, below).array() * by_outputs.array() *
                       t_[static_cast<std::size_t>(l - 1)].array();
    }
    multiply_by_slope(activation, below, by_outputs);
    d = by_outputs.topRows(by_outputs.rows() - 1);
    rd = moved.topRows(moved.rows() - 1);
  }

  /// The derivative of a_l; only if it is not zero.
  const Matrix<Scalar>& a(Index l) const { return a_[static_cast<std::size_t>(l)]; }
  bool moves(Index l) const { return l > 0 && moves_features_; }

 private:
  const Matrix<Scalar>& weights(Index l) const { return weights_[static_cast<std::size_t>(l - 1)]; }

  const Perceptron<Scalar>& perceptron_;
  std::vector<Matrix<Scalar>> weights_;  ///< the direction
  std::vector<Matrix<Scalar>> a_;
  std::vector<Matrix<Scalar>> t_;  ///< derivatives of the pre-activations
  bool moves_features_ = false;
};

/// With P = softmax(z): d = P - e and its derivative P * (rz - <P, rz>), both scaled.
template <class Scalar>
void start_back(const DenseBatch& batch, Index first, Scalar scale, Matrix<Scalar>& d,
                Matrix<Scalar>& rd) {
  for (Index b = 0; b < d.cols(); ++b) {
    Scalar mean = 0;
    for (Index c = 0; c < d.rows(); ++c) mean += d(c, b) * rd(c, b);
    for (Index c = 0; c < d.rows(); ++c) rd(c, b) = scale * d(c, b) * (rd(c, b) - mean);
    d(label_of(batch, first + b), b) -= 1;
  }
  d *= scale;
}

}  // namespace

template <class Scalar>
void mlp_evaluate(const DenseBatch& batch, const MlpShape& shape,
                  std::span<const MlpPoint> points) {
  check(batch, shape);
  std::vector<Perceptron<Scalar>> perceptrons;
  std::vector<Totals<Scalar>> totals;
  for (const MlpPoint& point : points) {
    perceptrons.emplace_back(shape, point.features, point.last);
    totals.emplace_back(shape, point.feature_gradient, point.last_gradient);
  }
  for (Index first = 0; first < batch.count(); first += block_rows) {
    const Index count = std::min(block_rows, batch.count() - first);
    const Matrix<Scalar> inputs = inputs_of<Scalar>(batch, first, count);
    for (std::size_t i = 0; i < points.size(); ++i) {
      evaluate_block(batch, first, inputs, points[i], perceptrons[i], totals[i]);
    }
  }
}

template <class Scalar>
void mlp_product(const DenseBatch& batch, const MlpShape& shape, const MlpProduct& product) {
  check(batch, shape);
  Perceptron<Scalar> perceptron(shape, product.features, product.last);
  Tangent<Scalar> tangent(perceptron, shape, product);
  Totals<Scalar> totals(shape, product.feature_product, product.last_product);
  const Index lowest = totals.lowest();
  if (lowest == 0) return;
  for (Index first = 0; first < batch.count(); first += block_rows) {
    const Index count = std::min(block_rows, batch.count() - first);
    const Matrix<Scalar> inputs = inputs_of<Scalar>(batch, first, count);
    Matrix<Scalar> d = perceptron.forward(inputs);
    Matrix<Scalar> rd = tangent.forward(inputs);
    Matrix<Scalar> log_sums;
    softmax_columns(d, log_sums);
    start_back(batch, first, static_cast<Scalar>(product.scale), d, rd);
    for (Index l = shape.layers(); l >= lowest; --l) {
      totals.add(l, l == 1 ? inputs : perceptron.a(l - 1), rd);
      if (tangent.moves(l - 1)) totals.add(l, tangent.a(l - 1), d);
      if (l > lowest) tangent.back(l, d, rd);
    }
  }
}

template void mlp_evaluate<float>(const DenseBatch&, const MlpShape&, std::span<const MlpPoint>);
template void mlp_evaluate<double>(const DenseBatch&, const MlpShape&, std::span<const MlpPoint>);
template void mlp_product<float>(const DenseBatch&, const MlpShape&, const MlpProduct&);
template void mlp_product<double>(const DenseBatch&, const MlpShape&, const MlpProduct&);

}  // namespace echelon

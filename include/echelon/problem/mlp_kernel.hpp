#pragma once
/// Multilayer perceptrons with softmax cross entropy on dense rows: losses, gradients at several
/// points in one pass over the data, exact Hessian products.
///
///     a_0 = sample,   a_l = s(W_l'(a_{l-1}, 1)),   z = W_L'(a_{L-1}, 1)
///     CE_j = log sum_c e^{z_jc} - z_j,label(j)
///
/// W_l in R^{(d_{l-1} + 1) x d_l}, column-major: unit c of layer l is column c, its last entry the
/// bias, as in softmax_kernel.hpp. The parameters are two vectors: the `features`, layers 1 .. L-1
/// one after the other, and the `last` layer. Rows are taken in blocks, forward and backward while
/// a block is in cache. Scalar (float or double) is the type of all products; sums over blocks are
/// double. Shapes of products depend on the batch alone, so results do not depend on addresses, on
/// threads, or on how many points share a pass.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/softmax_kernel.hpp"

namespace echelon {

/// s(t): 1 / (1 + e^-t), tanh t, or max(0, t), which has no second derivative.
enum class Activation { sigmoid, tanh, relu };

const std::vector<std::string>& activation_names();
Activation activation_of(const std::string& name);  ///< one of activation_names()

/// Widths such as `10-30-30` of an option. Throws a usage error that names the option for anything
/// else than whole numbers in [1, 100000] joined by `-`.
std::vector<Index> parse_widths(const std::string& option, const std::string& text);

struct MlpShape {
  std::vector<Index> widths;  ///< inputs, hidden layers, classes: L + 1 numbers, L >= 1
  Activation activation = Activation::tanh;

  Index layers() const { return static_cast<Index>(widths.size()) - 1; }
  Index inputs() const { return widths.front(); }
  Index classes() const { return widths.back(); }
  Index layer_size(Index l) const;  ///< numbers of W_l, l = 1 .. L
  Index feature_size() const;       ///< numbers of layers 1 .. L-1
  Index last_size() const { return layer_size(layers()); }
  Index size() const { return feature_size() + last_size(); }
};

/// Weights uniform in +-sqrt(6 / (d_{l-1} + d_l)), biases 0, of layers `first` .. `last`. Source:
/// X. Glorot, Y. Bengio, AISTATS 2010.
VectorXd random_layers(const MlpShape& shape, Index first, Index last, Draws draws);

/// One network and what is wanted of it; nullptr = not wanted. Arrays over samples have one entry
/// per position in the batch.
struct MlpPoint {
  const double* features;
  const double* last;
  double scale = 1;                     ///< multiplies every loss in the gradients
  double* feature_gradient = nullptr;   ///< sum_j scale grad CE_j, by the features
  double* last_gradient = nullptr;      ///< and by the last layer
  double* losses = nullptr;             ///< CE_j, without scale
  std::uint8_t* predictions = nullptr;  ///< the class with the largest z, the first of equals
};

/// Evaluates all points in one pass; goes back only as far as gradients are wanted.
template <class Scalar>
void mlp_evaluate(const DenseBatch& batch, const MlpShape& shape, std::span<const MlpPoint> points);

/// The derivative of the gradient sum_j scale grad CE_j along a direction.
struct MlpProduct {
  const double* features;
  const double* last;
  const double* feature_direction = nullptr;  ///< nullptr = 0
  const double* last_direction = nullptr;     ///< nullptr = 0
  double scale = 1;
  double* feature_product = nullptr;
  double* last_product = nullptr;
};

/// Exact products, by differentiating all steps of the gradient along the direction. Source: B. A.
/// Pearlmutter, Neural Computation 6(1), 1994.
template <class Scalar>
void mlp_product(const DenseBatch& batch, const MlpShape& shape, const MlpProduct& product);

extern template void mlp_evaluate<float>(const DenseBatch&, const MlpShape&,
                                         std::span<const MlpPoint>);
extern template void mlp_evaluate<double>(const DenseBatch&, const MlpShape&,
                                          std::span<const MlpPoint>);
extern template void mlp_product<float>(const DenseBatch&, const MlpShape&, const MlpProduct&);
extern template void mlp_product<double>(const DenseBatch&, const MlpShape&, const MlpProduct&);

}  // namespace echelon

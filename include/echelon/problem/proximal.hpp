#pragma once
/// Penalties that favour zeros, and their proximal maps
///
///     prox_{t r}(y) = argmin over u of t r(u) + 1/2 (u - y)^2
///
/// of one number each, except for that of a group. SCAD and MCP are not convex: they start like
/// weight |y| and level off, so that large numbers are left alone.
/// Sources: J. Fan, R. Li, JASA 96(456), 2001 (SCAD); C.-H. Zhang, Annals of Statistics 38(2), 2010
/// (MCP).

#include <algorithm>
#include <cmath>

#include "echelon/core/eigen.hpp"
#include "echelon/core/error.hpp"

namespace echelon {

/// prox of threshold |y|.
inline double soft_threshold(double y, double threshold) {
  return std::copysign(std::max(std::abs(y) - threshold, 0.0), y);
}

/// prox of threshold |y|_2: the whole group shrinks, or vanishes.
inline void shrink_group(Eigen::Ref<Eigen::VectorXd> y, double threshold) {
  const double norm = y.norm();
  if (norm <= threshold) {
    y.setZero();
  } else {
    y *= 1 - threshold / norm;
  }
}

/// Of weight w >= 0 and shape a > 1:
///     w |y|                                       for |y| <= w
///     (2 a w |y| - y^2 - w^2) / (2 (a - 1))       for |y| <= a w
///     w^2 (a + 1) / 2                             beyond
struct Scad {
  double shape;

  double value(double weight, double y) const {
    const double size = std::abs(y);
    if (size <= weight) return weight * size;
    if (size > shape * weight) return weight * weight * (shape + 1) / 2;
    return (2 * shape * weight * size - size * size - weight * weight) / (2 * (shape - 1));
  }
  /// Derivative by the weight.
  double by_weight(double weight, double y) const {
    const double size = std::abs(y);
    if (size <= weight) return size;
    if (size > shape * weight) return weight * (shape + 1);
    return (shape * size - weight) / (shape - 1);
  }
  /// For t < a - 1; throws a usage error otherwise, as the minimizer is not unique.
  double prox(double t, double weight, double y) const {
    require(t < shape - 1, ErrorKind::usage, "SCAD with shape ", shape,
            " has no proximal map for a step of ", t, "; take a step below ", shape - 1);
    const double size = std::abs(y);
    if (size <= (1 + t) * weight) return soft_threshold(y, t * weight);
    if (size > shape * weight) return y;
    return ((shape - 1) * y - std::copysign(shape * t * weight, y)) / (shape - 1 - t);
  }
};

/// Of weight w >= 0 and shape a > 0:
///     w |y| - y^2 / (2 a)      for |y| <= a w
///     a w^2 / 2                beyond
struct Mcp {
  double shape;

  double value(double weight, double y) const {
    const double size = std::abs(y);
    if (size > shape * weight) return shape * weight * weight / 2;
    return weight * size - size * size / (2 * shape);
  }
  /// Derivative by the weight.
  double by_weight(double weight, double y) const { return std::min(std::abs(y), shape * weight); }
  /// For t < a; throws a usage error otherwise, as the minimizer is not unique.
  double prox(double t, double weight, double y) const {
    require(t < shape, ErrorKind::usage, "MCP with shape ", shape,
            " has no proximal map for a step of ", t, "; take a step below ", shape);
    if (std::abs(y) > shape * weight) return y;
    return shape / (shape - t) * soft_threshold(y, t * weight);
  }
};

}  // namespace echelon

#pragma once
/// Programs of quadratic_programs.hpp for an x that its own set may hold back: what the projection
/// takes away from a step of x must not count as progress of the constraint.

#include <cmath>

#include "echelon/core/feasible_set.hpp"
#include "quadratic_programs.hpp"

namespace echelon::detail {

/// What is left of `vector` where a short step from `point` along `direction` is projected: P' v
/// beside the point.
inline VectorXd kept_along(const FeasibleSet& set, const Eigen::Ref<const VectorXd>& point,
                           const VectorXd& direction, VectorXd vector) {
  const double norm = direction.norm();
  if (set.is_whole_space() || norm == 0) return vector;
  const VectorXd target = point + 1e-6 * (1 + point.norm()) / norm * direction;
  set.apply_derivative(target, vector);
  return vector;
}

/// a and b of a program with their x-parts kept along the set, and their products.
struct HeldProducts {
  VectorXd a, b;
  InnerProducts all;
};

inline HeldProducts held_products(const FeasibleSet& set, const Eigen::Ref<const VectorXd>& x,
                                  const VectorXd& direction, const VectorXd& a, const VectorXd& b,
                                  const InnerProducts& of_y) {
  HeldProducts held{kept_along(set, x, direction, a), kept_along(set, x, direction, b), of_y};
  held.all.aa += held.a.squaredNorm();
  held.all.ab += held.a.dot(held.b);
  held.all.bb += held.b.squaredNorm();
  return held;
}

/// Which entries x keeps depends on the multiplier and the other way round: passes of a Newton
/// method on a piecewise linear equation, which settles after a few.
constexpr int most_passes = 20;

/// linear_constraint_multiplier over those d whose x-part does not leave the set of x; a and b are
/// the x-parts, `of_y` the products of the y-parts.
inline double multiplier_in_set(const FeasibleSet& set, const Eigen::Ref<const VectorXd>& x,
                                const VectorXd& a, const VectorXd& b, const InnerProducts& of_y,
                                double r) {
  const InnerProducts all{
      .aa = of_y.aa + a.squaredNorm(), .ab = of_y.ab + a.dot(b), .bb = of_y.bb + b.squaredNorm()};
  double multiplier = linear_constraint_multiplier(all, r);
  if (set.is_whole_space()) return multiplier;
  for (int pass = 0; pass < most_passes; ++pass) {
    const double before = multiplier;
    const VectorXd direction = -(a + multiplier * b);
    multiplier = linear_constraint_multiplier(held_products(set, x, direction, a, b, of_y).all, r);
    if (std::abs(multiplier - before) <= 1e-12 * (1 + before)) break;
  }
  return multiplier;
}

}  // namespace echelon::detail

#pragma once
/// Projections of -a onto one constraint, as methods that bound the descent of a constraint take
/// them. a and b may be split into several blocks: only their inner products matter.

#include <algorithm>
#include <cmath>

namespace echelon::detail {

/// <a,a>, <a,b>, <b,b>
struct InnerProducts {
  double aa, ab, bb;

  /// Where b is round-off, it says nothing about directions.
  bool has_direction() const { return bb >= 1e-24 * (1 + aa); }
};

/// min over d of 1/2 |d + a|^2 subject to <b,d> <= -r:  d = -a - multiplier b.
inline double linear_constraint_multiplier(const InnerProducts& at, double r) {
  return at.has_direction() ? std::max(0.0, (r - at.ab) / at.bb) : 0.0;
}

/// d = of_a a + of_b b
struct Combination {
  double of_a, of_b;
  bool feasible = true;  ///< false: no d satisfies the constraint
};

/// min over d of 1/2 |d + a|^2 subject to <b,d> + w |d|^2 <= c, w > 0: the projection of -a onto
/// the ball around -b / 2w of radius R, R^2 = |b|^2 / 4w^2 + c / w. Where the ball is empty, the
/// Gauss-Newton step c b / |b|^2 toward <b,d> = c.
///
/// With D = |a - b / 2w| the projection is -(R / D) a - (1 - R / D) / 2w b; multiplying numerator
/// and denominator of the second factor by D + R leaves no difference of large numbers, and as w
/// goes to 0 it becomes the multiplier of the linear constraint.
inline Combination quadratic_constraint_step(const InnerProducts& at, double w, double c) {
  const double excess = w * at.aa - at.ab - c;
  if (excess <= 0) return {-1, 0};
  const double radius_square = at.bb / 4 + w * c;  // (w R)^2
  if (radius_square < 0) return {0, at.has_direction() ? c / at.bb : 0, false};
  const double radius = std::sqrt(radius_square);
  const double distance = std::sqrt(w * excess + radius_square);  // w D
  return {-radius / distance, -excess / (2 * distance * (distance + radius))};
}

}  // namespace echelon::detail

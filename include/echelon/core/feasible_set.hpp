#pragma once
/// Where a variable may lie.

#include <string>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/eigen.hpp"

namespace echelon {

/// A closed convex set in R^d, the same for all agents, with its Euclidean projection
///
///     P(v) = argmin over u in the set of |u - v|
///
/// A manifold with a retraction would take the place of a set here: both map a point back after a
/// step.
class FeasibleSet {
 public:
  enum class Kind { whole_space, box, ball, simplex, affine };

  FeasibleSet() = default;  ///< all of R^d
  /// {v : low <= v <= high}, entries may be infinite. Throws a usage error if low > high somewhere.
  static FeasibleSet box(VectorXd low, VectorXd high);
  /// {v : |v - center| <= radius}
  static FeasibleSet ball(VectorXd center, double radius);
  /// {v : v >= 0, sum v = 1}
  static FeasibleSet simplex();
  /// {v : B v = e}; rows of B must be linearly independent.
  static FeasibleSet affine(Eigen::MatrixXd B, VectorXd e);

  Kind kind() const { return kind_; }
  /// Bounds of a box.
  const VectorXd& low() const { return low_; }
  const VectorXd& high() const { return high_; }
  bool is_whole_space() const { return kind_ == Kind::whole_space; }
  /// Replaces `point` by its projection. Thread-safe.
  void project(Eigen::Ref<VectorXd> point) const;
  /// Replaces `vector` by P'(point) vector; this derivative is symmetric. Where P has a kink, that
  /// of one side. Thread-safe.
  void apply_derivative(const Eigen::Ref<const VectorXd>& point, Eigen::Ref<VectorXd> vector) const;
  /// In words, for messages.
  std::string text() const;

 private:
  Kind kind_ = Kind::whole_space;
  VectorXd low_, high_;  ///< of the box; `low_` is also the center of the ball and e
  double radius_ = 0;
  Eigen::MatrixXd matrix_;         ///< B
  Eigen::MatrixXd pseudoinverse_;  ///< of B: B' (B B')^-1
};

}  // namespace echelon

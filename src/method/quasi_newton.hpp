#pragma once
/// Inverse Hessians from pairs of steps and changes of the gradient.

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace echelon::detail {

/// B ~ H^-1 from the newest pairs (s, r) with r = H s, of one agent. Limited memory:
///
///     BFGS   two-loop recursion around (s'r / |r|^2) I of the newest pair (step I without pairs)
///     SR1    B <- B + w w' / w'r,  w = s - B r,  starting at step I
///
/// Pairs that would spoil B are left out: those without positive curvature (BFGS), and those whose
/// w'r is tiny (SR1). Sources: J. Nocedal, Math. Comp. 35, 1980; R. Byrd, J. Nocedal, R. Schnabel,
/// Math. Programming 63, 1994.
class QuasiNewton {
 public:
  enum class Kind { bfgs, sr1 };

  /// `step` stands for the inverse of H before any pair is known; the oldest of more than `memory`
  /// pairs is dropped.
  QuasiNewton(Kind kind, double step, std::int64_t memory);

  void clear() { pairs_.clear(); }
  void add(const Eigen::VectorXd& s, const Eigen::VectorXd& r);
  /// v <- B v.
  void apply(Eigen::Ref<Eigen::VectorXd> v) const;
  std::size_t size() const { return pairs_.size(); }

 private:
  struct Pair {
    Eigen::VectorXd s, r;  ///< SR1: w in place of s
    double product;        ///< s'r, w'r
  };
  void apply_bfgs(Eigen::Ref<Eigen::VectorXd> v) const;

  Kind kind_;
  double step_;
  std::size_t memory_;
  std::deque<Pair> pairs_;  ///< the oldest first
};

}  // namespace echelon::detail

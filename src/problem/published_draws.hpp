#pragma once
/// Numbers of published test instances, the same in any language.

#include <Eigen/Core>
#include <cstdint>

namespace echelon::detail {

/// s <- 1664525 s + 1013904223 mod 2^32 from s = 1; each s gives a number in (-1, 1).
class PublishedDraws {
 public:
  double next() {
    state_ = 1664525U * state_ + 1013904223U;
    return 2 * ((static_cast<double>(state_) + 0.5) / 4294967296.0) - 1;
  }

  /// Filled row by row.
  Eigen::MatrixXd matrix(Eigen::Index rows, Eigen::Index columns) {
    Eigen::MatrixXd result(rows, columns);
    for (Eigen::Index r = 0; r < rows; ++r) {
      for (Eigen::Index c = 0; c < columns; ++c) result(r, c) = next();
    }
    return result;
  }

 private:
  std::uint32_t state_ = 1;
};

}  // namespace echelon::detail

#pragma once
/// A sum whose error does not grow with the number of terms: the hub of a star has as many weights
/// as there are agents.

#include <cmath>

namespace echelon::detail {

/// Source: A. Neumaier, Zeitschrift fuer Angewandte Mathematik und Mechanik 54, 1974.
class CompensatedSum {
 public:
  void add(double term) {
    const double next = sum_ + term;
    lost_ += std::abs(sum_) >= std::abs(term) ? (sum_ - next) + term : (term - next) + sum_;
    sum_ = next;
  }
  double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

}  // namespace echelon::detail

#pragma once
/// Sums that carry their rounding errors along, so that the error does not grow with the number of
/// terms: the hub of a star has as many weights as there are agents.

namespace echelon {

/// sum <- sum + term; the rounding error of this addition is added to `lost`. Source: D. E. Knuth,
/// The Art of Computer Programming 2, section 4.2.2.
inline void add_compensated(double& sum, double term, double& lost) {
  const double total = sum + term;
  const double of_term = total - sum;
  lost += (sum - (total - of_term)) + (term - of_term);
  sum = total;
}

class CompensatedSum {
 public:
  void add(double term) { add_compensated(sum_, term, lost_); }
  double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

}  // namespace echelon

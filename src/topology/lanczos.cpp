#include "lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "echelon/core/random.hpp"

namespace echelon::detail {

namespace {

constexpr double not_found = std::numeric_limits<double>::quiet_NaN();

/// Symmetric, tridiagonal; `beta[k]` couples k and k + 1.
struct Tridiagonal {
  std::vector<double> alpha;
  std::vector<double> beta;
  std::size_t size() const { return alpha.size(); }
};

/// Eigenvalues below `bound`, from the signs of the pivots of T - bound I.
std::size_t count_below(const Tridiagonal& t, double bound) {
  constexpr double tiny = std::numeric_limits<double>::min();
  std::size_t count = 0;
  double pivot = 1;
  for (std::size_t k = 0; k < t.size(); ++k) {
    const double coupling = k == 0 ? 0 : t.beta[k - 1];
    pivot = t.alpha[k] - bound - coupling * coupling / pivot;
    if (pivot == 0) pivot = tiny;
    count += pivot < 0;
  }
  return count;
}

/// The eigenvalue with `below` eigenvalues under it, by bisection to the last bits.
double eigenvalue(const Tridiagonal& t, std::size_t below) {
  double low = t.alpha[0];
  double high = t.alpha[0];
  for (std::size_t k = 0; k < t.size(); ++k) {
    const double radius = (k == 0 ? 0 : t.beta[k - 1]) + (k + 1 < t.size() ? t.beta[k] : 0);
    low = std::min(low, t.alpha[k] - radius);
    high = std::max(high, t.alpha[k] + radius);
  }
  const double rounding =
      std::numeric_limits<double>::epsilon() / 4 * std::max(std::abs(low), std::abs(high));
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (high - low <= rounding || middle <= low || middle >= high) return middle;
    (count_below(t, middle) > below ? high : low) = middle;
  }
}

/// One wanted eigenvalue as the steps grow by a constant factor between looks.
class Watch {
 public:
  Watch(bool wanted, double origin) : wanted_(wanted), origin_(origin) {}

  void see(double value) {
    const double change = std::abs(value - last_);
    const double ratio = change / last_change_;
    // What is left of a geometric sequence of changes; NaN until there are two.
    const double error = ratio < 1 ? change * ratio / (1 - ratio) : not_found;
    const double gap = std::abs(value - origin_);
    const bool rounding = change + last_change_ <= 8 * epsilon * std::abs(value);
    settled_ = rounding || error <= settling * gap;
    exact_ = rounding || error <= full * gap;
    last_change_ = change;
    last_ = value;
  }
  void finish() { settled_ = exact_ = true; }
  bool wanted() const { return wanted_; }
  bool settled() const { return !wanted_ || settled_; }
  bool exact() const { return !wanted_ || exact_; }
  double value() const { return wanted_ && settled_ ? last_ : not_found; }

 private:
  static constexpr double settling = 3e-4;
  static constexpr double full = 1e-10;
  static constexpr double epsilon = std::numeric_limits<double>::epsilon();

  bool wanted_;
  double origin_;
  double last_ = not_found;
  double last_change_ = not_found;
  bool settled_ = false;
  bool exact_ = false;
};

void look(const Tridiagonal& t, Watch& lowest, Watch& highest) {
  if (lowest.wanted()) lowest.see(eigenvalue(t, 0));
  if (highest.wanted()) highest.see(eigenvalue(t, t.size() - 1));
}

/// y <- y - alpha q - beta previous; then y / |y| without its mean goes to `previous`. Returns |y|.
double next_vector(double alpha, const std::vector<double>& q, double beta,
                   std::vector<double>& previous, std::vector<double>& y) {
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] -= alpha * q[i] + beta * previous[i];
    sum += y[i];
  }
  const double mean = sum / static_cast<double>(y.size());
  const double squares = inner_product(y, y) - mean * sum;
  const double length = std::sqrt(std::max(squares, 0.0));
  const double factor = length > 0 ? 1 / length : 0;
  for (std::size_t i = 0; i < y.size(); ++i) previous[i] = (y[i] - mean) * factor;
  return length;
}

}  // namespace

/// In four interleaved sums, which do not wait for one another.
double inner_product(const std::vector<double>& x, const std::vector<double>& y) {
  double sums[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= x.size(); i += 4) {
    for (std::size_t k = 0; k < 4; ++k) sums[k] += x[i + k] * y[i + k];
  }
  for (; i < x.size(); ++i) sums[0] += x[i] * y[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void remove_mean(std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value;
  const double mean = sum / static_cast<double>(x.size());
  for (double& value : x) value -= mean;
}

std::vector<double> probe_vector(std::size_t size, std::uint64_t stream) {
  Draws draws(1, Purpose::probe, 0, 0, stream);
  std::vector<double> x(size);
  for (double& value : x) value = draws.uniform() - 0.5;
  remove_mean(x);
  return x;
}

SpectrumEnds lanczos(const Operator& apply, std::size_t size, const LanczosGoal& goal) {
  constexpr double breakdown = 1e-14;  // what is left is rounding: the subspace is invariant
  std::vector<double> q = probe_vector(size, 0);
  const double length = std::sqrt(inner_product(q, q));
  for (double& value : q) value /= length;
  std::vector<double> other(size, 0.0);  // the vector before q, then the one after it
  std::vector<double> y(size);
  Tridiagonal t;
  Watch lowest(goal.lowest, goal.lowest_origin);
  Watch highest(goal.highest, goal.highest_origin);
  double beta = 0;
  double magnitude = 1;
  int next_look = 6;
  for (int step = 1; step <= goal.most_steps; ++step) {
    apply(q, y);
    const double alpha = inner_product(q, y);
    beta = next_vector(alpha, q, beta, other, y);
    t.alpha.push_back(alpha);
    magnitude = std::max(magnitude, std::abs(alpha) + beta);
    const bool complete = beta <= breakdown * magnitude;
    if (complete || step == next_look) {
      look(t, lowest, highest);
      if (complete) lowest.finish();
      if (complete) highest.finish();
      if (lowest.exact() && highest.exact()) break;
      if (step > goal.full_steps && lowest.settled() && highest.settled()) break;
      next_look += std::max(2, next_look / 10);
    }
    t.beta.push_back(beta);
    std::swap(q, other);
  }
  return {lowest.value(), highest.value()};
}

}  // namespace echelon::detail

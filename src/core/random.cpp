#include "echelon/core/random.hpp"

#include <Random123/philox.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "echelon/core/error.hpp"

namespace echelon {

Draws::Draws(std::uint64_t seed, Purpose purpose, AgentId agent, std::uint64_t iteration,
             std::uint64_t stream)
    : key_{seed, static_cast<std::uint64_t>(purpose)},
      counter_{0, static_cast<std::uint64_t>(agent), iteration, stream},
      block_{} {}

std::uint64_t Draws::bits() {
  if (used_ == 4) {
    const r123::Philox4x64::ctr_type counter{{counter_[0], counter_[1], counter_[2], counter_[3]}};
    const r123::Philox4x64::key_type key{{key_[0], key_[1]}};
    const auto block = r123::Philox4x64{}(counter, key);
    for (std::size_t i = 0; i < 4; ++i) block_[i] = block[i];
    ++counter_[0];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

double Draws::uniform() {
  constexpr double below_one = 1 - 0x1.0p-53;  // the largest integer plus a half rounds up to 1
  return std::min((static_cast<double>(bits() >> 11) + 0.5) * 0x1.0p-53, below_one);
}

std::uint64_t Draws::below(std::uint64_t bound) {
  ECHELON_ASSERT(bound >= 1);
  const std::uint64_t threshold = (0 - bound) % bound;  // reject the incomplete last interval
  std::uint64_t value = bits();
  while (value < threshold) value = bits();
  return value % bound;
}

double Draws::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2 * std::log(uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

// Marsaglia and Tsang, ACM Trans. Math. Software 26(3), 2000, for shape >= 1; below 1 by Gamma(a) =
// Gamma(a+1) U^(1/a), in logarithms so that a tiny shape does not underflow.
double Draws::log_gamma(double shape) {
  if (shape < 1) {
    const double boost = std::log(uniform()) / shape;
    return log_gamma(shape + 1) + boost;
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double z = normal();
    const double root = 1 + c * z;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(uniform()) < 0.5 * z * z + d - d * v + d * std::log(v))
      return std::log(d) + std::log(v);
  }
}

double Draws::gamma(double shape) {
  return std::exp(log_gamma(shape));
}

// X / (X + Y) of two Gamma draws, in logarithms.
double Draws::beta(double a, double b) {
  const double log_x = log_gamma(a);
  const double log_y = log_gamma(b);
  return 1 / (1 + std::exp(log_y - log_x));
}

std::vector<std::int64_t> Draws::permutation(std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace echelon

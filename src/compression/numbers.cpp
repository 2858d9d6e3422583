#include "numbers.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <cmath>

namespace echelon::detail {

bool all_finite(std::span<const double> v) {
  constexpr std::uint64_t exponent = std::uint64_t{0x7ff} << 52;
  bool bad = false;
  for (const double value : v) bad |= (std::bit_cast<std::uint64_t>(value) & exponent) == exponent;
  return !bad;
}

void fill_with_nan(std::span<std::byte> message) {
  std::ranges::fill(message, std::byte{0xff});
}

Draws draws_for(const MessageKey& key) {
  return {key.seed, Purpose::compression, key.agent, key.round, key.stream};
}

double binary_scale(std::span<const double> v) {
  double largest = 0;
  for (const double value : v) largest = std::max(largest, std::abs(value));
  if (largest == 0) return 1;
  int exponent = 0;
  std::frexp(largest, &exponent);
  return std::ldexp(1.0, -std::clamp(exponent, -1000, 1000));
}

double norm2(std::span<const double> v) {
  const Eigen::Map<const VectorXd> vector(v.data(), static_cast<Index>(v.size()));
  const double square = vector.squaredNorm();
  constexpr double smallest = 1e-280;  // what underflows is then far below rounding
  if (square >= smallest && std::isfinite(square)) return std::sqrt(square);
  const double scale = binary_scale(v);
  return std::sqrt((scale * vector).squaredNorm()) / scale;
}

Index kept_entries(double ratio, Index dimension) {
  constexpr double rounding = 1e-15;
  const double wanted = std::ceil(ratio * static_cast<double>(dimension) * (1 - rounding));
  return std::clamp(static_cast<Index>(wanted), Index{1}, dimension);
}

std::size_t block_length(std::int64_t block, Index dimension) {
  return size_of(block == 0 ? dimension : std::min(static_cast<Index>(block), dimension));
}

}  // namespace echelon::detail

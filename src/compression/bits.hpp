#pragma once
/// The bytes of messages: little-endian numbers at any address, and fields of a few bits.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace echelon::detail {

template <class Number>
void store(std::byte* out, Number value) {
  auto bytes = std::bit_cast<std::array<std::byte, sizeof(Number)>>(value);
  if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(bytes);
  std::memcpy(out, bytes.data(), sizeof(Number));
}

template <class Number>
Number load(const std::byte* in) {
  std::array<std::byte, sizeof(Number)> bytes;
  std::memcpy(bytes.data(), in, sizeof(Number));
  if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(bytes);
  return std::bit_cast<Number>(bytes);
}

inline void store_all(std::byte* out, std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) store(out + 8 * i, values[i]);
}

inline void load_all(const std::byte* in, std::span<double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = load<double>(in + 8 * i);
}

/// Bytes that hold `count` fields of `width` bits.
constexpr std::size_t packed_bytes(std::size_t count, int width) {
  return (count * static_cast<std::size_t>(width) + 7) / 8;
}

/// Appends fields of 0 to 56 bits, lowest bit first, without gaps. Needs a `finish`.
class BitWriter {
 public:
  explicit BitWriter(std::byte* out) : out_(out) {}

  /// `value` < 2^width.
  void put(std::uint64_t value, int width) {
    pending_ |= value << count_;
    for (count_ += width; count_ >= 8; count_ -= 8) {
      *out_++ = static_cast<std::byte>(pending_ & 0xff);
      pending_ >>= 8;
    }
  }
  void finish() {
    if (count_ > 0) *out_ = static_cast<std::byte>(pending_);
  }

 private:
  std::byte* out_;
  std::uint64_t pending_ = 0;
  int count_ = 0;  ///< pending bits; below 8 between calls
};

/// Reads what a BitWriter wrote, and no byte beyond.
class BitReader {
 public:
  explicit BitReader(const std::byte* in) : in_(in) {}

  std::uint64_t take(int width) {
    for (; count_ < width; count_ += 8) {
      pending_ |= std::to_integer<std::uint64_t>(*in_++) << count_;
    }
    const std::uint64_t value = pending_ & ((std::uint64_t{1} << width) - 1);
    pending_ >>= width;
    count_ -= width;
    return value;
  }

 private:
  const std::byte* in_;
  std::uint64_t pending_ = 0;
  int count_ = 0;
};

}  // namespace echelon::detail

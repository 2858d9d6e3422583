#pragma once
/// What the formats share. A message of ones only (`fill_with_nan`) decodes to NaN in every entry
/// under each of them, since every number in it is then a NaN.

#include <algorithm>
#include <cstddef>
#include <span>

#include "echelon/compression/compressor.hpp"
#include "echelon/core/random.hpp"

namespace echelon::detail {

inline std::size_t size_of(Index dimension) {
  return static_cast<std::size_t>(dimension);
}

bool all_finite(std::span<const double> v);
void fill_with_nan(std::span<std::byte> message);

/// The random numbers of one message.
Draws draws_for(const MessageKey& key);

/// A power of two that brings the largest |v_j| near 1, such that neither it nor its reciprocal
/// overflows; 1 for v = 0.
double binary_scale(std::span<const double> v);

/// |v|_2 of finite numbers, without spurious overflow or underflow.
double norm2(std::span<const double> v);

/// ceil(ratio d), at least 1; products that should be whole are not pushed up by rounding.
Index kept_entries(double ratio, Index dimension);

/// Length of all blocks but the last, which may be shorter; `block` = 0 asks for one block.
std::size_t block_length(std::int64_t block, Index dimension);

/// Calls body(number of the block, first index, length).
template <class Body>
void for_each_block(std::size_t size, std::size_t length, const Body& body) {
  for (std::size_t b = 0, begin = 0; begin < size; ++b, begin += length) {
    body(b, begin, std::min(length, size - begin));
  }
}

}  // namespace echelon::detail

#pragma once
/// For tests of compressors: sample vectors, one trip through a message, scaled errors.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "echelon/compression/compressor.hpp"
#include "echelon/core/random.hpp"
#include "part_settings.hpp"

namespace echelon::testing_support {

using Numbers = std::vector<double>;
using Message = std::vector<std::byte>;

inline std::unique_ptr<Compressor> compressor(const std::string& name, Index dimension,
                                              PartOptions options) {
  return make_compressor({compressor_catalog(), name, std::move(options)}, dimension);
}

/// With those of the settings that the part reads, and of a rank that suits every dimension.
inline std::unique_ptr<Compressor> compressor(const std::string& name, Index dimension,
                                              const PartSettings& settings = {}) {
  if (name == "low-rank" && dimension < 7) {
    return compressor(name, dimension, PartOptions(LowRankOptions{.rank = 1}));
  }
  return make_compressor(chosen(compressor_catalog(), name, settings), dimension);
}

/// Encoded into a buffer of just the right size that holds garbage before.
inline Message message_of(const Compressor& q, const Numbers& v, const MessageKey& key = {}) {
  Message message(q.bytes(static_cast<Index>(v.size())), std::byte{0x5a});
  q.encode(v, key, message);
  return message;
}

inline Numbers decoded(const Compressor& q, const Message& message, std::size_t size,
                       const MessageKey& key = {}) {
  Numbers v(size, 17.0);
  q.decode(message, key, v);
  return v;
}

inline Numbers trip(const Compressor& q, const Numbers& v, const MessageKey& key = {}) {
  return decoded(q, message_of(q, v, key), v.size(), key);
}

inline Numbers gaussian(Index d, std::uint64_t seed = 1) {
  Draws draws(seed, Purpose::start);
  Numbers v(static_cast<std::size_t>(d));
  for (double& value : v) value = draws.normal();
  return v;
}

inline Numbers scaled(Numbers v, double factor) {
  for (double& value : v) value *= factor;
  return v;
}

/// |shrink q - v|^2 / |v|^2 without overflow; v must not be 0.
inline double relative_error(const Numbers& q, const Numbers& v, double shrink = 1) {
  double largest = 0;
  for (const double value : v) largest = std::max(largest, std::abs(value));
  double error = 0;
  double square = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double entry = v[i] / largest;
    const double difference = shrink * (q[i] / largest) - entry;
    error += difference * difference;
    square += entry * entry;
  }
  return error / square;
}

inline bool all_nan(const Numbers& v) {
  return std::all_of(v.begin(), v.end(), [](double value) { return std::isnan(value); });
}

}  // namespace echelon::testing_support

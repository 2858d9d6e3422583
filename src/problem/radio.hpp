#pragma once
/// Radio devices that send 16-QAM, as pure functions of the seed and their number.

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "echelon/problem/data.hpp"
#include "echelon/problem/demodulation.hpp"

namespace echelon::detail {

/// Which devices: those that are learned from, or those that only reports see.
enum class Devices : std::uint64_t { training = 0, unseen = 1 };

class Radio {
 public:
  Radio(const RadioOptions& options, std::uint64_t seed, Devices which, std::int64_t device);

  /// What arrives of each of the 16 symbols, `per_symbol` times, in order: pilots.
  void send_pilots(std::int64_t per_symbol, DenseData& received, std::vector<std::uint8_t>& sent);
  /// What arrives of `count` random symbols. After the pilots, which set the gain.
  void send_payload(std::int64_t count, DenseData& received, std::vector<std::uint8_t>& sent);
  /// The symbol whose arrival without noise is nearest: the most likely one.
  std::uint8_t most_likely(const float* received) const;

 private:
  Eigen::Vector2d arrival(std::uint8_t symbol) const;

  Eigen::Matrix2d channel_;  ///< h B as a map of the plane
  double noise_;             ///< deviation of each of the two numbers
  bool gain_control_;
  double gain_ = 1;  ///< of the receiver
  Draws pilot_draws_, payload_draws_;
};

}  // namespace echelon::detail

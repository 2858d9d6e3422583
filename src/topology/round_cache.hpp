#pragma once
/// Keeps what a schedule computed, since several variables mix with the same round's matrix.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "echelon/topology/schedule.hpp"

namespace echelon::detail {

/// One period if that is short, otherwise the latest rounds. Safe to use from several threads.
class RoundCache {
 public:
  /// `period` as in MixingSchedule.
  explicit RoundCache(std::uint64_t period)
      : period_(period), slots_(3 * std::clamp<std::uint64_t>(period, 1, most_rounds)) {}

  /// The matrix that is kept, or else `make(round)`, with a round of the first period.
  template <class Make>
  std::shared_ptr<const MixingMatrix> at(std::uint64_t round, Weights weights, const Make& make) {
    if (period_ > 0) round %= period_;
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[3 * (round % (slots_.size() / 3)) + static_cast<std::size_t>(weights)];
    if (slot.round != round) {
      slot.matrix = make(round);
      slot.round = round;
    }
    return slot.matrix;
  }

 private:
  struct Slot {
    std::optional<std::uint64_t> round{};
    std::shared_ptr<const MixingMatrix> matrix{};
  };
  static constexpr std::uint64_t most_rounds = 64;

  std::uint64_t period_;
  std::vector<Slot> slots_;  ///< three kinds of weights per round
  std::mutex mutex_;
};

/// `matrix` itself if it qualifies, otherwise a reweighted copy.
std::shared_ptr<const MixingMatrix> shared_reweighted(
    const std::shared_ptr<const MixingMatrix>& matrix, Weights weights);

}  // namespace echelon::detail

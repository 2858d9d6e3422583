#pragma once
/// How the numbers of one variable travel.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "echelon/comm/message_mixer.hpp"
#include "echelon/comm/multiply_add.hpp"
#include "echelon/embed/gossip.hpp"

namespace echelon::detail {

/// Buffers hold as many numbers as the variable; `in` and `out` may be the same.
template <class Scalar>
class Rounds {
 public:
  virtual ~Rounds() = default;
  virtual void start(const Scalar* in) = 0;
  virtual void progress() = 0;
  virtual void finish(Scalar* out) = 0;
  virtual void mix(const Scalar* in, Scalar* out) {
    start(in);
    finish(out);
  }
  virtual std::uint64_t round() const = 0;
};

/// Throws usage errors that are the same on all ranks; does not communicate.
template <class Scalar>
std::unique_ptr<Rounds<Scalar>> make_rounds(Network& network, const std::string& name, Index size,
                                            const Mixing& mixing);
template <class Scalar>
std::unique_ptr<Rounds<Scalar>> make_rounds(Network& network, const std::string& name, Index size,
                                            const CompressedMixing& mixing);

/// out <- sum_j w_ij x_j, from numbers that begin `offset` bytes into each message.
template <class Scalar>
void mix_messages(std::span<const MessageMixer::Received> received, std::size_t offset,
                  std::span<Scalar> out) {
  constexpr std::size_t strip = 2048;  // stays in cache from one neighbor to the next
  for (std::size_t from = 0; from < out.size(); from += strip) {
    const std::size_t end = std::min(out.size(), from + strip);
    if (received.empty())
      std::fill(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), Scalar(0));
    bool first = true;
    for (const MessageMixer::Received& term : received) {
      const auto* theirs = reinterpret_cast<const Scalar*>(term.message + offset);
      const auto weight = static_cast<Scalar>(term.weight);
      if (first) {
        for (std::size_t r = from; r < end; ++r) out[r] = weight * theirs[r];
      } else {
        for (std::size_t r = from; r < end; ++r) out[r] = multiply_add(weight, theirs[r], out[r]);
      }
      first = false;
    }
  }
}

}  // namespace echelon::detail

#include "echelon/problem/gradient_noise.hpp"

#include <cmath>

#include "echelon/core/random.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

namespace {

std::uint64_t stream_of(const Sample& sample, Level level) {
  return (static_cast<std::uint64_t>(2 * sample.stream + (level == Level::upper ? 0 : 1)) << 32) |
         sample.step;
}

/// One draw per sample: the y-part first, so that both parts are the same whichever is asked for.
void add_draws(double weight, Draws draws, Vector gx, Vector gy, Index q) {
  for (Index i = 0; i < q; ++i) {
    const double error = weight * draws.normal();
    if (gy.data() != nullptr) gy(i) += error;
  }
  if (gx.data() == nullptr) return;
  for (Index i = 0; i < gx.size(); ++i) gx(i) += weight * draws.normal();
}

}  // namespace

void GradientNoise::add(Level level, AgentId agent, const Sample& sample, Vector gx, Vector gy,
                        Index q) const {
  if (deviation_ == 0 || sample.full) return;
  if (sample.batches > 0) return add_of_sub_batch(level, agent, sample, gx, gy, q);
  add_draws(
      deviation_,
      Draws(seed_, Purpose::gradient_noise, agent, sample.iteration, stream_of(sample, level)), gx,
      gy, q);
}

// e_b - mean e has variance 1 - 1/B, which the scale makes up for; B = 1 is the full gradient.
void GradientNoise::add_of_sub_batch(Level level, AgentId agent, const Sample& sample, Vector gx,
                                     Vector gy, Index q) const {
  if (sample.batches == 1) return;
  constexpr std::uint64_t fixed = std::uint64_t{1} << 63;  // no iteration has this number
  const auto batches = static_cast<double>(sample.batches);
  const double scale = deviation_ * std::sqrt(batches / (batches - 1));
  const std::int64_t chosen = sub_batch_of(agent, sample, seed_);
  for (std::int64_t b = 0; b < sample.batches; ++b) {
    const double weight = scale * ((b == chosen ? 1.0 : 0.0) - 1 / batches);
    add_draws(weight,
              Draws(seed_, Purpose::gradient_noise, agent, fixed | static_cast<std::uint64_t>(b),
                    level == Level::upper ? 0 : 1),
              gx, gy, q);
  }
}

}  // namespace echelon

#pragma once
/// Stochastic gradients of problems that are no finite sums.

#include <cstdint>

#include "echelon/problem/problem.hpp"

namespace echelon {

/// Adds independent Gaussian errors to the entries of a gradient. They are drawn afresh for every
/// sample; where the sample names one of B sub-batches, they are one of B fixed errors instead, of
/// the same variance and with mean zero over the sub-batches. Full samples are left alone.
class GradientNoise {
 public:
  GradientNoise(double deviation, std::uint64_t seed) : deviation_(deviation), seed_(seed) {}

  /// gx (length p) and gy (length q) may be unwanted; neither changes what the other receives.
  void add(Level level, AgentId agent, const Sample& sample, Vector gx, Vector gy, Index q) const;
  std::uint64_t seed() const { return seed_; }

 private:
  void add_of_sub_batch(Level level, AgentId agent, const Sample& sample, Vector gx, Vector gy,
                        Index q) const;

  double deviation_;
  std::uint64_t seed_;
};

}  // namespace echelon

#pragma once
/// How samples are dealt to agents.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/options.hpp"

namespace echelon {

struct PartitionOptions {
  std::string partition = "even";  ///< even, label-shards, dirichlet
  double dirichlet_alpha = 0.5;
  std::int64_t shards_per_agent = 2;
  std::int64_t minimum_samples = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// Deals the samples 0 .. labels.size()-1 to `agents` agents; each list ascending, every sample
/// dealt exactly once. A pure function of its arguments.
///   even: a seeded permutation cut into contiguous parts whose sizes differ by at most one.
///   label-shards: samples sorted by label (ties by the seeded permutation), cut into agents *
///   shards_per_agent parts, dealt at random
///     (H. B. McMahan et al., AISTATS 2017, arXiv:1602.05629).
///   dirichlet: each label's samples divided by proportions drawn from Dirichlet(alpha) (T.-M. H.
///   Hsu et al., 2019, arXiv:1909.06335). Ends for any
///     alpha > 0: the draws are in logarithms, and instead of redrawing, agents below
///     `minimum_samples` receive samples from the largest ones.
/// Throws a usage error if agents * minimum_samples exceeds the number of samples.
std::vector<std::vector<std::int64_t>> deal_samples(const std::vector<std::uint8_t>& labels,
                                                    std::int64_t agents,
                                                    const PartitionOptions& options,
                                                    std::uint64_t seed);

}  // namespace echelon

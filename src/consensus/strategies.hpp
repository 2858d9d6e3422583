#pragma once
/// The entries of the catalog, one per strategy; each lives in the file of its strategy.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "echelon/comm/mixer.hpp"
#include "echelon/consensus/strategy.hpp"

namespace echelon::detail {

StrategyEntry all_reduce_entry();
StrategyEntry gossip_atc_entry();
StrategyEntry gossip_cta_entry();
StrategyEntry gt_atc_entry();
StrategyEntry gt_semi_entry();
StrategyEntry gt_nonatc_entry();
StrategyEntry extra_entry();
StrategyEntry exact_diffusion_entry();
StrategyEntry push_pull_entry();
StrategyEntry push_sum_entry();
StrategyEntry push_diging_entry();
StrategyEntry compressed_tracking_entry();
StrategyEntry choco_entry();
StrategyEntry local_server_entry();
StrategyEntry local_server_cv_entry();
StrategyEntry stale_server_entry();
StrategyEntry none_entry();
StrategyEntry clipped_gossip_entry();

/// x_i <- x_i - a G_i, then x_i + sum_j w_ij (x_j - x_i) clipped to length `radius`, where the x_j
/// that attackers send are forged. 0: by the adaptive rule; infinite: not clipped.
std::unique_ptr<ConsensusStrategy> make_clipped_gossip(const StrategyContext& context,
                                                       double radius);

/// FNV-1a: names of vectors as numbers, the same on all machines.
inline std::uint64_t stream_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : name) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  }
  return hash;
}

/// |a - b|^2 over `rows` numbers, added in one order wherever they lie.
inline double squared_distance(const double* a, const double* b, Index rows) {
  double sum = 0;
  for (Index r = 0; r < rows; ++r) sum += (a[r] - b[r]) * (a[r] - b[r]);
  return sum;
}

/// How strategies mix unless they say otherwise.
inline Mixing mixing(const StrategyOptions& options, Weights weights = Weights::given) {
  return {.weights = weights,
          .rounds = static_cast<int>(options.mixing_rounds),
          .chebyshev = options.chebyshev};
}

/// Throws a usage error unless a network of several agents has what `need` says. `where` names the
/// option, `who` what mixes.
void require_network(NetworkNeed need, bool changing_network, const Certificate& certificate,
                     const std::string& where, const std::string& who);

}  // namespace echelon::detail

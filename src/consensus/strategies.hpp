#pragma once
/// The entries of the catalog, one per strategy; each lives in the file of its strategy.

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

#pragma once
/// What several strategies have in common.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "echelon/comm/mixer.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/fnv.hpp"

namespace echelon::detail {

/// x_i <- x_i - a G_i, then x_i + sum_j w_ij (x_j - x_i) clipped to length `radius`, where the x_j
/// that attackers send are forged. clipping_radius 0: by the adaptive rule; infinite: not clipped.
std::unique_ptr<ConsensusStrategy> make_clipped_gossip(const StrategyContext& context,
                                                       const ClippedGossipOptions& options);

/// Names of vectors as numbers, the same on all machines.
inline std::uint64_t stream_of(const std::string& name) {
  return fnv_of(name);
}

/// |a - b|^2 over `rows` numbers, added in one order wherever they lie.
inline double squared_distance(const double* a, const double* b, Index rows) {
  double sum = 0;
  for (Index r = 0; r < rows; ++r) sum += (a[r] - b[r]) * (a[r] - b[r]);
  return sum;
}

/// How strategies mix unless they say otherwise.
inline Mixing mixing(const MixingOptions& options, Weights weights = Weights::given) {
  return {.weights = weights,
          .rounds = static_cast<int>(options.mixing_rounds),
          .chebyshev = options.chebyshev};
}

void visit_mixing_rounds(OptionVisitor& visitor, std::int64_t& mixing_rounds);
void visit_aggregation(OptionVisitor& visitor, Chosen<AggregationEntry>& aggregation);

/// The server of a strategy; `what` tells several of one strategy apart.
inline Aggregator aggregator_of(const StrategyContext& context,
                                const Chosen<AggregationEntry>& rule,
                                const std::string& what = "") {
  return {context.network, context.variable + what, {context.dimension}, rule, context.attack};
}

/// For strategies with a server: throws a usage error if the rule does not tolerate the attack.
void require_rule_tolerates(const Chosen<AggregationEntry>& rule, const Attack& attack,
                            const std::string& where);

/// Throws a usage error unless a network of several agents has what `need` says. `where` names the
/// option, `who` what mixes.
void require_network(NetworkNeed need, bool changing_network, const Certificate& certificate,
                     const std::string& where, const std::string& who);

}  // namespace echelon::detail

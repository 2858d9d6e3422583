#pragma once
/// Network means of vectors that agents compute, for steps that are nonlinear in those means: mean
/// first, then combine. (Averaging the combined step instead would follow the mean of nonlinear
/// functions, which is not the function of the means.)

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/mixer.hpp"
#include "echelon/comm/network.hpp"
#include "echelon/consensus/aggregation.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

/// How means of a method that combines them are taken: mixing for dynamic average consensus, the
/// rule for exact means.
struct MeanOptions {
  MixingOptions mixing{};
  Chosen<AggregationEntry> aggregation{aggregation_catalog(), "mean"};
};

/// Follows the means of several components c (d_k x m each), stacked so that one message carries
/// all:
///   exact:    u_i = mean(c) on every agent, the same bits everywhere
///   else:     u <- W (u + c - c_last), at first u = c     (dynamic average consensus, adapt then
///             combine); mean(u) = mean(c) always, and u_i -> mean(c) at the rate of the network as
///             c settles
/// A component that depends on another mean takes a tracker of its own, fed with the tracked mean.
/// Source: M. Zhu, S. Martinez, Automatica 46(2), 2010.
class MeanTracker {
 public:
  /// `heights` are the d_k. Collective. Throws a usage error if the network cannot serve dynamic
  /// average consensus (connected, doubly stochastic), or if somebody lies and means are not exact.
  MeanTracker(Network& network, std::string name, const std::vector<Index>& heights, bool exact,
              const MeanOptions& options = {}, std::shared_ptr<const Attack> attack = nullptr);

  std::size_t components() const { return heights_.size(); }
  /// d_k x m, to be filled by the local agents before each update; what it holds afterwards is
  /// void.
  AgentView component(std::size_t k) { return block(components_, k); }
  /// Collective, once all components are filled.
  void update();
  /// d_k x m: what each local agent takes for the mean of component k since the last update.
  AgentView mean(std::size_t k) { return block(means_, k); }

  void visit_state(StateVisitor& visitor);

 private:
  AgentView block(AgentMatrix& of, std::size_t k) const;

  Network* network_;
  bool exact_;
  std::vector<Index> heights_;
  std::vector<Index> offsets_;  ///< multiples of 8: a block starts at a cache line
  Index rows_;                  ///< of all, with the gaps, which stay 0
  Mixer mix_;
  Aggregator aggregate_;
  AgentMatrix components_;
  AgentMatrix last_;
  AgentMatrix means_;
  std::int64_t started_ = 0;
};

}  // namespace echelon

#pragma once
/// How a local direction becomes a step on which agents agree. One file per strategy; recursions
/// are written for the block S whose row i is agent i's value, `W S` being one exchange with the
/// neighbors.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/consensus/attack.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/state.hpp"
#include "echelon/participation/participation.hpp"

namespace echelon {

/// Options of all strategies; each says in its entry which it reads.
struct StrategyOptions {
  std::int64_t mixing_rounds = 1;
  bool chebyshev = false;
  bool lazy = true;                ///< extra, exact-diffusion
  CompressionOptions compression;  ///< compressed-tracking, choco
  double consensus_step = 0;       ///< compressed-tracking, choco; 0 = chosen
  std::int64_t local_steps = 1;    ///< local-server, local-server-cv
  double server_step = 1;  ///< the same: step of the server on the mean of the clients' moves
  std::string aggregation = "mean";  ///< how servers combine answers, see Aggregator
  double trimmed_fraction = 0.2;     ///< trimmed-mean; clipped-gossip
  double clipping_radius = 0;        ///< centered-clipping, clipped-gossip; 0 = chosen
  bool mix_nearest = false;          ///< before median, trimmed-mean, centered-clipping
  std::int64_t clipping_rounds = 3;  ///< centered-clipping

  void visit(OptionVisitor& visitor);  ///< part of section `consensus`
};

/// What a strategy is made for.
struct StrategyContext {
  Network& network;
  std::string variable;
  Index dimension;
  StrategyOptions options;
  std::uint64_t seed;  ///< of random compression
  Participation* participation =
      nullptr;  ///< of rounds in which not all agents take part; outlives
  std::shared_ptr<const Attack> attack = nullptr;  ///< nullptr: nobody lies
};

class ConsensusStrategy {
 public:
  virtual ~ConsensusStrategy() = default;
  /// Called once, before the first step of a new run, with the starting value. Collective.
  virtual void begin(const AgentView& /*value*/) {}
  /// One step of length `step` along `direction` (d x m), which is scratch afterwards: swap it,
  /// never copy it. Collective.
  virtual void advance(AgentMatrix& value, AgentMatrix& direction, double step) = 0;
  /// Values were projected; what a strategy holds in their place is, too. `project` changes d
  /// numbers.
  virtual void follow_projection(const std::function<void(double* column)>& /*project*/) {}
  /// Lets trackers and increments start anew, as if the next direction were the first.
  virtual void forget() {}
  /// Everything carried from step to step besides the value.
  virtual void visit_state(StateVisitor&) {}
};

/// What a strategy asks of the mixing matrix.
enum class NetworkNeed {
  nothing,            ///< does not mix
  connected,          ///< strongly, taken over a period; any weights
  doubly_stochastic,  ///< connected, rows and columns sum to 1
  symmetric,          ///< doubly stochastic and symmetric
};

/// What holds for network means at every step; `G` is the direction, T the tracker.
enum class Invariant {
  none,
  mean_step,     ///< mean(S_new) = mean(S) - a mean(G)
  tracker_mean,  ///< mean(T) = mean(G); T is the state `tracker`
  unit_mass,     ///< the weights of push-sum (state `mass`) sum to n
};

struct StrategyEntry {
  std::string name;
  std::string summary;
  std::string recursion;  ///< as in the literature
  std::string reference;
  NetworkNeed need;
  bool changing_network;    ///< may W differ from round to round?
  double vectors_sent;      ///< per step, in lengths of the variable before compression, to each
                            ///< neighbor (all-reduce: reduced)
  bool personal;            ///< agents keep values of their own
  bool compressed = false;  ///< what it sends goes through StrategyOptions::compression
  bool served = false;      ///< a server averages once per `local_steps` steps
  bool aggregates = false;  ///< a server combines by StrategyOptions::aggregation
  bool attackable = false;  ///< false answers can be simulated
  bool exact_on_heterogeneous;  ///< constant steps reach the exact point when local objectives
                                ///< differ
  bool projectable;             ///< stays exact if the value is projected after each step
  Invariant invariant;
  std::function<std::unique_ptr<ConsensusStrategy>(const StrategyContext&)> make;
};

/// all-reduce, gossip-atc, gossip-cta, gt-atc, gt-semi, gt-nonatc, extra, exact-diffusion,
/// push-pull, push-sum, push-diging, compressed-tracking, choco, local-server, local-server-cv,
/// stale-server, clipped-gossip, none.
const std::vector<StrategyEntry>& strategy_catalog();

/// Throws a usage error with the reason if the network cannot serve the strategy.
void require_served(const StrategyEntry& strategy, const StrategyOptions& options,
                    const Certificate& certificate, const std::string& variable);

/// Throws a usage error with the reason if the strategy has no server that could follow
/// StrategyOptions::aggregation, cannot simulate the attack, or cannot bear that many attackers.
/// (The plain mean and plain gossip bear none, and may be tried.)
void require_bearable(const StrategyEntry& strategy, const StrategyOptions& options,
                      const Network& network, const Attack* attack, const std::string& variable);

}  // namespace echelon

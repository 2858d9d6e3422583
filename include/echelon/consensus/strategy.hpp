#pragma once
/// How a local direction becomes a step on which agents agree. One file per strategy; recursions
/// are written for the block S whose row i is agent i's value, `W S` being one exchange with the
/// neighbors.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/consensus/aggregation.hpp"
#include "echelon/consensus/attack.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/part.hpp"
#include "echelon/core/state.hpp"
#include "echelon/participation/participation.hpp"

namespace echelon {

/// How a strategy, or a tracker of means, mixes.
struct MixingOptions {
  std::int64_t mixing_rounds = 1;
  bool chebyshev = false;

  void visit(OptionVisitor& visitor);
};

/// Options of extra and exact-diffusion.
struct TwoPointOptions {
  MixingOptions mixing{};
  bool lazy = true;

  void visit(OptionVisitor& visitor);
};

/// Options of compressed-tracking and choco.
struct CompressedOptions {
  double consensus_step = 0;
  Chosen<CompressorEntry> compressor{compressor_catalog(), "top-k"};

  void visit(OptionVisitor& visitor);
};

/// Options of strategies whose server combines the agents' answers: all-reduce and stale-server.
struct ServerOptions {
  Chosen<AggregationEntry> aggregation{aggregation_catalog(), "mean"};

  void visit(OptionVisitor& visitor);
};

/// Options of local-server and local-server-cv.
struct LocalServerOptions {
  std::int64_t local_steps = 1;
  double server_step = 1;
  Chosen<AggregationEntry> aggregation{aggregation_catalog(), "mean"};

  void visit(OptionVisitor& visitor);
};

struct ClippedGossipOptions {
  std::int64_t mixing_rounds = 1;
  double trimmed_fraction = 0.2;
  double clipping_radius = 0;

  void visit(OptionVisitor& visitor);
};

/// What a strategy is made for.
struct StrategyContext {
  Network& network;
  std::string variable;
  Index dimension;
  PartOptions options;  ///< of the strategy's own type
  std::uint64_t seed;   ///< of random compression
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

/// Whose directions a strategy needs at a step.
enum class Attendance {
  everybody,     ///< the same agents at every step
  any_clients,   ///< all agents; clients may take turns at being them
  some_answers,  ///< may do without some agents in a round
  late_answers,  ///< goes on without waiting, with answers as they come
};

/// What follows from the options of a strategy.
struct StrategyTraits {
  NetworkNeed need = NetworkNeed::nothing;
  bool changing_network = true;  ///< may W differ from round to round?
  /// A server combines what agents send; otherwise they send to each neighbor.
  bool has_server = false;
  std::int64_t local_steps = 1;  ///< of a round; an agent sends once in a round
  /// Per round, in lengths of the variable before compression.
  double vectors_sent = 1;
  std::optional<Chosen<CompressorEntry>> compressor{};  ///< none: doubles
  Attendance attendance = Attendance::everybody;
  bool personal = false;          ///< agents keep values of their own
  bool averages_exactly = false;  ///< each step, so that all agents move alike
  bool robust = false;            ///< combines by another rule than the mean
  bool attackable = false;        ///< false answers can be simulated
  /// Constant steps reach the exact point when local objectives differ.
  bool exact_on_heterogeneous = true;
  bool projectable = true;  ///< stays exact if the value is projected after each step
  Invariant invariant = Invariant::none;
};

/// A consensus strategy; its options are in section `consensus`.
struct StrategyEntry {
  std::string name;
  std::string summary;
  std::string recursion;  ///< as in the literature
  std::string reference;
  std::vector<std::string> aliases{};
  PartOptions options{};
  std::function<StrategyTraits(const PartOptions&)> traits;
  /// Throws a usage error, beginning with `where`, for what a network of several agents lacks
  /// besides `traits(options).need`; empty: nothing more.
  std::function<void(const PartOptions&, const Certificate&, const std::string& where)>
      require_served{};
  /// The same for attacks that the strategy does not tolerate.
  std::function<void(const PartOptions&, const Network&, const Attack&, const std::string& where)>
      require_tolerable{};
  std::function<std::unique_ptr<ConsensusStrategy>(const StrategyContext&)> make;
};

/// all-reduce, gossip-atc, gossip-cta, gt-atc, gt-semi, gt-nonatc, extra, exact-diffusion,
/// push-pull, push-sum, push-diging, compressed-tracking, choco, local-server, local-server-cv,
/// stale-server, clipped-gossip, none.
PartList<StrategyEntry>& strategy_catalog();

/// Of the strategy with its options.
inline StrategyTraits traits_of(const Chosen<StrategyEntry>& strategy) {
  return strategy->traits(strategy.options());
}

/// Throws a usage error with the reason if the network cannot serve the strategy.
void require_served(const Chosen<StrategyEntry>& strategy, const Certificate& certificate,
                    const std::string& variable);

/// Throws a usage error with the reason if the strategy cannot simulate the attack, or cannot bear
/// that many attackers. (The plain mean and plain gossip bear none, and may be tried.) nullptr:
/// nobody lies.
void require_bearable(const Chosen<StrategyEntry>& strategy, const Network& network,
                      const Attack* attack, const std::string& variable);

}  // namespace echelon

#pragma once
/// What agents know of each other when they send only compressed changes.

#include <cstdint>
#include <memory>
#include <string>

#include "echelon/comm/message_mixer.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/consensus/strategy.hpp"

namespace echelon {

/// Every agent i keeps a reference r_i of its vector v_i, and of its neighbors' references only
/// what gossip needs, D_i = sum_j w_ij (r_j - r_i). One exchange sends m_i = Q(v_i - r_i):
///
///     r_i <- r_i + m_i        D_i <- D_i + sum_j w_ij (m_j - m_i)
///
/// with decoded messages on both sides, those of unbiased Q divided by 1 + variance. The sum of D
/// over agents is 0 if W is doubly stochastic. To keep it so over any number of steps (a tracker
/// adds up whatever is left), D carries its rounding errors along; with a symmetric W the terms of
/// an edge cancel exactly. Source: A. Koloskova, S. Stich, M. Jaggi, ICML 2019, arXiv:1902.00340.
class CompressedExchange {
 public:
  /// `name` tells the vectors of one variable apart.
  CompressedExchange(const StrategyContext& context, const std::string& name,
                     std::shared_ptr<const Compressor> compressor);

  /// References start at `value`, which is the same for all agents: all of them know it.
  void begin(const AgentView& value);
  /// Sends Q(v - r); `receive` follows. Between both other exchanges may go on, and computation, as
  /// between Mixer's start and finish. Collective.
  void send(const AgentView& v);
  void progress() { mixer_.progress(); }
  void receive();

  /// D, d x m.
  const AgentMatrix& difference() const { return difference_; }
  std::uint64_t round() const { return mixer_.round(); }
  void visit_state(StateVisitor& visitor);

 private:
  MessageKey key(AgentId sender) const { return {seed_, stream_, round_, sender}; }
  void add_difference(int agent, double weight, const double* theirs, const double* own);
  void settle_rounding(int agent);

  Network& network_;
  std::shared_ptr<const Compressor> compressor_;
  MessageMixer mixer_;
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t round_ = 0;  ///< of the messages under way
  double scale_;             ///< 1 / (1 + variance)
  AgentMatrix reference_;
  AgentMatrix difference_;
  AgentMatrix rounding_;  ///< what `difference_` lost by rounding
  AgentMatrix sent_;      ///< the decoded own message, from `send` to `receive`
};

/// The compressor of a strategy's options, for vectors of the variable.
std::shared_ptr<const Compressor> compressor_of(const StrategyContext& context);

/// The step of compressed gossip: `consensus_step`, or if that is 0 what suits the compressor.
double consensus_step(const StrategyContext& context, const Compressor& compressor);

}  // namespace echelon

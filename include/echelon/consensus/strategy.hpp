#pragma once
/// How a local direction becomes a step on which agents agree. One file per strategy; recursions
/// are written for the block S whose row i is agent i's value, `W S` being one exchange with the
/// neighbors.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

class ConsensusStrategy {
 public:
  virtual ~ConsensusStrategy() = default;
  /// One step of length `step` along `direction` (d x m), which is scratch afterwards: swap it,
  /// never copy it. Collective.
  virtual void advance(AgentMatrix& value, AgentMatrix& direction, double step) = 0;
  /// Everything carried from step to step besides the value.
  virtual void visit_state(StateVisitor&) {}
};

/// What a strategy asks of the mixing matrix.
enum class NetworkNeed {
  nothing,            ///< does not mix
  connected,          ///< all agents take part, weights do not matter
  doubly_stochastic,  ///< connected, rows and columns sum to 1
};

struct StrategyEntry {
  std::string name;
  std::string summary;
  std::string recursion;  ///< as in the literature
  std::string reference;
  NetworkNeed need;
  double vectors_sent;  ///< per step, in lengths of the variable, to each neighbor (all-reduce:
                        ///< reduced)
  bool personal;        ///< agents keep values of their own
  bool exact_on_heterogeneous;  ///< constant steps reach the exact point when local objectives
                                ///< differ
  std::function<std::unique_ptr<ConsensusStrategy>(Network&, const std::string& variable,
                                                   Index dimension)>
      make;
};

/// all-reduce, gossip-atc, gossip-cta, gt-atc, gt-semi, gt-nonatc, none.
const std::vector<StrategyEntry>& strategy_catalog();

/// Throws a usage error with the reason if the network cannot serve the strategy.
void require_served(const StrategyEntry& strategy, const Certificate& certificate,
                    const std::string& variable);

}  // namespace echelon

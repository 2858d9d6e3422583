#pragma once
/// Who hears whom.

#include <span>
#include <utility>
#include <vector>

#include "echelon/core/agents.hpp"

namespace echelon {

/// A directed graph on agents, stored by receiver. Parallel edges are merged and self-loops dropped
/// (every agent knows its own value anyway). An undirected graph holds both directions of each
/// edge.
class Graph {
 public:
  /// `edges` are pairs (receiver, sender). Throws bad_data for an id outside 0 .. agents-1, or no
  /// agents.
  Graph(AgentId agents, std::vector<std::pair<AgentId, AgentId>> edges);

  AgentId agents() const { return static_cast<AgentId>(offsets_.size() - 1); }
  /// The agents that `agent` receives from, ascending.
  std::span<const AgentId> senders(AgentId agent) const;
  std::size_t edges() const { return senders_.size(); }  ///< directed edges
  bool is_undirected() const;

 private:
  std::vector<std::size_t> offsets_;
  std::vector<AgentId> senders_;
};

}  // namespace echelon

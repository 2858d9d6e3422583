#pragma once
/// Ranks and nodes of a hierarchical communicator, and what all its variables share.

#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/comm/node.hpp"
#include "echelon/comm/reduction.hpp"
#include "echelon/embed/hierarchical.hpp"

namespace echelon::detail {

/// Collective; the error is the same on all ranks, as the condition must be.
void require_same(bool condition, const std::string& message);

/// Which rank belongs to which node, the same on all ranks.
struct Grouping {
  std::vector<int> node_of;  ///< by rank
  std::vector<int> sizes;    ///< by node
};

/// n_g V_gh between two neighbors; symmetric to the last bit.
double flow(const Graph& graph, const std::vector<int>& sizes, AgentId g, AgentId h);

class Hierarchy {
 public:
  /// Collective.
  Hierarchy(Communicator all, const HierarchicalCommunicator::MakeGraph& make,
            const HierarchicalOptions& options);

  AgentId nodes() const { return static_cast<AgentId>(groups.sizes.size()); }
  int node() const { return groups.node_of[static_cast<std::size_t>(ranks.rank())]; }
  bool is_first() const { return inside.rank() == 0; }

  Communicator ranks;
  Grouping groups;
  Graph graph;                       ///< between nodes
  MixingMatrix weights;              ///< V
  Communicator inside;               ///< the ranks of this node
  Node machine;                      ///< those of them that share memory
  TreeReduction sums;                ///< over the ranks of this node
  std::unique_ptr<Network> between;  ///< on the first ranks of nodes
};

}  // namespace echelon::detail

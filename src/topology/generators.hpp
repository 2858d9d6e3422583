#pragma once
/// The generators behind the catalog of topologies. A new one is a function here and a line there.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "echelon/topology/topologies.hpp"

namespace echelon::detail {

using Edges = std::vector<std::pair<AgentId, AgentId>>;

/// Adds both directions.
inline void connect(Edges& edges, AgentId i, AgentId j) {
  edges.emplace_back(i, j);
  edges.emplace_back(j, i);
}

inline AgentId agent_count(const TopologyOptions& options) {
  return static_cast<AgentId>(options.agents);
}

/// Throws a usage error for more directed edges, over all rounds of a period, than fit into memory.
void require_memory(const TopologyOptions& options, double edges);

/// What `network.weights` can be.
const std::vector<std::string>& weight_names();

/// ceil(log2 n).
int binary_digits(AgentId n);

Graph ring(const TopologyOptions& options);
Graph directed_ring(const TopologyOptions& options);
Graph two_hop_ring(const TopologyOptions& options);
Graph path(const TopologyOptions& options);
Graph star(const TopologyOptions& options);
Graph complete(const TopologyOptions& options);
Graph grid(const TopologyOptions& options);
Graph torus(const TopologyOptions& options);
Graph hypercube(const TopologyOptions& options);
Graph binary_tree(const TopologyOptions& options);
Graph exponential(const TopologyOptions& options);

Graph erdos_renyi(const TopologyOptions& options);
Graph random_regular(const TopologyOptions& options);
Graph watts_strogatz(const TopologyOptions& options);

std::uint64_t one_peer_exponential_period(const TopologyOptions& options);
TopologyRound one_peer_exponential(const TopologyOptions& options, std::uint64_t round);
std::uint64_t even_odd_ring_period(const TopologyOptions& options);
TopologyRound even_odd_ring(const TopologyOptions& options, std::uint64_t round);
TopologyRound random_matching(const TopologyOptions& options, std::uint64_t round);

std::uint64_t base_k_period(const TopologyOptions& options);
TopologyRound base_k(const TopologyOptions& options, std::uint64_t round);

}  // namespace echelon::detail

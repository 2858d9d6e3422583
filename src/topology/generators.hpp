#pragma once
/// What the files of topologies share. A new topology is one new file; see docs/extending.md.

#include <cstdint>
#include <string_view>
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

/// Throws a usage error for more directed edges, over all rounds of a period, than fit into memory.
void require_memory(std::string_view topology, AgentId agents, double edges);

/// ceil(log2 n).
int binary_digits(AgentId n);

/// `make` of a graph that stays as it is and has no options.
inline auto always(Graph (*generate)(AgentId)) {
  return [generate](AgentId agents, const PartOptions&, std::uint64_t) {
    return TopologyRound{generate(agents)};
  };
}

/// The same, with options of type `Options`.
template <class Options>
auto always(Graph (*generate)(AgentId, const Options&)) {
  return [generate](AgentId agents, const PartOptions& options, std::uint64_t) {
    return TopologyRound{generate(agents, options.as<Options>())};
  };
}

/// `is_directed` of circulant graphs, which are symmetric while they are small.
inline auto directed_above(AgentId agents) {
  return [agents](AgentId n) { return n > agents; };
}

}  // namespace echelon::detail

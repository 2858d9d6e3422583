// Graphs in which few talk at a time and others at the next round.

#include <algorithm>

#include "echelon/core/random.hpp"
#include "generators.hpp"

namespace echelon::detail {

std::uint64_t one_peer_exponential_period(const TopologyOptions& options) {
  return static_cast<std::uint64_t>(std::max(1, binary_digits(agent_count(options))));
}

TopologyRound one_peer_exponential(const TopologyOptions& options, std::uint64_t round) {
  const AgentId n = agent_count(options);
  const std::uint64_t period = one_peer_exponential_period(options);
  require_memory(options, static_cast<double>(n) * static_cast<double>(period));
  const auto hop = static_cast<AgentId>(std::int64_t{1} << (round % period));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) edges.emplace_back(i, (i - hop % n + n) % n);
  return {Graph(n, std::move(edges))};
}

std::uint64_t even_odd_ring_period(const TopologyOptions& options) {
  if (options.agents <= 2) return 1;
  return options.agents % 2 == 0 ? 2 : 3;
}

TopologyRound even_odd_ring(const TopologyOptions& options, std::uint64_t round) {
  const AgentId n = agent_count(options);
  const auto phase = static_cast<AgentId>(round % even_odd_ring_period(options));
  Edges edges;
  if (phase == 2) {
    connect(edges, n - 1, 0);  // the edge that an odd circle has left over
  } else {
    const AgentId last = n % 2 == 0 ? n : n - 1;
    for (AgentId i = phase; i < last; i += 2) connect(edges, i, (i + 1) % n);
  }
  return {Graph(n, std::move(edges))};
}

TopologyRound random_matching(const TopologyOptions& options, std::uint64_t round) {
  const AgentId n = agent_count(options);
  Draws draws(static_cast<std::uint64_t>(options.graph_seed), Purpose::matching, 0, round);
  const std::vector<std::int64_t> order = draws.permutation(n);
  Edges edges;
  for (std::size_t i = 1; i < order.size(); i += 2) {
    connect(edges, static_cast<AgentId>(order[i - 1]), static_cast<AgentId>(order[i]));
  }
  return {Graph(n, std::move(edges))};
}

}  // namespace echelon::detail

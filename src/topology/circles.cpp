// Agents in a circle or a line.

#include "generators.hpp"

namespace echelon::detail {

namespace {

/// Joins every agent with those up to `hops` places on.
Graph circle(AgentId n, AgentId hops) {
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId hop = 1; hop <= hops; ++hop) connect(edges, i, (i + hop) % n);
  }
  return Graph(n, std::move(edges));
}

Graph ring(AgentId n) {
  return circle(n, 1);
}

Graph two_hop_ring(AgentId n) {
  return circle(n, 2);
}

Graph directed_ring(AgentId n) {
  Edges edges;
  for (AgentId i = 0; i < n; ++i) edges.emplace_back(i, (i + n - 1) % n);
  return Graph(n, std::move(edges));
}

Graph path(AgentId n) {
  Edges edges;
  for (AgentId i = 0; i + 1 < n; ++i) connect(edges, i, i + 1);
  return Graph(n, std::move(edges));
}

std::uint64_t even_odd_ring_period(AgentId n, const PartOptions&) {
  if (n <= 2) return 1;
  return n % 2 == 0 ? 2 : 3;
}

TopologyRound even_odd_ring(AgentId n, const PartOptions& options, std::uint64_t round) {
  const auto phase = static_cast<AgentId>(round % even_odd_ring_period(n, options));
  Edges edges;
  if (phase == 2) {
    connect(edges, n - 1, 0);  // the edge that an odd circle has left over
  } else {
    const AgentId last = n % 2 == 0 ? n : n - 1;
    for (AgentId i = phase; i < last; i += 2) connect(edges, i, (i + 1) % n);
  }
  return {Graph(n, std::move(edges))};
}

}  // namespace

std::vector<TopologyEntry> circles_parts() {
  return {
      {.name = "ring",
       .aliases = {"circle", "cycle"},
       .summary = "a circle; every agent hears its two neighbors",
       .formula = "i <-> i + 1 mod n",
       .make = always(ring)},
      {.name = "directed-ring",
       .aliases = {"directed-cycle"},
       .summary = "directed; a circle on which news travel one way",
       .formula = "i <- i - 1 mod n",
       .is_directed = directed_above(2),
       .make = always(directed_ring)},
      {.name = "two-hop-ring",
       .summary = "a circle; every agent hears its two next on each side",
       .formula = "i <-> i + 1, i + 2 mod n",
       .make = always(two_hop_ring)},
      {.name = "path",
       .aliases = {"line", "chain"},
       .summary = "a circle cut open; the slowest common graph",
       .formula = "i <-> i + 1",
       .make = always(path)},
      {.name = "even-odd-ring",
       .summary = "changes; the edges of a circle take turns, one neighbor at a time",
       .formula = "at round k: i <-> i + 1 mod n for i = k mod 2; for odd n the edge left over has "
                  "round 3",
       .period = even_odd_ring_period,
       .make = even_odd_ring},
  };
}

}  // namespace echelon::detail

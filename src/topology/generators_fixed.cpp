// Graphs that are given by a formula and stay as they are.

#include <algorithm>
#include <bit>
#include <cmath>

#include "echelon/core/error.hpp"
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

/// The largest divisor of n that is not above its square root.
AgentId grid_rows(AgentId n) {
  auto rows = static_cast<AgentId>(std::sqrt(static_cast<double>(n)));
  while (n % rows != 0) --rows;
  return rows;
}

Graph lattice(AgentId n, bool wraps) {
  const AgentId rows = grid_rows(n);
  const AgentId columns = n / rows;
  Edges edges;
  for (AgentId r = 0; r < rows; ++r) {
    for (AgentId c = 0; c < columns; ++c) {
      const AgentId i = r * columns + c;
      if (wraps || c + 1 < columns) connect(edges, i, r * columns + (c + 1) % columns);
      if (wraps || r + 1 < rows) connect(edges, i, (r + 1) % rows * columns + c);
    }
  }
  return Graph(n, std::move(edges));
}

}  // namespace

int binary_digits(AgentId n) {
  return std::bit_width(static_cast<std::uint32_t>(n) - 1);
}

Graph ring(const TopologyOptions& options) {
  return circle(agent_count(options), 1);
}

Graph two_hop_ring(const TopologyOptions& options) {
  return circle(agent_count(options), 2);
}

Graph directed_ring(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  Edges edges;
  for (AgentId i = 0; i < n; ++i) edges.emplace_back(i, (i + n - 1) % n);
  return Graph(n, std::move(edges));
}

Graph path(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  Edges edges;
  for (AgentId i = 0; i + 1 < n; ++i) connect(edges, i, i + 1);
  return Graph(n, std::move(edges));
}

Graph star(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  Edges edges;
  for (AgentId i = 1; i < n; ++i) connect(edges, 0, i);
  return Graph(n, std::move(edges));
}

Graph complete(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  require_memory(options, static_cast<double>(n) * (n - 1));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId j = 0; j < i; ++j) connect(edges, i, j);
  }
  return Graph(n, std::move(edges));
}

Graph grid(const TopologyOptions& options) {
  return lattice(agent_count(options), false);
}

Graph torus(const TopologyOptions& options) {
  return lattice(agent_count(options), true);
}

Graph hypercube(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  const auto below = static_cast<AgentId>(std::bit_floor(static_cast<std::uint32_t>(n)));
  require(n == below, ErrorKind::usage, "network.topology = hypercube: ", n,
          " agents make no hypercube (it needs a power of two); choose network.agents = ", below,
          2 * std::int64_t{below} <= most_agents ? text(" or ", 2 * std::int64_t{below}) : "");
  require_memory(options, static_cast<double>(n) * binary_digits(n));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId bit = 1; bit < n; bit *= 2) edges.emplace_back(i, i ^ bit);
  }
  return Graph(n, std::move(edges));
}

Graph binary_tree(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  Edges edges;
  for (AgentId i = 1; i < n; ++i) connect(edges, i, (i - 1) / 2);
  return Graph(n, std::move(edges));
}

Graph exponential(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  require_memory(options, static_cast<double>(n) * binary_digits(n));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId hop = 1; hop < n; hop *= 2) edges.emplace_back(i, (i - hop + n) % n);
  }
  return Graph(n, std::move(edges));
}

}  // namespace echelon::detail

// Grids, cubes and trees.

#include <bit>
#include <cmath>

#include "echelon/core/error.hpp"
#include "generators.hpp"

namespace echelon::detail {

namespace {

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

Graph grid(AgentId n) {
  return lattice(n, false);
}

Graph torus(AgentId n) {
  return lattice(n, true);
}

Graph hypercube(AgentId n) {
  const auto below = static_cast<AgentId>(std::bit_floor(static_cast<std::uint32_t>(n)));
  require(n == below, ErrorKind::usage, "network.topology = hypercube: ", n,
          " agents make no hypercube (it needs a power of two); choose network.agents = ", below,
          2 * std::int64_t{below} <= most_agents ? text(" or ", 2 * std::int64_t{below}) : "");
  require_memory("hypercube", n, static_cast<double>(n) * binary_digits(n));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId bit = 1; bit < n; bit *= 2) edges.emplace_back(i, i ^ bit);
  }
  return Graph(n, std::move(edges));
}

Graph binary_tree(AgentId n) {
  Edges edges;
  for (AgentId i = 1; i < n; ++i) connect(edges, i, (i - 1) / 2);
  return Graph(n, std::move(edges));
}

}  // namespace

std::vector<TopologyEntry> lattices_parts() {
  return {
      {.name = "grid",
       .aliases = {"mesh", "lattice"},
       .summary = "a rectangle of a x b agents, as square as n allows",
       .formula = "(r, c) <-> (r + 1, c), (r, c + 1); a b = n, a <= b",
       .make = always(grid)},
      {.name = "torus",
       .summary = "a grid whose opposite borders are joined",
       .formula = "(r, c) <-> (r + 1 mod a, c), (r, c + 1 mod b); a b = n, a <= b",
       .make = always(torus)},
      {.name = "hypercube",
       .summary = "corners of a cube of log2 n dimensions; n is a power of two",
       .formula = "i <-> i xor 2^k, k = 0 .. log2 n - 1",
       .make = always(hypercube)},
      {.name = "binary-tree",
       .aliases = {"tree"},
       .summary = "agent 0 is the root, every agent has up to two children",
       .formula = "i <-> 2 i + 1, 2 i + 2",
       .make = always(binary_tree)},
  };
}

}  // namespace echelon::detail

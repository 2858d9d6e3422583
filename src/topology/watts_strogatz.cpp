#include <algorithm>

#include "echelon/core/error.hpp"
#include "random_graphs.hpp"

namespace echelon::detail {

namespace {

struct WattsStrogatzOptions {
  std::int64_t degree = 4;
  double rewiring = 0.1;
  std::int64_t graph_seed = 1;

  void visit(OptionVisitor& visitor) {
    visitor("degree", degree, between(1, static_cast<double>(most_agents)),
            "neighbors of an agent before edges move; even");
    visitor("rewiring", rewiring, between(0, 1),
            "probability that an edge moves one end to a random agent");
    visit_graph_seed(visitor, graph_seed);
  }
};

/// The circle with `degree` / 2 neighbors on each side; each edge moves its far end, with
/// probability `rewiring`, to an agent that is not a neighbor yet.
Edges small_world(AgentId n, const WattsStrogatzOptions& options, Draws& draws) {
  const auto reach = static_cast<AgentId>(options.degree / 2);
  Edges pairs;
  Adjacency adjacency(n);
  for (AgentId hop = 1; hop <= reach; ++hop) {
    for (AgentId i = 0; i < n; ++i) {
      pairs.emplace_back(i, (i + hop) % n);
      adjacency.add(i, (i + hop) % n);
    }
  }
  for (auto& [i, j] : pairs) {
    if (draws.uniform() >= options.rewiring) continue;
    if (adjacency.degree(i) == static_cast<std::size_t>(n - 1)) continue;
    AgentId target = i;
    while (target == i || adjacency.has(i, target)) {
      target = static_cast<AgentId>(draws.below(static_cast<std::uint64_t>(n)));
    }
    adjacency.remove(i, j);
    adjacency.add(i, target);
    j = target;
  }
  return pairs;
}

Graph watts_strogatz(AgentId n, const WattsStrogatzOptions& options) {
  check_degree_fits("watts-strogatz", n, options.degree);
  require(options.degree % 2 == 0, ErrorKind::usage,
          "network.topology = watts-strogatz: a degree of ", options.degree,
          " does not split on two sides; choose network.degree = ",
          options.degree > 1 ? text(options.degree - 1, " or ") : "", options.degree + 1);
  auto graph = first_connected(n, options.graph_seed, Family::watts_strogatz,
                               [&](Draws& draws) { return small_world(n, options, draws); });
  require(graph.has_value(), ErrorKind::usage, "network.topology = watts-strogatz: none of ",
          most_tries, " graphs was connected; choose a larger network.degree or less rewiring");
  return *std::move(graph);
}

}  // namespace

std::vector<TopologyEntry> watts_strogatz_parts() {
  return {
      {.name = "watts-strogatz",
       .aliases = {"small-world", "ws"},
       .summary = "a circle with a few random shortcuts; drawn again until connected",
       .formula = "i <-> i + 1 .. i + degree / 2 mod n, each end moved with probability `rewiring`",
       .reference = "D. J. Watts, S. H. Strogatz, Nature 393, 1998",
       .options = WattsStrogatzOptions{},
       .make = always(watts_strogatz)}};
}

}  // namespace echelon::detail

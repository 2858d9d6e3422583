#include <algorithm>
#include <cmath>

#include "echelon/core/error.hpp"
#include "random_graphs.hpp"

namespace echelon::detail {

namespace {

struct ErdosRenyiOptions {
  double edge_probability = 0.3;
  std::int64_t graph_seed = 1;

  void visit(OptionVisitor& visitor) {
    visitor("edge_probability", edge_probability, above_up_to(0, 1),
            "probability of each edge; connected graphs need about ln n / n");
    visit_graph_seed(visitor, graph_seed);
  }
};

/// Each pair below the diagonal with probability p. Jumps from edge to edge by geometric lengths,
/// so that the cost grows with the edges. Source: V. Batagelj, U. Brandes, Physical Review E 71,
/// 2005.
Edges random_pairs(AgentId n, double p, Draws& draws) {
  Edges pairs;
  const double log_miss = std::log1p(-p);  // -infinity for p = 1: no jump
  const double beyond = static_cast<double>(n) * n;
  std::int64_t column = -1;
  AgentId row = 1;
  while (row < n) {
    column += 1 + static_cast<std::int64_t>(
                      std::min(beyond, std::floor(std::log(draws.uniform()) / log_miss)));
    while (row < n && column >= row) column -= row++;
    if (row < n) pairs.emplace_back(row, static_cast<AgentId>(column));
  }
  return pairs;
}

Graph erdos_renyi(AgentId n, const ErdosRenyiOptions& options) {
  const double p = options.edge_probability;
  require_memory("erdos-renyi", n, p * n * (n - 1.0));
  auto graph = first_connected(n, options.graph_seed, Family::erdos_renyi,
                               [&](Draws& draws) { return random_pairs(n, p, draws); });
  if (graph) return *std::move(graph);
  const double threshold = std::log(n) / n;
  const double enough = std::min(1.0, std::ceil((std::log(n) + 2) / n * 1e6) / 1e6);
  fail(ErrorKind::usage, "network.edge_probability = ", p, ": none of ", most_tries,
       " random graphs of ", n,
       " agents was connected (agents stay alone below ln n / n = ", threshold, "); ", enough,
       " would be enough");
}

}  // namespace

std::vector<TopologyEntry> erdos_renyi_parts() {
  return {{.name = "erdos-renyi",
           .aliases = {"er", "gnp", "random-graph"},
           .summary = "each edge at random with edge_probability; drawn again until connected",
           .formula = "i <-> j with probability edge_probability, from graph_seed",
           .reference = "E. N. Gilbert, Annals of Mathematical Statistics 30, 1959",
           .options = ErdosRenyiOptions{},
           .make = always(erdos_renyi)}};
}

}  // namespace echelon::detail

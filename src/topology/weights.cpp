// The weights that `network.weights` can name. Formulas are in mixing_matrix.hpp.

#include "echelon/topology/topologies.hpp"

namespace echelon::detail {

namespace {

auto on_graph(MixingMatrix (*weigh)(const Graph&)) {
  return [weigh](const TopologyRound& round, const PartOptions&) { return weigh(round.graph); };
}

MixingMatrix automatic(const TopologyRound& round, const PartOptions&) {
  if (round.weights) return *round.weights;
  return round.graph.is_undirected() ? metropolis_weights(round.graph)
                                     : uniform_weights(round.graph);
}

constexpr const char* xiao_boyd = "L. Xiao, S. Boyd, Systems & Control Letters 53, 2004";

}  // namespace

std::vector<WeightsEntry> weights_parts() {
  return {
      {.name = "automatic",
       .aliases = {"auto", "default"},
       .summary = "the weights of the topology or of its file, if there are any; else metropolis "
                  "on undirected graphs, uniform on directed ones",
       .formula = "w_ij of the topology, the file, metropolis or uniform",
       .has_group_form = true,
       .keeps = Sums::rows,
       .make = automatic},
      {.name = "metropolis",
       .aliases = {"metropolis-hastings"},
       .summary = "undirected graphs; symmetric and doubly stochastic",
       .formula = "w_ij = 1 / (1 + max(deg_i, deg_j))",
       .reference = xiao_boyd,
       .undirected_only = true,
       .has_group_form = true,
       .make = on_graph(metropolis_weights)},
      {.name = "max-degree",
       .summary = "undirected graphs; symmetric and doubly stochastic, equal on all edges",
       .formula = "w_ij = 1 / (1 + largest degree of all)",
       .undirected_only = true,
       .make = on_graph(max_degree_weights)},
      {.name = "best-constant",
       .summary = "undirected connected graphs; the fastest that are equal on all edges",
       .formula = "w_ij = 2 / (l_2 + l_n), the smallest non-zero and the largest eigenvalue of the "
                  "Laplacian",
       .reference = xiao_boyd,
       .undirected_only = true,
       .make = on_graph(best_constant_weights)},
      {.name = "uniform",
       .aliases = {"row"},
       .summary = "any graph; rows sum to 1, columns too where all have the same degree",
       .formula = "w_ij = 1 / (1 + in-degree_i)",
       .make = on_graph(uniform_weights)},
      {.name = "column",
       .summary = "any graph; columns sum to 1: every agent splits evenly what it sends",
       .formula = "w_ij = 1 / (1 + out-degree_j)",
       .keeps = Sums::columns,
       .make = on_graph(column_weights)},
  };
}

}  // namespace echelon::detail

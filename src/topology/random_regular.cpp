#include <algorithm>

#include "echelon/core/error.hpp"
#include "random_graphs.hpp"

namespace echelon::detail {

namespace {

struct RandomRegularOptions {
  std::int64_t degree = 4;
  std::int64_t graph_seed = 1;

  void visit(OptionVisitor& visitor) {
    visitor("degree", degree, between(1, static_cast<double>(most_agents)),
            "neighbors of an agent");
    visit_graph_seed(visitor, graph_seed);
  }
};

/// Exchanges ends of the pair at `bad`, a loop or a repetition, with a random good pair, such that
/// two new edges appear. False if none was found.
bool repair(Edges& pairs, std::vector<bool>& good, std::size_t bad, Adjacency& adjacency,
            Draws& draws) {
  const auto [a, b] = pairs[bad];
  for (int attempt = 0; attempt < 10000; ++attempt) {
    const auto other = static_cast<std::size_t>(draws.below(pairs.size()));
    if (!good[other]) continue;
    auto [c, d] = pairs[other];
    if (draws.below(2) == 1) std::swap(c, d);
    if (a == c || b == d || adjacency.has(a, c) || adjacency.has(b, d)) continue;
    adjacency.remove(c, d);
    adjacency.add(a, c);
    adjacency.add(b, d);
    pairs[bad] = {a, c};
    pairs[other] = {b, d};
    good[bad] = true;
    return true;
  }
  return false;
}

/// Random pairs of `degree` ends per agent, loops and repetitions repaired by exchanges; nullopt if
/// that gets stuck. Source: B. Bollobas, European Journal of Combinatorics 1, 1980; B. D. McKay,
/// N. C. Wormald, Journal of Algorithms 11, 1990.
std::optional<Edges> random_pairing(AgentId n, AgentId degree, Draws& draws) {
  const std::vector<std::int64_t> ends = draws.permutation(std::int64_t{n} * degree);
  Edges pairs;
  std::vector<bool> good;
  Adjacency adjacency(n);
  for (std::size_t e = 1; e < ends.size(); e += 2) {
    const auto a = static_cast<AgentId>(ends[e - 1] / degree);
    const auto b = static_cast<AgentId>(ends[e] / degree);
    pairs.emplace_back(a, b);
    good.push_back(a != b && !adjacency.has(a, b));
    if (good.back()) adjacency.add(a, b);
  }
  for (std::size_t e = 0; e < pairs.size(); ++e) {
    if (!good[e] && !repair(pairs, good, e, adjacency, draws)) return std::nullopt;
  }
  return pairs;
}

/// The only connected graph in which all have two neighbors is a circle.
Edges random_circle(AgentId n, Draws& draws) {
  const std::vector<std::int64_t> order = draws.permutation(n);
  Edges pairs;
  for (std::size_t i = 0; i < order.size(); ++i) {
    pairs.emplace_back(static_cast<AgentId>(order[i]),
                       static_cast<AgentId>(order[(i + 1) % order.size()]));
  }
  return pairs;
}

/// The pairs that are not in `pairs`.
Edges complement(AgentId n, const Edges& pairs) {
  const Graph graph = undirected(n, pairs);
  Edges others;
  for (AgentId i = 0; i < n; ++i) {
    const auto senders = graph.senders(i);
    for (AgentId j = 0; j < i; ++j) {
      if (!std::binary_search(senders.begin(), senders.end(), j)) others.emplace_back(i, j);
    }
  }
  return others;
}

/// Where most pairs are joined it is those apart that are drawn.
std::optional<Edges> regular_pairs(AgentId n, AgentId degree, Draws& draws) {
  if (degree == 2) return random_circle(n, draws);
  if (degree <= (n - 1) / 2) return random_pairing(n, degree, draws);
  const AgentId apart = n - 1 - degree;
  const auto pairs = apart == 0 ? Edges{} : random_pairing(n, apart, draws);
  if (!pairs) return std::nullopt;
  return complement(n, *pairs);
}

Graph random_regular(AgentId n, const RandomRegularOptions& options) {
  check_degree_fits("random-regular", n, options.degree);
  const auto degree = static_cast<AgentId>(options.degree);
  require(
      n % 2 == 0 || degree % 2 == 0, ErrorKind::usage, "network.topology = random-regular: ", n,
      " agents cannot all have ", degree,
      " neighbors (an edge has two ends, so one of the numbers is even); choose network.agents = ",
      n - 1, " or ", n + 1, ", or another degree");
  require(degree > 1 || n == 2, ErrorKind::usage, "network.topology = random-regular: ", n,
          " agents with one neighbor each are not connected; choose network.degree >= 2, or "
          "network.agents = 2");
  auto graph = first_connected(n, options.graph_seed, Family::random_regular,
                               [&](Draws& draws) { return regular_pairs(n, degree, draws); });
  require(graph.has_value(), ErrorKind::usage, "network.topology = random-regular: none of ",
          most_tries, " graphs was connected; choose another network.degree");
  return *std::move(graph);
}

}  // namespace

std::vector<TopologyEntry> random_regular_parts() {
  return {{.name = "random-regular",
           .aliases = {"regular"},
           .summary = "random; every agent has `degree` neighbors; drawn again until connected",
           .formula =
               "random pairs of `degree` ends per agent, without loops and repetitions, from "
               "graph_seed",
           .reference = "B. Bollobas, European Journal of Combinatorics 1, 1980",
           .options = RandomRegularOptions{},
           .make = always(random_regular)}};
}

}  // namespace echelon::detail

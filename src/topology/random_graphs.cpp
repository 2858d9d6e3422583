#include "random_graphs.hpp"

#include <numeric>

#include "echelon/core/error.hpp"

namespace echelon::detail {

namespace {

bool joins_all(AgentId n, const Edges& pairs) {
  std::vector<AgentId> parent(static_cast<std::size_t>(n));
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](AgentId i) {
    auto at = static_cast<std::size_t>(i);
    while (parent[at] != static_cast<AgentId>(at)) {
      parent[at] = parent[static_cast<std::size_t>(parent[at])];
      at = static_cast<std::size_t>(parent[at]);
    }
    return at;
  };
  AgentId parts = n;
  for (const auto& [i, j] : pairs) {
    const auto a = root(i);
    const auto b = root(j);
    if (a == b) continue;
    parent[a] = static_cast<AgentId>(b);
    --parts;
  }
  return parts == 1;
}

}  // namespace

void visit_graph_seed(OptionVisitor& visitor, std::int64_t& seed) {
  visitor("graph_seed", seed, at_least(0), "seed of random topologies and of failures");
}

Graph undirected(AgentId n, const Edges& pairs) {
  Edges edges;
  edges.reserve(2 * pairs.size());
  for (const auto& [i, j] : pairs) connect(edges, i, j);
  return Graph(n, std::move(edges));
}

std::optional<Graph> first_connected(AgentId n, std::int64_t seed, Family family,
                                     const std::function<std::optional<Edges>(Draws&)>& draw) {
  for (std::uint64_t attempt = 0; attempt < most_tries; ++attempt) {
    Draws draws(static_cast<std::uint64_t>(seed), Purpose::graph, 0,
                static_cast<std::uint64_t>(family), attempt);
    const std::optional<Edges> pairs = draw(draws);
    if (pairs && joins_all(n, *pairs)) return undirected(n, *pairs);
  }
  return std::nullopt;
}

void check_degree_fits(std::string_view topology, AgentId n, std::int64_t degree) {
  require(degree < n, ErrorKind::usage, "network.degree = ", degree, ": ", n,
          " agents cannot have so many neighbors; choose network.agents >= ", degree + 1,
          " or a smaller degree");
  require_memory(topology, n, static_cast<double>(n) * static_cast<double>(degree));
}

}  // namespace echelon::detail

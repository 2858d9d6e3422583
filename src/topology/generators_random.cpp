// Graphs drawn once from the seed, drawn again until connected.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/random.hpp"
#include "generators.hpp"

namespace echelon::detail {

namespace {

constexpr std::uint64_t most_tries = 1000;

/// Keeps the numbers of the generators apart.
enum class Family : std::uint64_t { erdos_renyi = 0, random_regular = 1, watts_strogatz = 2 };

Draws draws_for(const TopologyOptions& options, Family family, std::uint64_t attempt) {
  return {static_cast<std::uint64_t>(options.graph_seed), Purpose::graph, 0,
          static_cast<std::uint64_t>(family), attempt};
}

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

Graph undirected(AgentId n, const Edges& pairs) {
  Edges edges;
  edges.reserve(2 * pairs.size());
  for (const auto& [i, j] : pairs) connect(edges, i, j);
  return Graph(n, std::move(edges));
}

/// The first connected graph of `draw(draws)`, if any; a draw that failed is nullopt.
template <class Draw>
std::optional<Graph> first_connected(const TopologyOptions& options, Family family,
                                     const Draw& draw) {
  const AgentId n = agent_count(options);
  for (std::uint64_t attempt = 0; attempt < most_tries; ++attempt) {
    Draws draws = draws_for(options, family, attempt);
    const std::optional<Edges> pairs = draw(draws);
    if (pairs && joins_all(n, *pairs)) return undirected(n, *pairs);
  }
  return std::nullopt;
}

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

/// Neighbors of every agent, for graphs of small degree.
class Adjacency {
 public:
  explicit Adjacency(AgentId agents) : neighbors_(static_cast<std::size_t>(agents)) {}
  std::size_t degree(AgentId i) const { return of(i).size(); }
  bool has(AgentId i, AgentId j) const {
    return std::find(of(i).begin(), of(i).end(), j) != of(i).end();
  }
  void add(AgentId i, AgentId j) {
    neighbors_[static_cast<std::size_t>(i)].push_back(j);
    neighbors_[static_cast<std::size_t>(j)].push_back(i);
  }
  void remove(AgentId i, AgentId j) {
    std::erase(neighbors_[static_cast<std::size_t>(i)], j);
    std::erase(neighbors_[static_cast<std::size_t>(j)], i);
  }

 private:
  const std::vector<AgentId>& of(AgentId i) const {
    return neighbors_[static_cast<std::size_t>(i)];
  }

  std::vector<std::vector<AgentId>> neighbors_;
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

void check_degree_fits(const TopologyOptions& options) {
  require(options.degree >= 1 && options.degree < most_agents, ErrorKind::usage,
          "network.degree = ", options.degree, ": out of range; choose 1 to ", most_agents - 1);
  require(options.degree < options.agents, ErrorKind::usage, "network.degree = ", options.degree,
          ": ", options.agents,
          " agents cannot have so many neighbors; choose network.agents >= ", options.degree + 1,
          " or a smaller degree");
  require_memory(options,
                 static_cast<double>(options.agents) * static_cast<double>(options.degree));
}

/// The circle with `degree` / 2 neighbors on each side; each edge moves its far end, with
/// probability `rewiring`, to an agent that is not a neighbor yet.
Edges small_world(const TopologyOptions& options, Draws& draws) {
  const AgentId n = agent_count(options);
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

}  // namespace

Graph erdos_renyi(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  const double p = options.edge_probability;
  require(above_up_to(0, 1).contains(p), ErrorKind::usage, "network.edge_probability = ", p,
          ": not a probability that gives edges; choose one in (0, 1]");
  require_memory(options, p * n * (n - 1.0));
  auto graph = first_connected(options, Family::erdos_renyi,
                               [&](Draws& draws) { return random_pairs(n, p, draws); });
  if (graph) return *std::move(graph);
  const double threshold = std::log(n) / n;
  const double enough = std::min(1.0, std::ceil((std::log(n) + 2) / n * 1e6) / 1e6);
  fail(ErrorKind::usage, "network.edge_probability = ", p, ": none of ", most_tries,
       " random graphs of ", n,
       " agents was connected (agents stay alone below ln n / n = ", threshold, "); ", enough,
       " would be enough");
}

Graph random_regular(const TopologyOptions& options) {
  check_degree_fits(options);
  const AgentId n = agent_count(options);
  const auto degree = static_cast<AgentId>(options.degree);
  require(
      n % 2 == 0 || degree % 2 == 0, ErrorKind::usage, "network.topology = random-regular: ", n,
      " agents cannot all have ", degree,
      " neighbors (an edge has two ends, so one of the numbers is even); choose network.agents = ",
      n - 1, " or ", n + 1, ", or another degree");
  require(degree > 1 || n == 2, ErrorKind::usage, "network.topology = random-regular: ", n,
          " agents with one neighbor each are not connected; choose network.degree >= 2, or "
          "network.agents = 2");
  auto graph = first_connected(options, Family::random_regular,
                               [&](Draws& draws) { return regular_pairs(n, degree, draws); });
  require(graph.has_value(), ErrorKind::usage, "network.topology = random-regular: none of ",
          most_tries, " graphs was connected; choose another network.degree");
  return *std::move(graph);
}

Graph watts_strogatz(const TopologyOptions& options) {
  check_degree_fits(options);
  require(options.degree % 2 == 0, ErrorKind::usage,
          "network.topology = watts-strogatz: a degree of ", options.degree,
          " does not split on two sides; choose network.degree = ",
          options.degree > 1 ? text(options.degree - 1, " or ") : "", options.degree + 1);
  require(between(0, 1).contains(options.rewiring), ErrorKind::usage,
          "network.rewiring = ", options.rewiring, ": not a probability; choose one in [0, 1]");
  auto graph = first_connected(options, Family::watts_strogatz,
                               [&](Draws& draws) { return small_world(options, draws); });
  require(graph.has_value(), ErrorKind::usage, "network.topology = watts-strogatz: none of ",
          most_tries, " graphs was connected; choose a larger network.degree or less rewiring");
  return *std::move(graph);
}

}  // namespace echelon::detail

#include "echelon/topology/topologies.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "echelon/core/catalog.hpp"
#include "echelon/core/random.hpp"

namespace echelon {

namespace {

using Edges = std::vector<std::pair<AgentId, AgentId>>;

constexpr double most_edges = 1e8;  // directed; about 4 GB while the matrix is built

const std::vector<std::string>& weight_names() {
  static const std::vector<std::string> names = {"metropolis", "uniform"};
  return names;
}

AgentId agent_count(const TopologyOptions& options) {
  return static_cast<AgentId>(options.agents);
}

void require_memory(const TopologyOptions& options, double edges) {
  require(edges <= most_edges, ErrorKind::usage, "network.topology = ", options.topology, ": ",
          options.agents, " agents have about ", edges, " edges (the limit is ", most_edges,
          "); choose fewer agents or a sparser graph");
}

/// Adds both directions.
void connect(Edges& edges, AgentId i, AgentId j) {
  edges.emplace_back(i, j);
  edges.emplace_back(j, i);
}

Graph ring(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  Edges edges;
  for (AgentId i = 0; i < n; ++i) connect(edges, i, (i + 1) % n);
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

/// The largest divisor of n that is not above its square root.
AgentId grid_rows(AgentId n) {
  auto rows = static_cast<AgentId>(std::sqrt(static_cast<double>(n)));
  while (n % rows != 0) --rows;
  return rows;
}

Graph lattice(const TopologyOptions& options, bool wraps) {
  const AgentId n = agent_count(options);
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

Graph exponential(const TopologyOptions& options) {
  const AgentId n = agent_count(options);
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId hop = 1; hop < n; hop *= 2) edges.emplace_back(i, (i - hop + n) % n);
  }
  return Graph(n, std::move(edges));
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

Graph erdos_renyi(const TopologyOptions& options) {
  constexpr std::uint64_t most_tries = 1000;
  const AgentId n = agent_count(options);
  const double p = options.edge_probability;
  require(above_up_to(0, 1).contains(p), ErrorKind::usage, "network.edge_probability = ", p,
          ": not a probability that gives edges; choose one in (0, 1]");
  require_memory(options, p * n * (n - 1.0));
  const auto seed = static_cast<std::uint64_t>(options.graph_seed);
  for (std::uint64_t attempt = 0; attempt < most_tries; ++attempt) {
    Draws draws(seed, Purpose::graph, 0, 0, attempt);
    const Edges pairs = random_pairs(n, p, draws);
    if (!joins_all(n, pairs)) continue;
    Edges edges;
    edges.reserve(2 * pairs.size());
    for (const auto& [i, j] : pairs) connect(edges, i, j);
    return Graph(n, std::move(edges));
  }
  const double threshold = std::log(n) / n;
  const double enough = std::min(1.0, std::ceil((std::log(n) + 2) / n * 1e6) / 1e6);
  fail(ErrorKind::usage, "network.edge_probability = ", p, ": none of ", most_tries,
       " random graphs of ", n,
       " agents was connected (agents stay alone below ln n / n = ", threshold, "); ", enough,
       " would be enough");
}

}  // namespace

void TopologyOptions::visit(OptionVisitor& visitor) {
  std::vector<std::string> names;
  for (const auto& entry : topology_catalog()) names.push_back(entry.name);
  names.emplace_back("file");
  visitor("agents", agents, between(1, static_cast<double>(most_agents)),
          "number of agents; with topology = file it must be the file's");
  visitor.choice("topology", topology, names, "who hears whom: a generated graph, or `file`");
  visitor.choice("weights", weights, weight_names(),
                 "metropolis: 1 / (1 + larger degree), for undirected graphs; uniform: 1 / (1 + "
                 "in-degree); not used if a file gives weights");
  visitor("lazy", lazy, "mix with (I + W) / 2 instead of W; not for weights from a file");
  visitor("edge_probability", edge_probability, above_up_to(0, 1),
          "erdos-renyi: probability of each edge; connected graphs need about ln n / n");
  visitor("file", file, "file: edge list with lines `i j [weight]`, agent i receives from j");
  visitor("graph_seed", graph_seed, at_least(0), "erdos-renyi: seed of the random graph");
}

const std::vector<TopologyEntry>& topology_catalog() {
  static const std::vector<TopologyEntry> catalog = {
      {"ring", "a circle; every agent hears its two neighbors", "i <-> i + 1 mod n", "", ring},
      {"path", "a circle cut open; the slowest common graph", "i <-> i + 1", "", path},
      {"star", "agent 0 hears everyone, everyone hears agent 0", "0 <-> i", "", star},
      {"complete", "everyone hears everyone", "i <-> j for all i, j", "", complete},
      {"grid", "a rectangle of a x b agents, as square as n allows",
       "(r, c) <-> (r + 1, c), (r, c + 1); a b = n, a <= b", "",
       [](const TopologyOptions& options) { return lattice(options, false); }},
      {"torus", "a grid whose opposite borders are joined",
       "(r, c) <-> (r + 1 mod a, c), (r, c + 1 mod b); a b = n, a <= b", "",
       [](const TopologyOptions& options) { return lattice(options, true); }},
      {"exponential", "directed; hops of all powers of two, so news travels in log2 n rounds",
       "i <- i - 2^k mod n, k = 0 .. ceil(log2 n) - 1",
       "B. Ying, K. Yuan, Y. Chen, H. Hu, P. Pan, W. Yin, NeurIPS 2021, arXiv:2110.13363",
       exponential},
      {"erdos-renyi", "each edge at random with edge_probability; drawn anew until connected",
       "i <-> j with probability edge_probability, from graph_seed",
       "E. N. Gilbert, Annals of Mathematical Statistics 30, 1959", erdos_renyi},
  };
  return catalog;
}

MixingMatrix weigh(const Graph& graph, const TopologyOptions& options) {
  const auto& names = weight_names();
  require(std::find(names.begin(), names.end(), options.weights) != names.end(), ErrorKind::usage,
          "network.weights = ", options.weights, ": there are no such weights; the nearest are `",
          nearest_name(options.weights, names), "`");
  const MixingMatrix matrix =
      options.weights == "metropolis" ? metropolis_weights(graph) : uniform_weights(graph);
  return options.lazy ? lazy(matrix) : matrix;
}

MixingMatrix make_mixing_matrix(const TopologyOptions& options) {
  require(options.topology != "file", ErrorKind::usage,
          "network.topology = file: only generated graphs are known here (files are read "
          "elsewhere); choose a generator or read the file with read_or_make");
  require(options.agents >= 1 && options.agents <= most_agents, ErrorKind::usage,
          "network.agents = ", options.agents, ": out of range; choose 1 to ", most_agents);
  return weigh(find_entry(topology_catalog(), options.topology, "topology").make(options), options);
}

}  // namespace echelon

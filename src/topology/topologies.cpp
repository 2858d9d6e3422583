#include "echelon/topology/topologies.hpp"

#include "echelon/core/error.hpp"
#include "generators.hpp"

namespace echelon {

namespace {

constexpr double most_edges = 1e8;  // directed; about 4 GB while the matrix is built

std::uint64_t once(const TopologyOptions&) {
  return 1;
}

std::uint64_t anew(const TopologyOptions&) {
  return 0;
}

/// A graph that stays as it is.
auto always(Graph (*generate)(const TopologyOptions&)) {
  return [generate](const TopologyOptions& options, std::uint64_t) {
    return TopologyRound{generate(options)};
  };
}

std::vector<TopologyEntry> fixed_topologies() {
  return {
      {"ring", "a circle; every agent hears its two neighbors", "i <-> i + 1 mod n", "", once,
       always(detail::ring)},
      {"directed-ring", "directed; a circle on which news travel one way", "i <- i - 1 mod n", "",
       once, always(detail::directed_ring)},
      {"two-hop-ring", "a circle; every agent hears its two next on each side",
       "i <-> i + 1, i + 2 mod n", "", once, always(detail::two_hop_ring)},
      {"path", "a circle cut open; the slowest common graph", "i <-> i + 1", "", once,
       always(detail::path)},
      {"star", "agent 0 hears everyone, everyone hears agent 0", "0 <-> i", "", once,
       always(detail::star)},
      {"complete", "everyone hears everyone", "i <-> j for all i, j", "", once,
       always(detail::complete)},
      {"grid", "a rectangle of a x b agents, as square as n allows",
       "(r, c) <-> (r + 1, c), (r, c + 1); a b = n, a <= b", "", once, always(detail::grid)},
      {"torus", "a grid whose opposite borders are joined",
       "(r, c) <-> (r + 1 mod a, c), (r, c + 1 mod b); a b = n, a <= b", "", once,
       always(detail::torus)},
      {"hypercube", "corners of a cube of log2 n dimensions; n is a power of two",
       "i <-> i xor 2^k, k = 0 .. log2 n - 1", "", once, always(detail::hypercube)},
      {"binary-tree", "agent 0 is the root, every agent has up to two children",
       "i <-> 2 i + 1, 2 i + 2", "", once, always(detail::binary_tree)},
      {"exponential", "directed; hops of all powers of two, so news travels in log2 n rounds",
       "i <- i - 2^k mod n, k = 0 .. ceil(log2 n) - 1",
       "B. Ying, K. Yuan, Y. Chen, H. Hu, P. Pan, W. Yin, NeurIPS 2021, arXiv:2110.13363", once,
       always(detail::exponential)},
      {"erdos-renyi", "each edge at random with edge_probability; drawn again until connected",
       "i <-> j with probability edge_probability, from graph_seed",
       "E. N. Gilbert, Annals of Mathematical Statistics 30, 1959", once,
       always(detail::erdos_renyi)},
      {"random-regular", "random; every agent has `degree` neighbors; drawn again until connected",
       "random pairs of `degree` ends per agent, without loops and repetitions, from graph_seed",
       "B. Bollobas, European Journal of Combinatorics 1, 1980", once,
       always(detail::random_regular)},
      {"watts-strogatz", "a circle with a few random shortcuts; drawn again until connected",
       "i <-> i + 1 .. i + degree / 2 mod n, each end moved with probability `rewiring`",
       "D. J. Watts, S. H. Strogatz, Nature 393, 1998", once, always(detail::watts_strogatz)},
  };
}

std::vector<TopologyEntry> changing_topologies() {
  return {
      {"one-peer-exponential",
       "directed, changes; one hop of a power of two per round, exact after log2 n if n is one",
       "at round k: i <- i - 2^(k mod ceil(log2 n)) mod n, weights 1/2",
       "B. Ying, K. Yuan, Y. Chen, H. Hu, P. Pan, W. Yin, NeurIPS 2021, arXiv:2110.13363",
       detail::one_peer_exponential_period, detail::one_peer_exponential},
      {"base-k", "changes; exact average in finitely many rounds, with at most `degree` neighbors",
       "the Base-(degree + 1) graph, with its own weights",
       "Y. Takezawa, R. Sato, H. Bao, K. Niwa, M. Yamada, NeurIPS 2023, arXiv:2305.11420",
       detail::base_k_period, detail::base_k},
      {"even-odd-ring", "changes; the edges of a circle take turns, one neighbor at a time",
       "at round k: i <-> i + 1 mod n for i = k mod 2; for odd n the edge left over has round 3",
       "", detail::even_odd_ring_period, detail::even_odd_ring},
      {"random-matching", "drawn anew at every round: random pairs; one agent is idle if n is odd",
       "a uniformly random perfect matching, from graph_seed and the round; weights 1/2",
       "S. Boyd, A. Ghosh, B. Prabhakar, D. Shah, IEEE Transactions on Information Theory 52, 2006",
       anew, detail::random_matching},
  };
}

}  // namespace

void detail::require_memory(const TopologyOptions& options, double edges) {
  require(edges <= most_edges, ErrorKind::usage, "network.topology = ", options.topology, ": ",
          options.agents, " agents have about ", edges, " edges (the limit is ", most_edges,
          "); choose fewer agents or a sparser graph");
}

void TopologyOptions::visit(OptionVisitor& visitor) {
  const Range failure{.low = 0, .high = 1, .high_open = true};
  std::vector<std::string> names;
  for (const auto& entry : topology_catalog()) names.push_back(entry.name);
  names.emplace_back("file");
  visitor("agents", agents, between(1, static_cast<double>(most_agents)),
          "number of agents; with topology = file it must be the file's");
  visitor.choice("topology", topology, names, "who hears whom: a generated graph, or `file`");
  visitor(
      "cycle", cycle,
      "further topologies, separated by commas, that take turns with `topology`, round by round");
  visitor.choice(
      "weights", weights, detail::weight_names(),
      "automatic: the topology's own, else metropolis, on directed graphs uniform; "
      "metropolis: 1 / (1 + larger degree); max-degree: 1 / (1 + largest of all); "
      "best-constant: the fastest that are equal on all edges; these three for undirected "
      "graphs; uniform: 1 / (1 + in-degree); column: 1 / (1 + out-degree of the sender), "
      "columns sum to 1; not used if a file gives weights");
  visitor("lazy", lazy, "mix with (I + W) / 2 instead of W; not for weights from a file");
  visitor("edge_probability", edge_probability, above_up_to(0, 1),
          "erdos-renyi: probability of each edge; connected graphs need about ln n / n");
  visitor(
      "degree", degree, between(1, static_cast<double>(most_agents)),
      "random-regular, watts-strogatz (even): neighbors of an agent; base-k: most neighbors at a "
      "round");
  visitor("rewiring", rewiring, between(0, 1),
          "watts-strogatz: probability that an edge moves one end to a random agent");
  visitor("link_failure", link_failure, failure,
          "probability that a link carries nothing at a round, in both directions");
  visitor("agent_failure", agent_failure, failure,
          "probability that none of an agent's links carries anything at a round");
  visitor("file", file, "file: edge list with lines `i j [weight]`, agent i receives from j");
  visitor(
      "graph_seed", graph_seed, at_least(0),
      "seed of random graphs (erdos-renyi, random-regular, watts-strogatz, random-matching) and "
      "of failures");
}

const std::vector<TopologyEntry>& topology_catalog() {
  static const std::vector<TopologyEntry> catalog = [] {
    std::vector<TopologyEntry> entries = fixed_topologies();
    for (auto& entry : changing_topologies()) entries.push_back(std::move(entry));
    return entries;
  }();
  return catalog;
}

}  // namespace echelon

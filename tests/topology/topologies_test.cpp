#include "echelon/topology/topologies.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "echelon/topology/certificate.hpp"

namespace echelon {
namespace {

TopologyOptions options_of(const std::string& topology, std::int64_t agents) {
  TopologyOptions options;
  options.topology = topology;
  options.agents = agents;
  options.edge_probability = 0.5;
  if (topology == "exponential") options.weights = "uniform";
  return options;
}

Graph graph_of(const TopologyOptions& options) {
  return find_entry(topology_catalog(), options.topology, "topology").make(options);
}

std::size_t edges_of(const std::string& topology, std::int64_t agents) {
  return graph_of(options_of(topology, agents)).edges();
}

std::vector<AgentId> senders_of(const Graph& graph, AgentId agent) {
  return {graph.senders(agent).begin(), graph.senders(agent).end()};
}

std::string usage_message(const TopologyOptions& options) {
  try {
    make_mixing_matrix(options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Topologies, EveryOneIsConnectedAndDoublyStochasticAtEverySize) {
  for (const auto& entry : topology_catalog()) {
    for (const int agents : {1, 2, 3, 4, 5, 7, 12, 16, 25}) {
      const auto certificate = certify(make_mixing_matrix(options_of(entry.name, agents)));
      EXPECT_EQ(certificate.agents, agents);
      EXPECT_TRUE(certificate.connected) << entry.name << agents;
      EXPECT_TRUE(certificate.doubly_stochastic()) << entry.name << agents;
      EXPECT_GT(certificate.spectral_gap, 0) << entry.name << agents;
    }
  }
}

TEST(Topologies, CountsOfEdges) {
  EXPECT_EQ(edges_of("ring", 1), 0u);
  EXPECT_EQ(edges_of("ring", 2), 2u);
  EXPECT_EQ(edges_of("ring", 9), 18u);
  EXPECT_EQ(edges_of("path", 9), 16u);
  EXPECT_EQ(edges_of("star", 9), 16u);
  EXPECT_EQ(edges_of("complete", 9), 72u);
  EXPECT_EQ(edges_of("grid", 12), 34u);   // 3 x 4: 9 + 8 undirected
  EXPECT_EQ(edges_of("torus", 12), 48u);  // degree 4
  EXPECT_EQ(edges_of("torus", 4), 8u);    // doubled edges merged: a ring
  EXPECT_EQ(edges_of("torus", 7), 14u);   // 1 x 7: a ring
  EXPECT_EQ(edges_of("exponential", 8), 24u);
}

TEST(Topologies, NeighborsOfAnAgent) {
  EXPECT_EQ(senders_of(graph_of(options_of("grid", 12)), 5), (std::vector<AgentId>{1, 4, 6, 9}));
  EXPECT_EQ(senders_of(graph_of(options_of("torus", 12)), 0), (std::vector<AgentId>{1, 3, 4, 8}));
  EXPECT_EQ(senders_of(graph_of(options_of("exponential", 6)), 1),
            (std::vector<AgentId>{0, 3, 5}));  // 1 - 1, 1 - 4, 1 - 2
}

TEST(Topologies, ErdosRenyiHasTheAskedDensityAndFollowsTheSeed) {
  auto options = options_of("erdos-renyi", 300);
  options.edge_probability = 0.2;
  std::vector<int> hits(300 * 300, 0);
  double edges = 0;
  for (options.graph_seed = 1; options.graph_seed <= 40; ++options.graph_seed) {
    const Graph graph = graph_of(options);
    edges += static_cast<double>(graph.edges()) / 2;
    EXPECT_TRUE(graph.is_undirected());
    for (AgentId i = 0; i < 300; ++i) {
      for (const AgentId j : graph.senders(i)) ++hits[static_cast<std::size_t>(300 * i + j)];
    }
  }
  const double pairs = 40 * 300 * 299 / 2.0;
  EXPECT_NEAR(edges / pairs, 0.2, 5 * std::sqrt(0.16 / pairs));
  EXPECT_GT(hits[1] + hits[300 * 299 + 298] + hits[299], 6);  // the corners are reached: mean 24
  options.graph_seed = 3;
  const Graph first = graph_of(options);
  const Graph again = graph_of(options);
  options.graph_seed = 4;
  const Graph other = graph_of(options);
  bool differs = false;
  for (AgentId i = 0; i < 300; ++i) {
    EXPECT_EQ(senders_of(first, i), senders_of(again, i));
    differs = differs || senders_of(first, i) != senders_of(other, i);
  }
  EXPECT_TRUE(differs);
}

TEST(Topologies, ErdosRenyiTriesAgainAndIsCompleteAtProbabilityOne) {
  auto options = options_of("erdos-renyi", 2);
  options.edge_probability = 0.05;  // the single edge appears after about 20 tries
  EXPECT_EQ(graph_of(options).edges(), 2u);
  options = options_of("erdos-renyi", 10);
  options.edge_probability = 1;
  EXPECT_EQ(graph_of(options).edges(), 90u);
}

TEST(Topologies, ErdosRenyiOfManyAgentsIsSparse) {
  auto options = options_of("erdos-renyi", 100000);
  options.edge_probability = 2e-4;
  EXPECT_NEAR(static_cast<double>(graph_of(options).edges()), 2e6, 2e4);
}

TEST(Topologies, ErrorsNameWhatIsRight) {
  auto options = options_of("erdos-renyi", 50);
  options.edge_probability = 0.01;
  EXPECT_TRUE(contains(usage_message(options), "0.118241 would be enough"));
  options.edge_probability = 0.118241;
  EXPECT_NO_THROW(make_mixing_matrix(options));
  options.edge_probability = 0;
  EXPECT_TRUE(contains(usage_message(options), "(0, 1]"));
  EXPECT_TRUE(contains(usage_message(options_of("rign", 4)), "`ring`"));
  EXPECT_TRUE(contains(usage_message(options_of("file", 4)), "network.topology = file"));
  EXPECT_TRUE(contains(usage_message(options_of("ring", 0)), "network.agents = 0"));
  EXPECT_TRUE(contains(usage_message(options_of("complete", 1000000)), "fewer agents"));
  options = options_of("exponential", 8);
  options.weights = "metropolis";
  EXPECT_TRUE(contains(usage_message(options), "`uniform`"));
  options.weights = "unifrom";
  EXPECT_TRUE(contains(usage_message(options), "`uniform`"));
}

TEST(Topologies, OptionsAreDeclaredWithRanges) {
  std::set<std::string> names;
  for (const auto& option : describe_options(TopologyOptions{})) {
    names.insert(option.name);
    EXPECT_FALSE(option.help.empty());
    if (option.name == "edge_probability") {
      EXPECT_EQ(option.range, "(0, 1]");
    }
    if (option.name == "topology") {
      EXPECT_TRUE(contains(option.type, "erdos-renyi | file"));
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"agents", "topology", "weights", "lazy",
                                          "edge_probability", "file", "graph_seed"}));
}

}  // namespace
}  // namespace echelon

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>

#include "topology/matrices.hpp"

namespace echelon {
namespace {

std::size_t edges_of(const std::string& topology, std::int64_t agents) {
  return graph_of(topology, agents).edges();
}

TEST(Generators, CountsOfEdges) {
  EXPECT_EQ(edges_of("ring", 1), 0u);
  EXPECT_EQ(edges_of("ring", 2), 2u);
  EXPECT_EQ(edges_of("ring", 9), 18u);
  EXPECT_EQ(edges_of("directed-ring", 1), 0u);
  EXPECT_EQ(edges_of("directed-ring", 2), 2u);
  EXPECT_EQ(edges_of("directed-ring", 9), 9u);
  EXPECT_EQ(edges_of("two-hop-ring", 3), 6u);
  EXPECT_EQ(edges_of("two-hop-ring", 9), 36u);
  EXPECT_EQ(edges_of("path", 9), 16u);
  EXPECT_EQ(edges_of("star", 9), 16u);
  EXPECT_EQ(edges_of("complete", 9), 72u);
  EXPECT_EQ(edges_of("grid", 12), 34u);   // 3 x 4: 9 + 8 undirected
  EXPECT_EQ(edges_of("torus", 12), 48u);  // degree 4
  EXPECT_EQ(edges_of("torus", 4), 8u);    // doubled edges merged: a ring
  EXPECT_EQ(edges_of("torus", 7), 14u);   // 1 x 7: a ring
  EXPECT_EQ(edges_of("hypercube", 1), 0u);
  EXPECT_EQ(edges_of("hypercube", 32), 160u);
  EXPECT_EQ(edges_of("binary-tree", 9), 16u);
  EXPECT_EQ(edges_of("exponential", 8), 24u);
}

TEST(Generators, Diameters) {
  EXPECT_EQ(diameter(graph_of("ring", 11)), 5);
  EXPECT_EQ(diameter(graph_of("directed-ring", 11)), 10);
  EXPECT_EQ(diameter(graph_of("two-hop-ring", 13)), 3);
  EXPECT_EQ(diameter(graph_of("path", 11)), 10);
  EXPECT_EQ(diameter(graph_of("star", 11)), 2);
  EXPECT_EQ(diameter(graph_of("complete", 11)), 1);
  EXPECT_EQ(diameter(graph_of("grid", 12)), 5);
  EXPECT_EQ(diameter(graph_of("torus", 25)), 4);
  EXPECT_EQ(diameter(graph_of("hypercube", 64)), 6);
  EXPECT_EQ(diameter(graph_of("binary-tree", 15)), 6);
  EXPECT_EQ(diameter(graph_of("exponential", 16)), 4);
}

TEST(Generators, NeighborsOfAnAgent) {
  using Agents = std::vector<AgentId>;
  EXPECT_EQ(senders_of(graph_of("grid", 12), 5), (Agents{1, 4, 6, 9}));
  EXPECT_EQ(senders_of(graph_of("torus", 12), 0), (Agents{1, 3, 4, 8}));
  EXPECT_EQ(senders_of(graph_of("exponential", 6), 1), (Agents{0, 3, 5}));  // 1 - 1, 1 - 4, 1 - 2
  EXPECT_EQ(senders_of(graph_of("directed-ring", 5), 0), (Agents{4}));
  EXPECT_EQ(senders_of(graph_of("two-hop-ring", 7), 0), (Agents{1, 2, 5, 6}));
  EXPECT_EQ(senders_of(graph_of("hypercube", 8), 5), (Agents{1, 4, 7}));
  EXPECT_EQ(senders_of(graph_of("binary-tree", 12), 4), (Agents{1, 9, 10}));
}

TEST(Generators, OnePeerExponentialIsExactForPowersOfTwo) {
  for (const AgentId n : {1, 2, 3, 4, 7, 8, 16, 32, 33, 64}) {
    const auto schedule = make_schedule(options_of("one-peer-exponential", n));
    const int digits = std::bit_width(static_cast<unsigned>(n) - 1);
    EXPECT_EQ(schedule->period(), static_cast<std::uint64_t>(std::max(1, digits)));
    const double error =
        (product(*schedule, schedule->period()) - exact_mean(n)).cwiseAbs().maxCoeff();
    if (std::has_single_bit(static_cast<unsigned>(n))) {
      EXPECT_EQ(error, 0) << n;  // halves, to the last bit
    } else {
      EXPECT_GT(error, 1e-3) << n;
    }
  }
  const Eigen::MatrixXd third = dense(*make_schedule(options_of("one-peer-exponential", 6))->at(5));
  EXPECT_EQ(third(1, 3), 0.5);  // hop 4
  EXPECT_EQ(third(1, 1), 0.5);
}

TEST(Generators, EvenOddRingIsOnlyConnectedOverAPeriod) {
  for (const AgentId n : {1, 2, 3, 4, 5, 8, 9}) {
    const auto options = options_of("even-odd-ring", n);
    const auto period = period_of(options);
    EXPECT_EQ(period, n <= 2 ? 1u : n % 2 == 0 ? 2u : 3u);
    std::vector<std::pair<AgentId, AgentId>> all;
    std::size_t edges = 0;
    for (std::uint64_t round = 0; round < period; ++round) {
      const Graph graph = graph_of(options, round);
      EXPECT_TRUE(same_graph(graph, graph_of(options, round + period)));
      edges += graph.edges();
      for (AgentId i = 0; i < n; ++i) {
        EXPECT_LE(graph.senders(i).size(), 1u);
        for (const AgentId j : graph.senders(i)) all.emplace_back(i, j);
      }
      EXPECT_EQ(diameter(graph) >= 0, n <= 2);
    }
    EXPECT_EQ(edges, edges_of("ring", n));
    EXPECT_TRUE(same_graph(Graph(n, all), graph_of("ring", n)));
  }
}

TEST(Generators, RandomMatchingIsUniform) {
  constexpr int rounds = 30000;
  const auto options = options_of("random-matching", 6);
  EXPECT_EQ(period_of(options), 0u);
  Eigen::MatrixXd hits = Eigen::MatrixXd::Zero(6, 6);
  for (int round = 0; round < rounds; ++round) {
    const Graph graph = graph_of(options, static_cast<std::uint64_t>(round));
    EXPECT_EQ(graph.edges(), 6u);
    EXPECT_TRUE(graph.is_undirected());
    for (AgentId i = 0; i < 6; ++i) hits(i, graph.senders(i)[0]) += 1;
  }
  for (AgentId i = 0; i < 6; ++i) {
    for (AgentId j = 0; j < 6; ++j) {
      if (i != j) {
        EXPECT_NEAR(hits(i, j) / rounds, 0.2, 5 * std::sqrt(0.16 / rounds));
      }
    }
  }
}

TEST(Generators, RandomMatchingLeavesOneOfAnOddNumberIdle) {
  for (const AgentId n : {1, 2, 3, 7}) {
    const auto all = degrees(graph_of("random-matching", n));
    EXPECT_EQ(std::count(all.begin(), all.end(), 0u), n % 2);
    EXPECT_EQ(std::count(all.begin(), all.end(), 1u), n - n % 2);
  }
}

TEST(Generators, RandomRegularIsSimpleConnectedAndRegular) {
  for (const auto& [n, degree] : {std::pair{2, 1},
                                  {3, 2},
                                  {4, 2},
                                  {4, 3},
                                  {5, 2},
                                  {5, 4},
                                  {6, 3},
                                  {6, 4},
                                  {7, 4},
                                  {8, 3},
                                  {8, 5},
                                  {10, 8},
                                  {20, 4},
                                  {51, 26},
                                  {64, 9}}) {
    auto options = options_of("random-regular", n);
    options.topology.set("degree", degree);
    for (int seed = 1; seed <= 20; ++seed) {
      options.topology.set("graph_seed", seed);
      const Graph graph = graph_of(options);
      EXPECT_TRUE(graph.is_undirected());
      EXPECT_EQ(degrees(graph), std::vector<std::size_t>(static_cast<std::size_t>(n),
                                                         static_cast<std::size_t>(degree)));
      EXPECT_GE(diameter(graph), 1);
    }
  }
}

// Every pair is joined with probability d / (n - 1). 5 sigma of a pair's count over the seeds.
TEST(Generators, RandomRegularPrefersNobody) {
  for (const int degree : {2, 4, 9}) {
    auto options = options_of("random-regular", 12);
    options.topology.set("degree", degree);
    constexpr int seeds = 4000;
    Eigen::MatrixXd hits = Eigen::MatrixXd::Zero(12, 12);
    for (int seed = 0; seed < seeds; ++seed) {
      options.topology.set("graph_seed", seed);
      const Graph graph = graph_of(options);
      for (AgentId i = 0; i < 12; ++i) {
        for (const AgentId j : graph.senders(i)) hits(i, j) += 1;
      }
    }
    const double p = degree / 11.0;
    for (AgentId i = 0; i < 12; ++i) {
      for (AgentId j = 0; j < i; ++j) {
        EXPECT_NEAR(hits(i, j) / seeds, p, 5 * std::sqrt(p * (1 - p) / seeds));
      }
    }
  }
}

TEST(Generators, RandomRegularOfManyAgentsIsFast) {
  auto options = options_of("random-regular", 100000);
  options.topology.set("degree", 6);
  const auto start = std::chrono::steady_clock::now();
  const Graph graph = graph_of(options);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(graph.edges(), 600000u);
  EXPECT_EQ(degrees(graph), std::vector<std::size_t>(100000, 6));
  EXPECT_LT(spent.count(), 20);  // a fraction of a second; sanitizers and busy machines take longer
}

TEST(Generators, WattsStrogatzBetweenTheCircleAndARandomGraph) {
  auto options = options_of("watts-strogatz", 1000);
  options.topology.set("rewiring", 0);
  const Graph circle = graph_of(options);
  EXPECT_TRUE(same_graph(circle, graph_of("two-hop-ring", 1000)));
  for (const double rewiring : {0.2, 1.0}) {
    options.topology.set("rewiring", rewiring);
    const Graph graph = graph_of(options);
    EXPECT_EQ(graph.edges(), 4000u);
    EXPECT_TRUE(graph.is_undirected());
    EXPECT_LT(diameter(graph), 20);  // the circle has 250
    double kept = 0;
    for (AgentId i = 0; i < 1000; ++i) {
      for (const AgentId j : graph.senders(i)) {
        const auto before = circle.senders(i);
        kept += std::binary_search(before.begin(), before.end(), j) ? 0.5 : 0;
      }
    }
    // A moved end comes back to one of 4 places with a probability of about 4 / 1000.
    const double expected = 2000 * (1 - rewiring + rewiring * 0.004);
    EXPECT_NEAR(kept, expected, 5 * std::sqrt(2000 * 0.25));
  }
  options = options_of("watts-strogatz", 5);
  options.topology.set("rewiring", 1);
  EXPECT_EQ(graph_of(options).edges(), 20u);  // complete: nothing to move to
}

TEST(Generators, ErdosRenyiHasTheAskedDensity) {
  auto options = options_of("erdos-renyi", 300);
  options.topology.set("edge_probability", 0.2);
  std::vector<int> hits(300 * 300, 0);
  double edges = 0;
  for (int seed = 1; seed <= 40; ++seed) {
    options.topology.set("graph_seed", seed);
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
}

TEST(Generators, ErdosRenyiTriesAgainAndIsCompleteAtProbabilityOne) {
  auto options = options_of("erdos-renyi", 2);
  options.topology.set("edge_probability", 0.05);  // the single edge appears after about 20 tries
  EXPECT_EQ(graph_of(options).edges(), 2u);
  options = options_of("erdos-renyi", 10);
  options.topology.set("edge_probability", 1);
  EXPECT_EQ(graph_of(options).edges(), 90u);
}

TEST(Generators, ErdosRenyiOfManyAgentsIsSparse) {
  auto options = options_of("erdos-renyi", 100000);
  options.topology.set("edge_probability", 2e-4);
  EXPECT_NEAR(static_cast<double>(graph_of(options).edges()), 2e6, 2e4);
}

TEST(Generators, RandomGraphsFollowTheSeedAndNothingElse) {
  for (const char* name : {"erdos-renyi", "random-regular", "watts-strogatz", "random-matching"}) {
    auto options = options_of(name, 60);
    const Graph first = graph_of(options);
    EXPECT_TRUE(same_graph(first, graph_of(options))) << name;
    options.topology.set("graph_seed", 2);
    EXPECT_FALSE(same_graph(first, graph_of(options))) << name;
  }
  const auto options = options_of("random-matching", 60);
  EXPECT_FALSE(same_graph(graph_of(options, 0), graph_of(options, 1)));
}

TEST(Generators, RefuseSizesThatDoNotFitAndNameOnesThatDo) {
  const auto with_degree = [](const char* name, std::int64_t agents, std::int64_t degree) {
    auto options = options_of(name, agents);
    options.topology.set("degree", degree);
    return refusal(options);
  };
  EXPECT_TRUE(contains(refusal(options_of("hypercube", 12)), "network.agents = 8 or 16"));
  EXPECT_TRUE(contains(refusal(options_of("hypercube", 9999999)), "network.agents = 8388608"));
  EXPECT_TRUE(contains(with_degree("random-regular", 9, 3), "network.agents = 8 or 10"));
  EXPECT_TRUE(contains(with_degree("random-regular", 4, 4), "network.agents >= 5"));
  EXPECT_TRUE(contains(with_degree("random-regular", 4, 1), "network.degree >= 2"));
  EXPECT_EQ(with_degree("random-regular", 2, 1), "accepted");
  EXPECT_TRUE(contains(with_degree("watts-strogatz", 9, 3), "network.degree = 2 or 4"));
  EXPECT_TRUE(contains(with_degree("watts-strogatz", 9, 1), "network.degree = 2"));
  EXPECT_TRUE(contains(with_degree("watts-strogatz", 2, 2), "network.agents >= 3"));
  EXPECT_TRUE(contains(with_degree("random-regular", 8, 0), "network.degree = 0"));
  EXPECT_TRUE(contains(with_degree("random-regular", 1000000, 101), "fewer agents"));
  auto options = options_of("watts-strogatz", 10);
  options.topology.set("rewiring", 1.5);
  EXPECT_TRUE(contains(refusal(options), "network.rewiring = 1.5"));
}

TEST(Generators, ErdosRenyiNamesAProbabilityThatIsEnough) {
  auto options = options_of("erdos-renyi", 50);
  options.topology.set("edge_probability", 0.01);
  EXPECT_TRUE(contains(refusal(options), "0.118241 would be enough"));
  options.topology.set("edge_probability", 0.118241);
  EXPECT_EQ(refusal(options), "accepted");
  options.topology.set("edge_probability", 0);
  EXPECT_TRUE(contains(refusal(options), "(0, 1]"));
}

}  // namespace
}  // namespace echelon

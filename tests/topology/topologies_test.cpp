#include "echelon/topology/topologies.hpp"

#include <gtest/gtest.h>

#include <set>

#include "topology/matrices.hpp"

namespace echelon {
namespace {

/// Options under which `topology` accepts the number of agents, if there are any.
TopologyOptions fitting(const std::string& topology, std::int64_t agents) {
  auto options = options_of(topology, agents);
  options.degree = 2;
  options.edge_probability = 0.5;
  return options;
}

/// Everything that is joined within some rounds.
Graph united(const MixingSchedule& schedule, std::uint64_t rounds) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const Graph graph = schedule.at(round)->graph();
    for (AgentId i = 0; i < graph.agents(); ++i) {
      for (const AgentId j : graph.senders(i)) edges.emplace_back(i, j);
    }
  }
  return Graph(schedule.agents(), std::move(edges));
}

TEST(Topologies, EveryOneIsConnectedAndDoublyStochasticOrNamesWhatIsRight) {
  for (const auto& entry : topology_catalog()) {
    for (const int agents : {1, 2, 3, 4, 5, 7, 12, 16, 25}) {
      const auto options = fitting(entry.name, agents);
      const std::string message = refusal(options);
      if (message != "accepted") {
        EXPECT_TRUE(contains(message, "choose network.agents")) << message;
        continue;
      }
      const auto schedule = make_schedule(options);
      EXPECT_EQ(schedule->agents(), agents);
      EXPECT_EQ(schedule->period(), entry.period(options));
      const std::uint64_t rounds = schedule->period() == 0 ? 100 : schedule->period();
      for (std::uint64_t round = 0; round < rounds; ++round) {
        EXPECT_TRUE(schedule->at(round)->sums_to_one(Sums::rows)) << entry.name << agents;
        EXPECT_TRUE(schedule->at(round)->sums_to_one(Sums::columns)) << entry.name << agents;
      }
      EXPECT_GE(diameter(united(*schedule, rounds)), 0) << entry.name << agents;
    }
  }
}

TEST(Topologies, GraphsRepeatAfterThePeriod) {
  for (const auto& entry : topology_catalog()) {
    const auto options = fitting(entry.name, 16);
    const auto period = entry.period(options);
    if (period == 0) continue;
    for (std::uint64_t round = 0; round < period; ++round) {
      const auto now = entry.make(options, round);
      const auto later = entry.make(options, round + 3 * period);
      EXPECT_TRUE(same_graph(now.graph, later.graph)) << entry.name;
      EXPECT_EQ(now.weights.has_value(), later.weights.has_value());
    }
  }
}

TEST(Topologies, AutomaticWeights) {
  expect_same_bits(*make_schedule(options_of("grid", 6))->at(0),
                   metropolis_weights(graph_of("grid", 6)));
  expect_same_bits(*make_schedule(options_of("exponential", 6))->at(0),
                   uniform_weights(graph_of("exponential", 6)));
  expect_same_bits(*make_schedule(options_of("base-k", 5))->at(0),
                   *entry_of("base-k").make(options_of("base-k", 5), 0).weights);
  expect_same_bits(*make_schedule({})->at(7), metropolis_weights(graph_of("ring", 8)));
}

TEST(Topologies, WeightsByName) {
  auto options = options_of("star", 5);
  const Graph graph = graph_of("star", 5);
  const auto matrix = [&](const char* weights) {
    options.weights = weights;
    return *make_schedule(options)->at(0);
  };
  expect_same_bits(matrix("metropolis"), metropolis_weights(graph));
  expect_same_bits(matrix("max-degree"), max_degree_weights(graph));
  expect_same_bits(matrix("uniform"), uniform_weights(graph));
  expect_same_bits(matrix("column"), column_weights(graph));
  expect_same_bits(matrix("best-constant"), best_constant_weights(graph));
}

TEST(Topologies, ColumnWeightsMakeAColumnStochasticSchedule) {
  auto options = options_of("star", 5);
  options.weights = "column";
  options.lazy = true;
  options.link_failure = 0.3;
  const auto schedule = make_schedule(options);
  for (std::uint64_t round = 0; round < 20; ++round) {
    EXPECT_TRUE(schedule->at(round)->sums_to_one(Sums::columns));
    EXPECT_TRUE(schedule->at(round, Weights::row)->sums_to_one(Sums::rows));
  }
}

TEST(Topologies, ACycleTakesTurns) {
  auto options = options_of("ring", 6);
  options.cycle = "star, even-odd-ring";
  const auto schedule = make_schedule(options);
  EXPECT_EQ(schedule->period(), 6u);  // 3 turns, 2 rounds of the even-odd ring
  EXPECT_TRUE(same_graph(schedule->at(0)->graph(), graph_of("ring", 6)));
  EXPECT_TRUE(same_graph(schedule->at(1)->graph(), graph_of("star", 6)));
  EXPECT_TRUE(same_graph(schedule->at(2)->graph(), graph_of(options_of("even-odd-ring", 6), 0)));
  EXPECT_TRUE(same_graph(schedule->at(5)->graph(), graph_of(options_of("even-odd-ring", 6), 1)));
  expect_same_bits(*schedule->at(8), *schedule->at(2));
  expect_same_bits(*schedule->at(11), *schedule->at(5));
  EXPECT_TRUE(schedule->at(4, Weights::column)->sums_to_one(Sums::columns));
}

TEST(Topologies, CyclesThatCannotBe) {
  auto options = options_of("ring", 6);
  const auto message = [&](const char* cycle) {
    options.cycle = cycle;
    return refusal(options);
  };
  EXPECT_TRUE(contains(message("star,rign"),
                       "`rign` (names are separated by commas); the nearest "
                       "is `ring`"));
  EXPECT_TRUE(contains(message("star,,ring"), "called ``"));
  EXPECT_TRUE(contains(message("random-matching"), "drawn anew"));
  EXPECT_TRUE(contains(message("hypercube"), "network.topology = hypercube: 6 agents"));
  options.topology = "random-matching";
  EXPECT_TRUE(contains(message("ring"), "drawn anew"));
}

TEST(Topologies, DrawnAnewAtEveryRoundButTheSameWhenAskedAgain) {
  auto options = options_of("random-matching", 20);
  const auto schedule = make_schedule(options);
  const auto again = make_schedule(options);
  EXPECT_EQ(schedule->period(), 0u);
  EXPECT_FALSE(schedule->fixed());
  const auto fifth = schedule->at(5);
  EXPECT_FALSE(same_graph(fifth->graph(), schedule->at(6)->graph()));
  expect_same_bits(*fifth, *again->at(5));
  expect_same_bits(*fifth, *schedule->at(5, Weights::row));
  EXPECT_TRUE(fifth->is_symmetric());
  for (const auto& entry : fifth->row(0)) EXPECT_EQ(entry.weight, 0.5);
}

TEST(Topologies, LazinessComesBeforeFailures) {
  auto options = options_of("ring", 6);
  options.lazy = true;
  EXPECT_TRUE(make_schedule(options)->fixed());
  expect_same_bits(*make_schedule(options)->at(3), lazy(metropolis_weights(graph_of("ring", 6))));
  options.agent_failure = 0.5;
  const auto schedule = make_schedule(options);
  EXPECT_EQ(schedule->period(), 0u);
  for (std::uint64_t round = 0; round < 20; ++round) {
    EXPECT_GE(dense(*schedule->at(round)).diagonal().minCoeff(), 0.5);
  }
}

TEST(Topologies, ErrorsNameWhatIsRight) {
  EXPECT_TRUE(contains(refusal(options_of("rign", 4)), "`ring`"));
  EXPECT_TRUE(contains(refusal(options_of("file", 4)), "network.topology = file"));
  EXPECT_TRUE(contains(refusal(options_of("ring", 0)), "network.agents = 0"));
  EXPECT_TRUE(contains(refusal(options_of("complete", 1000000)), "fewer agents"));
  auto options = options_of("exponential", 8);
  options.weights = "metropolis";
  EXPECT_TRUE(contains(refusal(options), "`uniform`"));
  options.weights = "unifrom";
  EXPECT_TRUE(contains(refusal(options), "`uniform`"));
  options = options_of("ring", 8);
  options.link_failure = 1;
  EXPECT_TRUE(contains(refusal(options), "network.link_failure = 1"));
  options.link_failure = 0;
  options.agent_failure = -0.1;
  EXPECT_TRUE(contains(refusal(options), "network.agent_failure = -0.1"));
}

TEST(Topologies, OptionsAreDeclaredWithRanges) {
  std::set<std::string> names;
  for (const auto& option : describe_options(TopologyOptions{})) {
    names.insert(option.name);
    EXPECT_FALSE(option.help.empty());
    if (option.name == "edge_probability") {
      EXPECT_EQ(option.range, "(0, 1]");
    }
    if (option.name == "link_failure" || option.name == "agent_failure") {
      EXPECT_EQ(option.range, "[0, 1)");
    }
    if (option.name == "topology") {
      EXPECT_TRUE(contains(option.type, "random-matching | file"));
    }
    if (option.name == "weights") {
      EXPECT_EQ(option.type,
                "automatic | metropolis | max-degree | uniform | column | best-constant");
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"agents", "topology", "cycle", "weights", "lazy",
                                          "edge_probability", "degree", "rewiring", "link_failure",
                                          "agent_failure", "file", "graph_seed"}));
}

}  // namespace
}  // namespace echelon

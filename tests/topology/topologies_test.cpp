#include "echelon/topology/topologies.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "echelon/core/configuration.hpp"
#include "topology/matrices.hpp"

namespace echelon {
namespace {

/// Options under which `topology` accepts the number of agents, if there are any.
TopologyOptions fitting(const std::string& topology, std::int64_t agents) {
  auto options = options_of(topology, agents);
  if (has_option(options, "degree")) options.topology.set("degree", 2);
  if (has_option(options, "edge_probability")) options.topology.set("edge_probability", 0.5);
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
  for (const auto& name : generated_topologies()) {
    for (const int agents : {1, 2, 3, 4, 5, 7, 12, 16, 25}) {
      const auto options = fitting(name, agents);
      const std::string message = refusal(options);
      if (message != "accepted") {
        EXPECT_TRUE(contains(message, "choose network.agents")) << message;
        continue;
      }
      const auto schedule = make_schedule(options);
      EXPECT_EQ(schedule->agents(), agents);
      EXPECT_EQ(schedule->period(), period_of(options));
      const std::uint64_t rounds = schedule->period() == 0 ? 100 : schedule->period();
      for (std::uint64_t round = 0; round < rounds; ++round) {
        EXPECT_TRUE(schedule->at(round)->sums_to_one(Sums::rows)) << name << agents;
        EXPECT_TRUE(schedule->at(round)->sums_to_one(Sums::columns)) << name << agents;
      }
      EXPECT_GE(diameter(united(*schedule, rounds)), 0) << name << agents;
    }
  }
}

TEST(Topologies, GraphsRepeatAfterThePeriod) {
  for (const auto& name : generated_topologies()) {
    const auto options = fitting(name, 16);
    const auto period = period_of(options);
    if (period == 0) continue;
    for (std::uint64_t round = 0; round < period; ++round) {
      const auto now = round_of(options, round);
      const auto later = round_of(options, round + 3 * period);
      EXPECT_TRUE(same_graph(now.graph, later.graph)) << name;
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
                   *round_of(options_of("base-k", 5)).weights);
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
  options.cycle = topology_cycle("star, even-odd-ring");
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
    return usage_message([&] {
      options.cycle = topology_cycle(cycle);
      make_schedule(options);
    });
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
  for (const auto& entry : topology_catalog()) {
    TopologyOptions options;
    options.topology = entry.name;
    for (const auto& option : describe_options(options)) {
      names.insert(option.name);
      EXPECT_FALSE(option.help.empty());
      if (option.name == "edge_probability") {
        EXPECT_EQ(option.range, "(0, 1]");
      }
      if (option.name == "link_failure" || option.name == "agent_failure") {
        EXPECT_EQ(option.range, "[0, 1)");
      }
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"agents", "topology", "cycle", "weights", "lazy",
                                          "edge_probability", "degree", "rewiring", "link_failure",
                                          "agent_failure", "file", "graph_seed"}));
  const auto all = weights_catalog().names();
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()),
            (std::set<std::string>{"automatic", "metropolis", "max-degree", "uniform", "column",
                                   "best-constant"}));
}

/// Section `network` with these values; the resolved configuration, or why it is refused.
std::string resolved(const std::map<std::string, std::string>& settings,
                     TopologyOptions options = {}) {
  Configuration configuration;
  for (const auto& [key, value] : settings) configuration.set("network." + key, value, "test");
  configuration.read("network", options);
  configuration.require_all_read(part_axes(options));
  return configuration.resolved();
}

bool same_networks(const MixingSchedule& a, const MixingSchedule& b) {
  bool same = a.period() == b.period();
  for (std::uint64_t round = 0; same && round < std::max<std::uint64_t>(1, a.period()); ++round) {
    same = dense(*a.at(round)) == dense(*b.at(round));
  }
  return same;
}

/// Own keys of topologies, each with a value that is not the default.
const std::map<std::string, std::string>& other_values() {
  static const std::map<std::string, std::string> values{{"degree", "6"},
                                                         {"edge_probability", "0.7"},
                                                         {"rewiring", "0.9"},
                                                         {"graph_seed", "5"},
                                                         {"file", "graph.txt"}};
  return values;
}

TEST(Topologies, ReadTheirOwnKeysAndRefuseThoseOfOthers) {
  const std::map<std::string, std::set<std::string>> reads{
      {"erdos-renyi", {"edge_probability", "graph_seed"}},
      {"random-regular", {"degree", "graph_seed"}},
      {"watts-strogatz", {"degree", "rewiring", "graph_seed"}},
      {"base-k", {"degree"}},
      {"random-matching", {"graph_seed"}},
      {"file", {"file"}}};
  for (const auto& entry : topology_catalog()) {
    const bool has_own = reads.count(entry.name) > 0;
    const auto own = has_own ? reads.at(entry.name) : std::set<std::string>();
    for (const auto& [key, usual] : other_values()) {
      SCOPED_TRACE(entry.name + " with " + key);
      // Sixteen is a product of two numbers up to five, which a larger degree does not change.
      const std::string value = entry.name == "base-k" && key == "degree" ? "1" : usual;
      const std::map<std::string, std::string> chosen{{"topology", entry.name}, {"agents", "16"}};
      auto settings = chosen;
      settings[key] = value;
      if (own.count(key) == 0) {
        const std::string message = usage_message([&] { resolved(settings); });
        EXPECT_TRUE(contains(message, "network." + key + " is read by ")) << message;
        EXPECT_TRUE(contains(message, "this run uses " + entry.name)) << message;
        const std::string readers = message.substr(0, message.find("; this run uses"));
        for (const auto& [reader, keys] : reads) {
          EXPECT_EQ(contains(readers, " " + reader), keys.count(key) > 0) << message;
        }
        continue;
      }
      EXPECT_NE(resolved(settings), resolved(chosen));
      if (entry.read) continue;
      auto options = options_of(entry.name, 16), changed = options;
      if (key == "degree") {
        changed.topology.set(key, std::stoi(value));
      } else if (key == "graph_seed") {
        changed.topology.set(key, std::stoi(value));
      } else {
        changed.topology.set(key, std::stod(value));
      }
      EXPECT_FALSE(same_networks(*make_schedule(options), *make_schedule(changed)));
    }
  }
}

TEST(Topologies, FailuresReadTheSeedAndNothingElseDoesWithoutThem) {
  EXPECT_TRUE(contains(usage_message([] {
                         resolved({{"graph_seed", "5"}});
                       }),
                       "if link_failure or agent_failure is above 0"));
  for (const char* failure : {"link_failure", "agent_failure"}) {
    EXPECT_TRUE(contains(resolved({{"graph_seed", "5"}, {failure, "0.1"}}), "graph_seed = 5"));
  }
  TopologyOptions options;
  options.link_failure = 0.5;
  auto other = options;
  other.failure_seed = 2;
  EXPECT_FALSE(dense(*make_schedule(options)->at(0)) == dense(*make_schedule(other)->at(0)));
}

TEST(Topologies, ThatTakeTurnsReadTheirKeys) {
  const std::string text = resolved({{"cycle", "Random-Regular , er"}, {"degree", "2"}});
  EXPECT_TRUE(contains(text, "cycle = random-regular, erdos-renyi\n")) << text;
  EXPECT_TRUE(contains(text, "degree = 2\n") && contains(text, "edge_probability")) << text;
  EXPECT_TRUE(contains(usage_message([] {
                         resolved({{"cycle", "random-regular"}, {"rewiring", "0.2"}});
                       }),
                       "read by watts-strogatz"));
  // Keys that several read have one default, so that the resolved configuration reads back.
  std::map<std::string, std::string> defaults;
  for (const auto& entry : topology_catalog()) {
    for (const auto& option : describe_options(entry.options)) {
      EXPECT_EQ(defaults.emplace(option.name, option.value).first->second, option.value);
    }
  }
}

TEST(Topologies, AreFoundByTheNamesThatUsersKnow) {
  for (const auto& [alias, name] : {std::pair{"er", "erdos-renyi"},
                                    {"gnp", "erdos-renyi"},
                                    {"full", "complete"},
                                    {"clique", "complete"},
                                    {"mesh", "grid"},
                                    {"small-world", "watts-strogatz"},
                                    {"hub", "star"},
                                    {"RING", "ring"}}) {
    EXPECT_EQ(topology_catalog().at(alias).name, name);
  }
  std::set<std::string> names;
  for (const auto& entry : topology_catalog()) {
    EXPECT_TRUE(names.insert(entry.name).second);
    for (const auto& alias : entry.aliases) EXPECT_TRUE(names.insert(alias).second) << alias;
    EXPECT_FALSE(entry.summary.empty() || entry.formula.empty());
  }
}

TEST(Topologies, SayWhenTheyAreDirected) {
  for (const auto& name : generated_topologies()) {
    for (AgentId agents = 1; agents <= 20; ++agents) {
      const auto options = fitting(name, agents);
      if (refusal(options) != "accepted") continue;
      bool undirected = true;
      for (std::uint64_t round = 0; round < std::max<std::uint64_t>(1, period_of(options));
           ++round) {
        undirected = undirected && graph_of(options, round).is_undirected();
      }
      const auto& is_directed = options.topology->is_directed;
      EXPECT_EQ(is_directed && is_directed(agents), !undirected) << name << agents;
    }
  }
}

TEST(Topologies, WeightsAreJudgedBeforeAnyGraphIsMade) {
  for (const auto& name : generated_topologies()) {
    for (const auto& weights : weights_catalog()) {
      auto options = fitting(name, 16);
      options.weights = weights.name;
      const bool is_directed = options.topology->is_directed != nullptr;
      const std::string verdict = usage_message([&] { judge(options); });
      EXPECT_EQ(verdict == "accepted", !is_directed || !weights.undirected_only) << verdict;
      // Laplacians of graphs that are connected over several rounds only have no smallest
      // eigenvalue above 0.
      const bool in_turns = period_of(options) != 1;
      if (in_turns && weights.name == "best-constant") continue;
      EXPECT_EQ(refusal(options), verdict) << name << " " << weights.name;
    }
  }
}

TEST(Topologies, ProgramsAddTheirOwn) {
  PartList<TopologyEntry> list("topology",
                               {{.name = "pair",
                                 .summary = "two agents",
                                 .formula = "0 <-> 1",
                                 .make = [](AgentId, const PartOptions&, std::uint64_t) {
                                   return TopologyRound{Graph(2, {{0, 1}, {1, 0}})};
                                 }}});
  TopologyOptions options;
  options.agents = 2;
  options.topology = Chosen<TopologyEntry>(list, "pair");
  expect_same_bits(*make_schedule(options)->at(0), metropolis_weights(graph_of("ring", 2)));
}

}  // namespace
}  // namespace echelon

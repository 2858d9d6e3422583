#pragma once
/// Small helpers for tests of graphs and mixing matrices.

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <string>
#include <vector>

#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "echelon/topology/topologies.hpp"
#include "mixing_matrices.hpp"

namespace echelon {

using testing_support::dense;

inline void expect_same_bits(const MixingMatrix& a, const MixingMatrix& b) {
  EXPECT_TRUE(dense(a) == dense(b));
}

inline Eigen::MatrixXd exact_mean(AgentId agents) {
  return Eigen::MatrixXd::Constant(agents, agents, 1.0 / agents);
}

/// W(count - 1) ... W(1) W(0), from round `first` on.
inline Eigen::MatrixXd product(const MixingSchedule& schedule, std::uint64_t count,
                               std::uint64_t first = 0) {
  Eigen::MatrixXd result = Eigen::MatrixXd::Identity(schedule.agents(), schedule.agents());
  for (std::uint64_t round = first; round < first + count; ++round) {
    result = dense(*schedule.at(round)) * result;
  }
  return result;
}

/// The longest of the shortest paths along which values travel; -1 if some agent is never reached.
inline int diameter(const Graph& graph) {
  const auto n = static_cast<std::size_t>(graph.agents());
  int longest = 0;
  for (AgentId start = 0; start < graph.agents(); ++start) {
    std::vector<int> distance(n, -1);
    std::vector<AgentId> queue = {start};
    distance[static_cast<std::size_t>(start)] = 0;
    for (std::size_t at = 0; at < queue.size(); ++at) {
      const int next = distance[static_cast<std::size_t>(queue[at])] + 1;
      for (const AgentId j : graph.senders(queue[at])) {
        if (distance[static_cast<std::size_t>(j)] >= 0) continue;
        distance[static_cast<std::size_t>(j)] = next;
        queue.push_back(j);
      }
    }
    if (queue.size() < n) return -1;
    longest = std::max(longest, distance[static_cast<std::size_t>(queue.back())]);
  }
  return longest;
}

inline std::vector<std::size_t> degrees(const Graph& graph) {
  std::vector<std::size_t> result;
  for (AgentId i = 0; i < graph.agents(); ++i) result.push_back(graph.senders(i).size());
  return result;
}

inline std::vector<AgentId> senders_of(const Graph& graph, AgentId agent) {
  return {graph.senders(agent).begin(), graph.senders(agent).end()};
}

inline bool same_graph(const Graph& a, const Graph& b) {
  if (a.agents() != b.agents()) return false;
  for (AgentId i = 0; i < a.agents(); ++i) {
    if (senders_of(a, i) != senders_of(b, i)) return false;
  }
  return true;
}

inline TopologyOptions options_of(const std::string& topology, std::int64_t agents) {
  TopologyOptions options;
  options.topology = topology;
  options.agents = agents;
  return options;
}

inline TopologyRound round_of(const TopologyOptions& options, std::uint64_t round = 0) {
  const auto& topology = options.topology;
  return topology->make(static_cast<AgentId>(options.agents), topology.options(), round);
}

inline std::uint64_t period_of(const TopologyOptions& options) {
  const auto& topology = options.topology;
  return topology->period(static_cast<AgentId>(options.agents), topology.options());
}

/// What can be generated, without the graphs in files.
inline std::vector<std::string> generated_topologies() {
  std::vector<std::string> names;
  for (const auto& entry : topology_catalog()) {
    if (!entry.read) names.push_back(entry.name);
  }
  return names;
}

inline bool has_option(const TopologyOptions& options, const std::string& name) {
  const auto all = describe_options(options.topology.options());
  return std::any_of(all.begin(), all.end(), [&](const auto& own) { return own.name == name; });
}

inline Graph graph_of(const TopologyOptions& options, std::uint64_t round = 0) {
  return round_of(options, round).graph;
}

inline Graph graph_of(const std::string& topology, std::int64_t agents) {
  return graph_of(options_of(topology, agents));
}

/// The message of the usage error that `call` throws.
template <class Call>
std::string usage_message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    return error.what();
  }
  return "accepted";
}

inline std::string refusal(const TopologyOptions& options) {
  return usage_message([&] { make_schedule(options); });
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace echelon

#include "echelon/embed/hierarchical.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "comm/blocks.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

using Groups = std::vector<int>;  // of each rank

/// Even and uneven nodes, in one piece and interleaved, with any names.
std::vector<Groups> all_groupings() {
  const std::vector<Groups> patterns = {{0, 0, 0, 1}, {0, 1, 1, 2},       {5, 5, 5, 5},
                                        {0, 1, 2, 3}, {70, 3, 70, 2'000}, {1, 0, 1, 0},
                                        {9, 4, 4, 4}};
  std::vector<Groups> result;
  for (const Groups& pattern : patterns) {
    Groups groups;
    for (int r = 0; r < world_size(); ++r) {
      groups.push_back(pattern[static_cast<std::size_t>(r) % pattern.size()]);
    }
    result.push_back(groups);
  }
  return result;
}

Graph path(AgentId nodes) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (AgentId g = 1; g < nodes; ++g) {
    edges.emplace_back(g, g - 1);
    edges.emplace_back(g - 1, g);
  }
  return Graph(nodes, edges);
}

Graph complete(AgentId nodes) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (AgentId g = 0; g < nodes; ++g) {
    for (AgentId h = 0; h < nodes; ++h) edges.emplace_back(g, h);
  }
  return Graph(nodes, edges);
}

HierarchicalOptions own_group(const Groups& groups, bool share_memory = true) {
  return {.group = groups[static_cast<std::size_t>(world_rank())],
          .stall_seconds = 60,
          .share_memory = share_memory};
}

/// W from its definition, one pair of ranks at a time.
MatrixXd brute_force(const Groups& groups, Graph (*make)(AgentId)) {
  Groups names = groups;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto nodes = static_cast<Index>(names.size());
  const Graph graph = make(static_cast<AgentId>(nodes));
  const auto node_of = [&](int group) {
    return static_cast<Index>(std::find(names.begin(), names.end(), group) - names.begin());
  };
  const auto members = [&](Index g) {
    return static_cast<double>(
        std::count(groups.begin(), groups.end(), names[static_cast<std::size_t>(g)]));
  };
  const auto degree = [&](Index g) {
    return static_cast<double>(graph.senders(static_cast<AgentId>(g)).size());
  };
  MatrixXd v = MatrixXd::Zero(nodes, nodes);
  for (Index g = 0; g < nodes; ++g) {
    for (const AgentId h : graph.senders(static_cast<AgentId>(g))) {
      v(g, h) = std::min(members(h) / (members(g) * (1 + degree(h))), 1 / (1 + degree(g)));
    }
    v(g, g) = 1 - v.row(g).sum();
  }
  const auto ranks = static_cast<Index>(groups.size());
  MatrixXd w(ranks, ranks);
  for (Index i = 0; i < ranks; ++i) {
    for (Index j = 0; j < ranks; ++j) {
      const Index g = node_of(groups[static_cast<std::size_t>(i)]);
      const Index h = node_of(groups[static_cast<std::size_t>(j)]);
      w(i, j) = v(g, h) / members(h);
    }
  }
  return w;
}

VectorXd own_numbers(Index rows) {
  VectorXd x(rows);
  for (Index r = 0; r < rows; ++r) x(r) = entry(world_rank(), r);
  return x;
}

std::span<double> span_of(VectorXd& x) {
  return {x.data(), static_cast<std::size_t>(x.size())};
}
std::span<const double> view_of(const VectorXd& x) {
  return {x.data(), static_cast<std::size_t>(x.size())};
}

/// All ranks' vectors, by rank.
MatrixXd gathered(const VectorXd& x) {
  MatrixXd all(x.size(), world_size());
  MPI_Allgather(x.data(), static_cast<int>(x.size()), MPI_DOUBLE, all.data(),
                static_cast<int>(x.size()), MPI_DOUBLE, MPI_COMM_WORLD);
  return all;
}

/// The error that all ranks must throw; its text.
template <class Body>
std::string refusal(const Body& body, bool on_all_ranks = true) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    EXPECT_EQ(error.on_all_ranks(), on_all_ranks) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

TEST(Hierarchical, MixesAsTheEquivalentMatrix) {
  constexpr Index rows = 37;
  for (const Groups& groups : all_groupings()) {
    for (auto* make : {path, complete}) {
      HierarchicalCommunicator nodes(MPI_COMM_WORLD, make, own_group(groups));
      const MatrixXd w = brute_force(groups, make);
      EXPECT_LT((dense(nodes.equivalent_matrix()) - w).cwiseAbs().maxCoeff(), 1e-15);
      const MatrixXd before = all_entries(world_size(), rows);
      HierarchicalVariable variable = nodes.variable("x", rows);
      VectorXd x = own_numbers(rows);
      MatrixXd expected = before;
      for (int round = 0; round < 3; ++round) {
        variable.mix(span_of(x));
        expected = (expected * w.transpose()).eval();
        const MatrixXd after = gathered(x);
        EXPECT_LT((after - expected).cwiseAbs().maxCoeff(), 1e-14);
        EXPECT_LT((after.rowwise().mean() - before.rowwise().mean()).cwiseAbs().maxCoeff(),
                  1e-15 * before.cwiseAbs().maxCoeff());
      }
      EXPECT_EQ(variable.round(), 3u);
    }
  }
}

TEST(Hierarchical, KnowsItsNodesAndCertifiesTheMatrix) {
  for (const Groups& groups : all_groupings()) {
    const HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
    Groups names = groups;
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    const int own = groups[static_cast<std::size_t>(world_rank())];
    EXPECT_EQ(nodes.nodes(), static_cast<int>(names.size()));
    EXPECT_EQ(names[static_cast<std::size_t>(nodes.node())], own);
    EXPECT_EQ(nodes.node_size(), std::count(groups.begin(), groups.end(), own));
    const auto first = std::find(groups.begin(), groups.end(), own) - groups.begin();
    EXPECT_EQ(nodes.is_first(), first == world_rank());
    EXPECT_EQ(nodes.node_matrix().agents(), nodes.nodes());

    EXPECT_TRUE(nodes.equivalent_matrix().is_symmetric());
    const Certificate certificate = nodes.certificate();
    EXPECT_EQ(certificate.agents, world_size());
    EXPECT_TRUE(certificate.connected);
    EXPECT_TRUE(certificate.symmetric);
    EXPECT_TRUE(certificate.doubly_stochastic());
    EXPECT_NEAR(certificate.second_eigenvalue, certify(nodes.node_matrix()).second_eigenvalue,
                1e-12);
  }
}

TEST(Hierarchical, OneNodeIsTheExactMeanAtOnce) {
  HierarchicalCommunicator machine(MPI_COMM_WORLD, path);
  EXPECT_EQ(machine.nodes(), 1);  // the tests run on one machine
  HierarchicalCommunicator named(MPI_COMM_WORLD, path, {.group = 12});
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("complete", world_size()));
  const AgentMatrix block = block_of(network, 2500);
  const VectorXd mean = network.mean_for_report(block);
  for (auto* nodes : {&machine, &named}) {
    VectorXd x = own_numbers(2500);
    nodes->mix(span_of(x));
    EXPECT_EQ(x, mean);
    nodes->mix(span_of(x));
    EXPECT_LT((x - mean).norm(), 1e-15 * mean.norm());
    EXPECT_EQ(nodes->traffic().bytes, 0);
  }
}

TEST(Hierarchical, ConvergesToTheMeanAtTheRateOfTheSecondEigenvalue) {
  constexpr Index rows = 5;
  for (const Groups& groups : all_groupings()) {
    HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
    const MatrixXd start = all_entries(world_size(), rows);
    const VectorXd mean = start.rowwise().mean();
    const double second = nodes.certificate().second_eigenvalue;
    HierarchicalVariable variable = nodes.variable("x", rows);
    VectorXd x = own_numbers(rows);
    double error = (start.colwise() - mean).norm();
    double rate = 0;
    for (int round = 1; round <= 200; ++round) {
      variable.mix(span_of(x));
      const double next = (gathered(x).colwise() - mean).norm();
      EXPECT_LE(next, second * error * (1 + 1e-9) + 1e-13) << "round " << round;
      if (next > 1e-7) rate = next / error;  // far from rounding
      error = next;
    }
    if (second > 0.05) {
      EXPECT_NEAR(rate, second, 1e-3);
    }
    EXPECT_LT(error, 1e-12);
  }
}

TEST(Hierarchical, GivesTheSameBitsWithAndWithoutSharedMemory) {
  constexpr Index rows = 5001;
  for (const Groups& groups : all_groupings()) {
    HierarchicalCommunicator shared(MPI_COMM_WORLD, path, own_group(groups));
    HierarchicalCommunicator sent(MPI_COMM_WORLD, path, own_group(groups, false));
    VectorXd a = own_numbers(rows);
    VectorXd b = a;
    for (int round = 0; round < 4; ++round) {
      shared.mix(span_of(a));
      sent.mix(span_of(b));
    }
    EXPECT_EQ(a, b);
  }
}

TEST(Hierarchical, AllRanksOfANodeHoldTheSameBits) {
  for (const Groups& groups : all_groupings()) {
    HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
    VectorXd x = own_numbers(100);
    nodes.mix(span_of(x));
    const MatrixXd all = gathered(x);
    for (std::size_t r = 0; r < groups.size(); ++r) {
      if (groups[r] != groups[static_cast<std::size_t>(world_rank())]) continue;
      EXPECT_EQ(all.col(static_cast<Index>(r)), x);
    }
  }
}

TEST(Hierarchical, StartAndFinishAroundComputationOfSeveralVariables) {
  const Groups groups = all_groupings()[1];
  HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
  HierarchicalVariable first = nodes.variable("first", 3000);
  HierarchicalVariable second = nodes.variable("second", 11);
  VectorXd a = own_numbers(3000);
  VectorXd b = own_numbers(11);
  VectorXd mixed_a = a;
  VectorXd mixed_b = b;
  for (int round = 0; round < 50; ++round) {
    nodes.mix(span_of(mixed_a));
    nodes.mix(span_of(mixed_b));
    first.start(view_of(a));
    second.start(view_of(b));
    a.setConstant(7);
    b.setConstant(7);
    first.progress();
    second.progress();
    second.finish(span_of(b));
    first.finish(span_of(a));
    ASSERT_EQ(a, mixed_a);
    ASSERT_EQ(b, mixed_b);
  }
  HierarchicalVariable moved = std::move(first);
  EXPECT_EQ(moved.name(), "first");
  EXPECT_EQ(moved.size(), 3000);
  moved.mix(span_of(a));
  nodes.mix(span_of(mixed_a));
  EXPECT_EQ(a, mixed_a);
}

TEST(Hierarchical, VariablesOutliveTheCommunicator) {
  const Groups groups = all_groupings()[0];
  auto nodes = std::make_unique<HierarchicalCommunicator>(MPI_COMM_WORLD, path, own_group(groups));
  HierarchicalVariable variable = nodes->variable("x", 9);
  nodes.reset();
  VectorXd x = own_numbers(9);
  variable.mix(span_of(x));
  const MatrixXd expected = all_entries(world_size(), 9) * brute_force(groups, path).transpose();
  EXPECT_LT((x - expected.col(world_rank())).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(Hierarchical, FloatsAreMixedAsDoublesAndRoundedAtTheEnd) {
  for (const Groups& groups : all_groupings()) {
    HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
    Eigen::VectorXf x = own_numbers(33).cast<float>();
    VectorXd exact = x.cast<double>();
    nodes.mix(std::span<float>(x.data(), 33));
    nodes.mix(span_of(exact));
    EXPECT_EQ(x, exact.cast<float>());
    HierarchicalVariable variable = nodes.variable("x", 33);
    exact = x.cast<double>();
    variable.start(std::span<const float>(x.data(), 33));
    variable.finish(std::span<float>(x.data(), 33));
    nodes.mix(span_of(exact));
    EXPECT_EQ(x, exact.cast<float>());
  }
}

TEST(Hierarchical, OnlyFirstRanksSend) {
  for (const Groups& groups : all_groupings()) {
    HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
    HierarchicalVariable variable = nodes.variable("x", 10);
    VectorXd x = own_numbers(10);
    variable.mix(span_of(x));
    variable.mix(span_of(x));
    const auto neighbors =
        static_cast<std::int64_t>(path(nodes.nodes()).senders(nodes.node()).size());
    EXPECT_EQ(nodes.traffic().bytes, nodes.is_first() ? 2 * neighbors * 10 * 8 : 0);
    EXPECT_EQ(nodes.traffic().messages, nodes.is_first() ? 2 * neighbors : 0);
  }
}

TEST(Hierarchical, TakesTopologiesByName) {
  Groups own(static_cast<std::size_t>(world_size()));
  std::iota(own.begin(), own.end(), 0);
  TopologyOptions topology;
  topology.topology = "path";
  topology.agents = 1000;  // not read
  HierarchicalCommunicator nodes(MPI_COMM_WORLD, topology, own_group(own));
  EXPECT_LT((dense(nodes.equivalent_matrix()) - brute_force(own, path)).cwiseAbs().maxCoeff(),
            1e-15);
  const auto refused = [&](const TopologyOptions& options) {
    return refusal([&] { HierarchicalCommunicator(MPI_COMM_WORLD, options, own_group(own)); });
  };
  TopologyOptions bad = topology;
  bad.weights = "uniform";
  EXPECT_NE(refused(bad).find("use `automatic`"), std::string::npos);
  bad = topology;
  bad.lazy = true;
  EXPECT_NE(refused(bad).find("switch it off"), std::string::npos);
  bad = topology;
  bad.link_failure = 0.5;
  EXPECT_NE(refused(bad).find("fixed"), std::string::npos);
  bad.topology = "no-such";
  refused(bad);
  if (world_size() < 3) return;
  bad = topology;
  bad.topology = "directed-ring";
  EXPECT_NE(refused(bad).find("directed"), std::string::npos);
}

TEST(Hierarchical, RefusesGraphsThatDoNotFit) {
  Groups own(static_cast<std::size_t>(world_size()));
  std::iota(own.begin(), own.end(), 0);
  const auto refused = [&](const HierarchicalCommunicator::MakeGraph& make) {
    return refusal([&] { HierarchicalCommunicator(MPI_COMM_WORLD, make, own_group(own)); });
  };
  EXPECT_NE(refused([](AgentId nodes) { return path(nodes + 1); }).find("agents for"),
            std::string::npos);
  EXPECT_NE(refused(nullptr).find("no function"), std::string::npos);
  EXPECT_NE(refused([](AgentId nodes) {
              require(world_rank() != world_size() - 1, ErrorKind::usage, "only the last rank");
              return path(nodes);
            }).find("only the last rank"),
            std::string::npos);
  if (world_size() < 2) return;
  EXPECT_NE(refused([](AgentId nodes) { return Graph(nodes, {}); }).find("not connected"),
            std::string::npos);
  EXPECT_NE(refused([](AgentId nodes) {
              return Graph(nodes, {{0, 1}});
            }).find("directed"),
            std::string::npos);
  if (world_size() < 3) return;
  EXPECT_NE(refused([](AgentId nodes) {
              return world_rank() == 1 ? complete(nodes) : path(nodes);
            }).find("not the same"),
            std::string::npos);
}

TEST(Hierarchical, RefusesOptionsThatDiffer) {
  const auto refused = [&](const HierarchicalOptions& options) {
    return refusal([&] { HierarchicalCommunicator(MPI_COMM_WORLD, path, options); });
  };
  const bool last = world_rank() == world_size() - 1;
  EXPECT_NE(refused({.group = last ? -2 : 0}).find("-2"), std::string::npos);
  if (world_size() < 2) return;
  EXPECT_NE(refused({.group = last ? -1 : 0}).find("some ranks"), std::string::npos);
  EXPECT_NE(refused({.group = 0, .share_memory = last}).find("share_memory"), std::string::npos);
}

TEST(Hierarchical, RefusesSizesThatDifferOnAllRanks) {
  const Groups groups = all_groupings()[0];
  HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
  const Index odd = world_rank() == world_size() - 1 ? 12 : 11;
  refusal([&] { nodes.variable("x", 0); });
  VectorXd x = own_numbers(11);
  nodes.mix(span_of(x));
  if (world_size() > 1) {
    EXPECT_NE(refusal([&] { nodes.variable("x", odd); }).find("between 11 and 12"),
              std::string::npos);
    VectorXd other = own_numbers(odd);
    refusal([&] { nodes.mix(span_of(other)); });  // on most ranks it is the last length
    EXPECT_EQ(other, own_numbers(odd));
  }
  x = own_numbers(11);
  nodes.mix(span_of(x));  // as if nothing had been
  const MatrixXd expected = all_entries(world_size(), 11) * brute_force(groups, path).transpose();
  EXPECT_LT((x - expected.col(world_rank())).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(Hierarchical, RefusesWrongBuffersAndOrdersBeforeAnythingIsSent) {
  const Groups groups = all_groupings()[1];
  HierarchicalCommunicator nodes(MPI_COMM_WORLD, path, own_group(groups));
  HierarchicalVariable variable = nodes.variable("x", 4);
  VectorXd x = own_numbers(4);
  VectorXd longer = own_numbers(5);
  if (world_rank() == 0) {
    refusal([&] { variable.mix(span_of(longer)); }, false);
    refusal([&] { variable.start(view_of(longer)); }, false);
    refusal([&] { variable.finish(span_of(x)); }, false);
  }
  variable.progress();
  variable.start(view_of(x));
  if (world_rank() == 0) {
    refusal([&] { variable.start(view_of(x)); }, false);
    refusal([&] { variable.mix(span_of(x)); }, false);
    refusal([&] { variable.finish(span_of(longer)); }, false);
  }
  variable.finish(span_of(x));
  const MatrixXd expected = all_entries(world_size(), 4) * brute_force(groups, path).transpose();
  EXPECT_LT((x - expected.col(world_rank())).cwiseAbs().maxCoeff(), 1e-14);
  refusal([] { HierarchicalCommunicator(MPI_COMM_NULL, path); }, false);
}

TEST(Hierarchical, AFirstRankThatDoesNotComeIsNamed) {
  if (world_size() < 3) return;  // two ranks of a node that waits, and another node
  const bool last = world_rank() == world_size() - 1;
  HierarchicalCommunicator nodes(MPI_COMM_WORLD, path,
                                 {.group = last ? 1 : 0, .stall_seconds = 0.3});
  HierarchicalVariable variable = nodes.variable("x", 4);
  VectorXd x = own_numbers(4);
  variable.start(view_of(x));
  if (!nodes.is_first()) {
    try {
      variable.finish(span_of(x));
      FAIL() << "the first rank did not finish";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::stalled);
      EXPECT_NE(std::string(error.what()).find("first rank of node 0"), std::string::npos)
          << error.what();
    }
  }
  MPI_Barrier(MPI_COMM_WORLD);
  if (nodes.is_first()) variable.finish(span_of(x));
  MPI_Barrier(MPI_COMM_WORLD);
}

}  // namespace
}  // namespace echelon

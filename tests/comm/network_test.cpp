#include "echelon/comm/network.hpp"

#include <gtest/gtest.h>

#include "echelon/comm/mixer.hpp"
#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

MixingMatrix matrix_of(const std::string& topology, AgentId agents,
                       const std::string& weights = "metropolis") {
  TopologyOptions options;
  options.topology = topology;
  options.agents = agents;
  options.weights = weights;
  return make_mixing_matrix(options);
}

double entry(AgentId agent, Index row) {
  return Draws(2, Purpose::start, agent, static_cast<std::uint64_t>(row)).normal();
}

AgentMatrix block_of(const Network& network, Index rows) {
  AgentMatrix block(rows, network.agents().count());
  for (int i = 0; i < network.agents().count(); ++i) {
    for (Index r = 0; r < rows; ++r)
      block(r, i) = entry(network.agents().local[static_cast<std::size_t>(i)], r);
  }
  return block;
}

void expect_mixed(const MixingMatrix& matrix, std::vector<int> owner, Index rows) {
  Network network(Communicator(MPI_COMM_WORLD), matrix, std::move(owner));
  Mixer mix = network.mixer("value", rows);
  const AgentMatrix block = block_of(network, rows);
  AgentMatrix mixed(rows, block.cols());
  AgentMatrix with_post(rows, block.cols());
  for (int round = 0; round < 2; ++round) {  // the second round reuses buffers
    mix(mixed, block);
    mix(with_post, 2 * block, -block);
    for (int i = 0; i < network.agents().count(); ++i) {
      for (Index r = 0; r < rows; ++r) {
        double expected = 0;
        for (const auto& term : matrix.row(network.agents().local[static_cast<std::size_t>(i)])) {
          expected += term.weight * entry(term.sender, r);
        }
        EXPECT_NEAR(mixed(r, i), expected, 1e-14);
        EXPECT_NEAR(with_post(r, i), 2 * expected - block(r, i), 1e-14);
      }
    }
  }
}

TEST(Mixer, AppliesTheMatrixOnEveryTopologyAndSize) {
  for (const char* topology : {"ring", "path", "star", "complete"}) {
    for (const AgentId agents : {1, 2, 3, 7, 12}) expect_mixed(matrix_of(topology, agents), {}, 5);
  }
  expect_mixed(matrix_of("exponential", 11, "uniform"), {}, 5);  // directed
  expect_mixed(matrix_of("star", 40), {}, 2051);  // more rows than a strip, more terms than a group
}

TEST(Mixer, ServesAgentsDealtRoundRobin) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  std::vector<int> owner(9);
  for (std::size_t a = 0; a < owner.size(); ++a) owner[a] = static_cast<int>(a) % ranks;
  expect_mixed(matrix_of("torus", 9), owner, 4);
}

TEST(Mixer, TwoExchangesMayBeInFlight) {
  Network network(Communicator(MPI_COMM_WORLD), matrix_of("ring", 6));
  Mixer mix_a = network.mixer("a", 3);
  Mixer mix_b = network.mixer("b", 3);
  const AgentMatrix block = block_of(network, 3);
  AgentMatrix a(3, block.cols()), b(3, block.cols()), alone(3, block.cols());
  mix_a(alone, block);
  mix_a.start(block);
  mix_b.start(-block);
  mix_a.finish(a);
  mix_b.finish(b);
  EXPECT_EQ(a, alone);
  EXPECT_EQ(b, -alone);
}

TEST(Network, CountsTrafficAsIfEveryAgentHadAMachine) {
  Network network(Communicator(MPI_COMM_WORLD), matrix_of("ring", 8));
  Mixer mix = network.mixer("value", 10);
  const AgentMatrix block = block_of(network, 10);
  AgentMatrix mixed(10, block.cols());
  mix(mixed, block);
  std::int64_t bytes = network.traffic().bytes;
  network.communicator().sum({&bytes, 1}, "test");
  EXPECT_EQ(bytes, 8 * 2 * 10 * 8);  // 8 agents, 2 neighbors, 10 doubles
  VectorXd mean;
  network.mean(block, mean);
  bytes = network.traffic().bytes;
  network.communicator().sum({&bytes, 1}, "test");
  EXPECT_EQ(bytes, 8 * 2 * 10 * 8 + 2 * 7 * 10 * 8);
}

TEST(Network, DealsAgentsInBlocksOfNearlyEqualSize) {
  for (const AgentId agents : {1, 3, 8, 10}) {
    for (const int ranks : {1, 2, 3, 4}) {
      const auto owner = deal_agents(agents, ranks);
      std::vector<int> count(static_cast<std::size_t>(ranks), 0);
      for (std::size_t a = 0; a < owner.size(); ++a) {
        ++count[static_cast<std::size_t>(owner[a])];
        if (a > 0) {
          EXPECT_GE(owner[a], owner[a - 1]);
        }
      }
      const auto [low, high] = std::minmax_element(count.begin(), count.end());
      EXPECT_LE(*high - *low, 1);
    }
  }
}

TEST(Network, RefusesOwnersThatDoNotFit) {
  EXPECT_THROW(Network(Communicator(MPI_COMM_WORLD), matrix_of("ring", 4), {0, 0, 0}), Error);
  EXPECT_THROW(Network(Communicator(MPI_COMM_WORLD), matrix_of("ring", 4), {0, 0, 0, 99}), Error);
}

TEST(Network, MeanIsExactForTinyDimensionsOnManyRanks) {
  Network network(Communicator(MPI_COMM_WORLD), matrix_of("complete", 5));
  AgentMatrix block(1, network.agents().count());
  for (int i = 0; i < block.cols(); ++i)
    block(0, i) = network.agents().local[static_cast<std::size_t>(i)];
  VectorXd mean;
  network.mean(block, mean);
  EXPECT_EQ(mean(0), 2);
}

}  // namespace
}  // namespace echelon

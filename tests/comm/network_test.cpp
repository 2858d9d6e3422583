#include "echelon/comm/network.hpp"

#include <gtest/gtest.h>

#include "blocks.hpp"

namespace echelon {
namespace {

using namespace testing_support;

TEST(Network, CountsTrafficAsIfEveryAgentHadAMachine) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", 8));
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
  EXPECT_THROW(Network(Communicator(MPI_COMM_WORLD), schedule_of("ring", 4), {.owner = {0, 0, 0}}),
               Error);
  EXPECT_THROW(
      Network(Communicator(MPI_COMM_WORLD), schedule_of("ring", 4), {.owner = {0, 0, 0, 99}}),
      Error);
}

TEST(Network, MeanIsExactForTinyDimensionsOnManyRanks) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("complete", 5));
  AgentMatrix block(1, network.agents().count());
  for (int i = 0; i < block.cols(); ++i)
    block(0, i) = network.agents().local[static_cast<std::size_t>(i)];
  VectorXd mean;
  network.mean(block, mean);
  EXPECT_EQ(mean(0), 2);
}

}  // namespace
}  // namespace echelon

#include "echelon/comm/reduction.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "echelon/comm/network.hpp"
#include "echelon/core/random.hpp"

namespace echelon {
namespace {

double entry(AgentId agent, Index row) {
  return std::exp(3 * Draws(1, Purpose::start, agent, static_cast<std::uint64_t>(row)).normal());
}

/// The tree as it is defined, on one process: node [low, high) splits at the largest power of two
/// below its size.
VectorXd reference_sum(AgentId low, AgentId high, Index rows) {
  if (high - low == 1) {
    VectorXd column(rows);
    for (Index r = 0; r < rows; ++r) column(r) = entry(low, r);
    return column;
  }
  AgentId half = 1;
  while (2 * half < high - low) half *= 2;
  return reference_sum(low, low + half, rows) + reference_sum(low + half, high, rows);
}

void expect_tree_bits(AgentId agents, Index rows, const std::vector<int>& owner, bool share) {
  const Communicator communicator(MPI_COMM_WORLD);
  const Node node(communicator, share);
  AgentSet set{agents, {}};
  for (AgentId a = 0; a < agents; ++a) {
    if (owner[static_cast<std::size_t>(a)] == communicator.rank()) set.local.push_back(a);
  }
  AgentMatrix block(rows, set.count());
  for (int i = 0; i < set.count(); ++i) {
    for (Index r = 0; r < rows; ++r) block(r, i) = entry(set.local[static_cast<std::size_t>(i)], r);
  }
  TreeReduction reduction(set, owner, communicator, node);
  VectorXd sum;
  const VectorXd expected = reference_sum(0, agents, rows);
  for (int repeat = 0; repeat < 3; ++repeat) {
    reduction.sum(block, sum);
    ASSERT_EQ(sum.size(), rows);
    for (Index r = 0; r < rows; ++r) {
      EXPECT_EQ(sum(r), expected(r)) << agents << " agents, row " << r;
    }
  }
}

TEST(TreeReduction, HasTheBitsOfTheTreeForAnyNumberOfAgentsAndRows) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  for (const AgentId agents : {1, 2, 3, 5, 7, 8, 13, 64, 100}) {
    for (const Index rows : {1, 3, 8, 1030}) {
      expect_tree_bits(agents, rows, deal_agents(agents, ranks), true);
      expect_tree_bits(agents, rows, deal_agents(agents, ranks), false);
    }
  }
}

TEST(TreeReduction, HasTheSameBitsHoweverAgentsAreDealt) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  std::vector<int> round_robin(29), backwards(29), all_on_last(29, ranks - 1);
  for (std::size_t a = 0; a < 29; ++a) {
    round_robin[a] = static_cast<int>(a) % ranks;
    backwards[a] = ranks - 1 - static_cast<int>(a) * ranks / 29;
  }
  for (const auto& owner : {round_robin, backwards, all_on_last}) {
    expect_tree_bits(29, 17, owner, true);
    expect_tree_bits(29, 17, owner, false);
  }
}

}  // namespace
}  // namespace echelon

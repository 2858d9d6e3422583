#include "echelon/comm/slices.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "blocks.hpp"

namespace echelon {
namespace {

using namespace testing_support;

/// Depends on the order of the agents, and changes the numbers that it gets.
double alternating_product_of_largest(std::span<double> numbers) {
  double sum = 0;
  for (std::size_t a = 0; a < numbers.size(); ++a) sum = 0.5 * numbers[a] - 0.7 * sum;
  std::sort(numbers.begin(), numbers.end());
  return sum * numbers.back();
}

class Folds : public testing::TestWithParam<Index> {};

TEST_P(Folds, GiveEveryRankWhatOneProcessComputes) {
  const Index rows = GetParam();
  for (const AgentId agents : {1, 3, 10}) {
    Eigen::MatrixXd all = all_entries(agents, rows);
    VectorXd expected(rows);
    for (Index r = 0; r < rows; ++r) {
      VectorXd numbers = all.row(r);
      expected(r) = alternating_product_of_largest(
          {numbers.data(), static_cast<std::size_t>(numbers.size())});
    }
    for (const bool spread : {false, true}) {
      NetworkLayout layout;
      if (spread) layout.owner = round_robin(agents);
      Network network(Communicator(MPI_COMM_WORLD), schedule_of("complete", agents), layout);
      VectorXd found;
      network.fold_coordinates(block_of(network, rows), alternating_product_of_largest, found);
      EXPECT_EQ(found, expected) << agents << " agents, " << rows << " rows";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Folds, testing::Values(0, 1, 3, 4096, 20011));

TEST(Folds, AreNotCountedButServerRoundsAre) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("complete", 10));
  VectorXd found;
  network.fold_coordinates(block_of(network, 7), alternating_product_of_largest, found);
  EXPECT_EQ(network.traffic().messages, 0);
  network.count_server_round(7);
  std::int64_t sent[] = {network.traffic().messages, network.traffic().bytes};
  MPI_Allreduce(MPI_IN_PLACE, sent, 2, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_EQ(sent[0], 2 * 9);
  EXPECT_EQ(sent[1], 2 * 9 * 7 * 8);
}

}  // namespace
}  // namespace echelon

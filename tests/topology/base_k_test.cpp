#include <gtest/gtest.h>

#include <cmath>

#include "topology/matrices.hpp"

namespace echelon {
namespace {

TopologyOptions base_k(std::int64_t agents, std::int64_t degree) {
  auto options = options_of("base-k", agents);
  options.topology.set("degree", degree);
  return options;
}

TEST(BaseK, AveragesExactlyWithinOnePeriodForEveryNumberOfAgents) {
  for (AgentId n = 1; n <= 64; ++n) {
    for (const int k : {1, 2, 3, 4, 5}) {
      const auto schedule = make_schedule(base_k(n, k));
      const double error =
          (product(*schedule, schedule->period()) - exact_mean(n)).cwiseAbs().maxCoeff();
      EXPECT_LE(error, 1e-14) << n << " agents, degree " << k;
    }
  }
}

TEST(BaseK, EveryRoundIsSymmetricNonNegativeAndOfBoundedDegree) {
  for (const AgentId n : {1, 2, 3, 5, 6, 7, 14, 23, 30, 50, 61, 64, 97, 1000}) {
    for (const int k : {1, 2, 3, 5, 7}) {
      const auto schedule = make_schedule(base_k(n, k));
      for (std::uint64_t round = 0; round < schedule->period(); ++round) {
        const auto matrix = schedule->at(round);
        EXPECT_TRUE(matrix->is_symmetric()) << n << " " << k;
        for (AgentId i = 0; i < n; ++i) {
          for (const auto& entry : matrix->row(i)) EXPECT_GT(entry.weight, -1e-15);
        }
        const auto all = degrees(matrix->graph());
        EXPECT_LE(*std::max_element(all.begin(), all.end()), static_cast<std::size_t>(k));
      }
    }
  }
}

// Theorem 1 of the paper: at most 2 log n / log(k+1) + 2 rounds; log n where n has only small
// factors.
TEST(BaseK, NumberOfRounds) {
  for (AgentId n = 2; n <= 300; ++n) {
    for (const int k : {1, 2, 3, 4, 5, 9}) {
      const auto period = period_of(base_k(n, k));
      EXPECT_LE(static_cast<double>(period), 2 * std::log(n) / std::log(k + 1) + 2)
          << n << " " << k;
    }
  }
  const auto period = [](AgentId n, int k) { return period_of(base_k(n, k)); };
  EXPECT_EQ(period(1, 1), 1u);
  EXPECT_EQ(period(16, 1), 4u);
  EXPECT_EQ(period(16, 3), 2u);
  EXPECT_EQ(period(12, 2), 3u);
  EXPECT_EQ(period(24, 5), 2u);
  EXPECT_EQ(period(100, 99), 1u);
  EXPECT_EQ(period(100, 1000000), 1u);
  EXPECT_EQ(period(3, 1), 3u);
  EXPECT_EQ(period(5, 1), 5u);  // 4 + 1 agents: 2 rounds, 1 exchange, 2 rounds
  EXPECT_EQ(period(6, 1), 4u);  // two threes, and one round across
}

TEST(BaseK, MixesAsPrescribedForFiveAgents) {
  const auto schedule = make_schedule(base_k(5, 1));
  const Eigen::MatrixXd exchange = dense(*schedule->at(2));
  EXPECT_DOUBLE_EQ(exchange(0, 4), 4.0 / 5);
  EXPECT_DOUBLE_EQ(exchange(4, 4), 1.0 / 5);
  EXPECT_DOUBLE_EQ(exchange(1, 2), 0.5);  // agents that are not needed pair up
  EXPECT_DOUBLE_EQ(exchange(3, 3), 1.0);
}

TEST(BaseK, ManyAgents) {
  const auto options = base_k(100003, 2);
  const auto round = round_of(options, 3);
  ASSERT_TRUE(round.weights.has_value());
  EXPECT_TRUE(round.weights->is_symmetric());
  EXPECT_TRUE(contains(refusal(base_k(1000003, 9)), "fewer agents"));
  EXPECT_TRUE(contains(refusal(base_k(8, 0)), "network.degree = 0"));
}

TEST(BaseK, OtherWeightsCanReplaceItsOwn) {
  auto options = base_k(5, 1);
  options.weights = "metropolis";
  EXPECT_DOUBLE_EQ(dense(*make_schedule(options)->at(2))(0, 4), 0.5);
}

}  // namespace
}  // namespace echelon

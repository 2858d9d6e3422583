#include "echelon/topology/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "topology/matrices.hpp"

namespace echelon {
namespace {

using Rows = std::vector<std::vector<MixingMatrix::Entry>>;

SharedSchedule fixed(const MixingMatrix& matrix) {
  return periodic({matrix});
}

/// Rows sum to 1, columns do not.
MixingMatrix row_stochastic() {
  return uniform_weights(Graph(3, {{0, 1}, {0, 2}, {1, 0}, {2, 0}}));
}

TEST(Schedule, PeriodicRepeats) {
  const auto ring = metropolis_weights(graph_of("ring", 5));
  const auto star = metropolis_weights(graph_of("star", 5));
  const auto schedule = periodic({ring, star});
  EXPECT_EQ(schedule->agents(), 5);
  EXPECT_EQ(schedule->period(), 2u);
  EXPECT_FALSE(schedule->fixed());
  expect_same_bits(*schedule->at(4), ring);
  expect_same_bits(*schedule->at(7), star);
  EXPECT_EQ(schedule->at(1), schedule->at(3));  // no copies
  EXPECT_TRUE(fixed(ring)->fixed());
}

TEST(Schedule, PeriodicRefusesNothingAndDifferentSizes) {
  EXPECT_TRUE(contains(usage_message([] { periodic({}); }), "no matrix"));
  EXPECT_TRUE(contains(usage_message([] {
                         periodic({metropolis_weights(graph_of("ring", 5)),
                                   metropolis_weights(graph_of("ring", 6))});
                       }),
                       "for 5 and for 6 agents"));
}

TEST(Schedule, WeightsAreReplacedOnlyWhereTheyDoNotQualify) {
  const auto matrix = row_stochastic();
  const auto schedule = fixed(matrix);
  expect_same_bits(*schedule->at(0, Weights::row), matrix);
  EXPECT_EQ(schedule->at(0, Weights::row), schedule->at(0));
  expect_same_bits(*schedule->at(9, Weights::column), column_weights(matrix.graph()));
  EXPECT_EQ(schedule->at(9, Weights::column), schedule->at(2, Weights::column));
  const auto splitting = fixed(column_weights(matrix.graph()));
  expect_same_bits(*splitting->at(0, Weights::row), uniform_weights(matrix.graph()));
  expect_same_bits(*splitting->at(0, Weights::column), *splitting->at(0));
}

TEST(Schedule, ReweightedKeepsDoublyStochasticMatrices) {
  const auto matrix = metropolis_weights(graph_of("star", 4));
  for (const auto weights : {Weights::given, Weights::row, Weights::column}) {
    expect_same_bits(reweighted(matrix, weights), matrix);
  }
  expect_same_bits(reweighted(row_stochastic(), Weights::column),
                   column_weights(row_stochastic().graph()));
  expect_same_bits(reweighted(row_stochastic(), Weights::given), row_stochastic());
}

TEST(Schedule, LazyOfEveryKindOfWeights) {
  const auto matrix = row_stochastic();
  const auto schedule = lazy(fixed(matrix));
  EXPECT_TRUE(schedule->fixed());
  expect_same_bits(*schedule->at(3), lazy(matrix));
  expect_same_bits(*schedule->at(3, Weights::column), lazy(column_weights(matrix.graph())));
  EXPECT_EQ(schedule->at(3), schedule->at(4));
}

TEST(Schedule, LongPeriodsAreRightThoughNotAllIsKept) {
  std::vector<MixingMatrix> matrices;
  for (int k = 0; k < 100; ++k) {
    const double weight = k / 256.0;
    matrices.emplace_back(Rows{{{0, 1 - weight}, {1, weight}}, {{0, weight}, {1, 1 - weight}}});
  }
  const auto schedule = lazy(periodic(matrices));
  for (std::uint64_t round = 0; round < 300; ++round) {
    EXPECT_EQ(dense(*schedule->at(round))(0, 1), static_cast<double>(round % 100) / 512);
  }
}

TEST(Failures, HappenAsOftenAsAsked) {
  constexpr int rounds = 4000;
  const auto matrix = metropolis_weights(graph_of("complete", 6));
  const auto schedule = with_failures(fixed(matrix), {.link = 0.3, .agent = 0.2, .seed = 5});
  EXPECT_EQ(schedule->period(), 0u);
  Eigen::MatrixXd alive = Eigen::MatrixXd::Zero(6, 6);
  double both = 0;
  for (int round = 0; round < rounds; ++round) {
    const Eigen::MatrixXd w = dense(*schedule->at(static_cast<std::uint64_t>(round)));
    alive += (w.array() > 0).cast<double>().matrix();
    both += w(0, 1) > 0 && w(2, 3) > 0 ? 1 : 0;
  }
  const auto near = [&](double count, double p) {
    EXPECT_NEAR(count / rounds, p, 5 * std::sqrt(p * (1 - p) / rounds));
  };
  const double p = 0.7 * 0.8 * 0.8;
  for (AgentId i = 0; i < 6; ++i) {
    for (AgentId j = 0; j < i; ++j) near(alive(i, j), p);
  }
  near(both, p * p);
}

TEST(Failures, OfAnAgentSilenceAllItsLinks) {
  constexpr int rounds = 4000;
  const auto schedule =
      with_failures(fixed(metropolis_weights(graph_of("complete", 5))), {.agent = 0.4});
  double silent = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto matrix = schedule->at(static_cast<std::uint64_t>(round));
    // The agents that do not fail remain a complete graph.
    const auto all = degrees(matrix->graph());
    const auto most = *std::max_element(all.begin(), all.end());
    for (const auto degree : all) EXPECT_TRUE(degree == 0 || degree == most);
    EXPECT_TRUE(most == 0 ||
                std::count(all.begin(), all.end(), most) == static_cast<int>(most) + 1);
    silent += dense(*matrix)(2, 2) == 1.0 ? 1 : 0;
  }
  const double p = 0.4 + 0.6 * std::pow(0.4, 4);  // itself, or everybody else
  EXPECT_NEAR(silent / rounds, p, 5 * std::sqrt(p * (1 - p) / rounds));
}

TEST(Failures, KeepSymmetryToTheBitAndTheOtherWeights) {
  const auto matrix = metropolis_weights(graph_of("watts-strogatz", 50));
  const auto schedule = with_failures(fixed(matrix), {.link = 0.5, .agent = 0.1});
  for (std::uint64_t round = 0; round < 50; ++round) {
    const auto failed = schedule->at(round);
    EXPECT_TRUE(failed->is_symmetric());
    expect_same_bits(*failed, *schedule->at(round, Weights::column));
    EXPECT_FALSE(dense(*failed) == dense(matrix));
    for (AgentId i = 0; i < 50; ++i) {
      for (const auto& [j, weight] : failed->row(i)) {
        if (i != j) {
          EXPECT_EQ(weight, dense(matrix)(i, j));
        }
      }
    }
  }
}

TEST(Failures, GiveTheWeightToTheReceiverOrToTheSender) {
  const auto schedule = with_failures(fixed(row_stochastic()), {.link = 0.5});
  bool seen = false;
  for (std::uint64_t round = 0; round < 30; ++round) {
    const Eigen::MatrixXd rows = dense(*schedule->at(round, Weights::row));
    const Eigen::MatrixXd columns = dense(*schedule->at(round, Weights::column));
    expect_same_bits(*schedule->at(round), *schedule->at(round, Weights::row));
    // The same links fail under both, in both directions.
    EXPECT_TRUE(((rows.array() > 0) == (columns.array() > 0)).all());
    EXPECT_TRUE(((rows.array() > 0) == (rows.transpose().array() > 0)).all());
    EXPECT_NEAR((rows.rowwise().sum().array() - 1).abs().maxCoeff(), 0, 1e-15);
    EXPECT_NEAR((columns.colwise().sum().array() - 1).abs().maxCoeff(), 0, 1e-15);
    if (rows(0, 1) > 0 || rows(0, 2) == 0) continue;
    seen = true;  // only the link 0 - 1 fails
    EXPECT_DOUBLE_EQ(rows(0, 0), 2.0 / 3);
    EXPECT_DOUBLE_EQ(rows(1, 1), 1.0);
    EXPECT_DOUBLE_EQ(columns(0, 0), 2.0 / 3);
    EXPECT_DOUBLE_EQ(columns(1, 1), 1.0);
    EXPECT_DOUBLE_EQ(columns(2, 0), 1.0 / 3);
  }
  EXPECT_TRUE(seen);
}

TEST(Failures, OfAColumnStochasticScheduleKeepItsColumns) {
  const auto schedule =
      with_failures(fixed(column_weights(row_stochastic().graph())), {.link = 0.5});
  for (std::uint64_t round = 0; round < 30; ++round) {
    EXPECT_TRUE(schedule->at(round)->sums_to_one(Sums::columns));
    expect_same_bits(*schedule->at(round), *schedule->at(round, Weights::column));
  }
}

TEST(Failures, DependOnTheSeedAndTheRoundOnly) {
  const auto matrix = fixed(metropolis_weights(graph_of("complete", 12)));
  const auto schedule = with_failures(matrix, {.link = 0.5, .seed = 3});
  const auto backwards = with_failures(matrix, {.link = 0.5, .seed = 3});
  const auto other = with_failures(matrix, {.link = 0.5, .seed = 4});
  std::vector<std::shared_ptr<const MixingMatrix>> forwards;
  for (std::uint64_t round = 0; round < 10; ++round) forwards.push_back(schedule->at(round));
  for (std::uint64_t round = 10; round-- > 0;) {
    expect_same_bits(*backwards->at(round), *forwards[round]);
    EXPECT_FALSE(dense(*other->at(round)) == dense(*forwards[round]));
    if (round > 0) {
      EXPECT_FALSE(dense(*forwards[round]) == dense(*forwards[round - 1]));
    }
  }
  // The same links fail on another graph that has them.
  const auto ring =
      with_failures(fixed(metropolis_weights(graph_of("ring", 12))), {.link = 0.5, .seed = 3});
  for (AgentId i = 1; i < 12; ++i) {
    EXPECT_EQ(dense(*ring->at(7))(i, i - 1) > 0, dense(*forwards[7])(i, i - 1) > 0);
  }
}

TEST(Failures, OfProbabilityZeroAreNone) {
  const auto schedule = fixed(row_stochastic());
  EXPECT_EQ(with_failures(schedule, {}), schedule);
  EXPECT_TRUE(contains(usage_message([&] { with_failures(schedule, {.link = 1}); }), "[0, 1)"));
  EXPECT_TRUE(contains(usage_message([&] { with_failures(schedule, {.agent = -1}); }), "[0, 1)"));
  EXPECT_TRUE(
      contains(usage_message([&] { with_failures(schedule, {.link = std::nan("")}); }), "[0, 1)"));
}

TEST(Schedule, CanBeAskedByManyThreads) {
  const auto schedule = with_failures(
      lazy(fixed(metropolis_weights(graph_of("watts-strogatz", 30)))), {.link = 0.2, .agent = 0.1});
  std::vector<Eigen::MatrixXd> expected;
  for (std::uint64_t round = 0; round < 20; ++round)
    expected.push_back(dense(*schedule->at(round)));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t step = 0; step < 200; ++step) {
        const std::uint64_t round = (step * (t + 1)) % 20;
        wrong[t] += dense(*schedule->at(round)) == expected[round] ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace echelon

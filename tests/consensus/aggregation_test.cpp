#include "echelon/consensus/aggregation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "consensus/heterogeneous_quadratic.hpp"
#include "part_settings.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

Chosen<AggregationEntry> by(const std::string& rule, const PartSettings& settings = {}) {
  return chosen(aggregation_catalog(), rule, settings);
}

Chosen<AggregationEntry> trimming(double fraction) {
  return {aggregation_catalog(), "trimmed-mean", TrimmedMeanOptions{.trimmed_fraction = fraction}};
}

const std::vector<std::string>& robust_rules() {
  static const std::vector<std::string> rules{"median", "trimmed-mean", "centered-clipping"};
  return rules;
}

/// What becomes of the columns of `answers`, agents dealt round robin.
VectorXd aggregate(const MatrixXd& answers, const Chosen<AggregationEntry>& rule,
                   const std::vector<double>& weights = {}, MPI_Comm comm = MPI_COMM_WORLD) {
  const auto agents = static_cast<AgentId>(answers.cols());
  NetworkLayout layout;
  if (comm == MPI_COMM_WORLD) layout.owner = round_robin(agents);
  Network network(Communicator(comm), schedule_of("complete", agents), layout);
  AgentMatrix block(answers.rows(), network.agents().count());
  block = own_columns(network, answers);
  Aggregator aggregator(network, "s", {answers.rows()}, rule, nullptr);
  return aggregator(block, {.weights = weights, .speaking = weights.empty() ? -1 : 0});
}

/// Small whole numbers with ties, and what NumPy makes of them: numpy.median, and the mean of
/// numpy.sort(...)[k:n-k] for k = 1 and 2. Rows are agents.
struct Table {
  MatrixXd answers;
  VectorXd median, trimmed_by_1, trimmed_by_2;
};

std::vector<Table> numpy_tables() {
  MatrixXd five(5, 3), six(6, 3), ten(10, 3);
  five << 3, -4, -3, -2, -3, 3, 3, 1, -4, -4, -2, -1, 1, 0, -2;
  six << -3, 2, 2, -4, -3, 0, -1, 3, 0, -1, -1, 1, 1, -3, 2, 2, 4, 3;
  ten << -2, -2, 1, 1, 2, 3, -2, 4, -4, -4, 4, 4, -2, -3, -2, -4, 4, 1, 1, -2, 0, -3, 2, 0, -4, -2,
      2, 0, -1, -2;
  const auto vector = [](double a, double b, double c) { return Eigen::Vector3d(a, b, c); };
  return {{five, vector(1, -2, -2), vector(2. / 3, -5. / 3, -2), vector(1, -2, -2)},
          {six, vector(-1, .5, 1.5), vector(-1, .25, 1.25), vector(-1, .5, 1.5)},
          {ten, vector(-2, .5, .5), vector(-2, .625, .375), vector(-13. / 6, .5, 1. / 3)}};
}

TEST(Aggregator, AgreesWithNumPyOnOddAndEvenCountsAndTies) {
  for (const auto& [answers, median, trimmed_by_1, trimmed_by_2] : numpy_tables()) {
    const auto n = static_cast<double>(answers.rows());
    const MatrixXd columns = answers.transpose();
    EXPECT_LE((aggregate(columns, by("median")) - median).cwiseAbs().maxCoeff(), 1e-15) << n;
    EXPECT_LE((aggregate(columns, trimming(1 / n)) - trimmed_by_1).cwiseAbs().maxCoeff(), 1e-15)
        << n;
    EXPECT_LE((aggregate(columns, trimming(2 / n)) - trimmed_by_2).cwiseAbs().maxCoeff(), 1e-15)
        << n;
    EXPECT_LE((aggregate(columns, by("mean")) - columns.rowwise().mean()).cwiseAbs().maxCoeff(),
              1e-15)
        << n;
  }
}

TEST(Aggregator, TrimsPartsOfAnswers) {
  // .25 of 5 answers are cut at each side: of the second and fourth .75 stay.
  MatrixXd answers(1, 5);
  answers << 100, 4, 1, 2, -50;
  const double expected = (0.75 * 1 + 2 + 0.75 * 4) / 2.5;
  EXPECT_NEAR(aggregate(answers, trimming(0.25))(0), expected, 1e-15);
  EXPECT_NEAR(aggregate(answers, trimming(0))(0), answers.mean(), 1e-14);
}

TEST(Aggregator, DoesNotDependOnTheOrderOfAgents) {
  const MatrixXd answers = all_entries(7, 30);
  MatrixXd shuffled(30, 7);
  for (Index i = 0; i < 7; ++i) shuffled.col(i) = answers.col((3 * i + 2) % 7);
  for (const char* const rule : {"median", "trimmed-mean"}) {
    EXPECT_TRUE(same_bits(aggregate(answers, by(rule)), aggregate(shuffled, by(rule)))) << rule;
  }
  const VectorXd difference =
      aggregate(answers, by("centered-clipping")) - aggregate(shuffled, by("centered-clipping"));
  EXPECT_LE(difference.cwiseAbs().maxCoeff(), 1e-15);
}

TEST(Aggregator, CountsAnAnswerOfWeightThreeThreeTimes) {
  const MatrixXd answers = all_entries(5, 12);
  const std::vector<int> times{1, 3, 0, 2, 1};
  MatrixXd repeated(12, 7);
  std::vector<double> weights;
  Index next = 0;
  for (Index i = 0; i < 5; ++i) {
    for (int t = 0; t < times[static_cast<std::size_t>(i)]; ++t) {
      repeated.col(next++) = answers.col(i);
    }
    // So that n w_i adds up to n, as weights that are normalized do.
    weights.push_back(times[static_cast<std::size_t>(i)] * 5.0 / 7);
  }
  for (const char* const rule : {"mean", "median", "trimmed-mean", "centered-clipping"}) {
    const VectorXd difference =
        aggregate(answers, by(rule), weights) - aggregate(repeated, by(rule));
    EXPECT_LE(difference.cwiseAbs().maxCoeff(), 1e-14) << rule;
  }
}

TEST(Aggregator, IsMultipliedByTheSumOfWeightsAndNothingIfNobodyIsHeard) {
  MatrixXd answers = MatrixXd::Constant(9, 4, 3);
  answers.col(2).setConstant(not_a_number);  // a seat without an answer
  for (const char* const rule : {"mean", "median", "trimmed-mean", "centered-clipping"}) {
    const VectorXd doubled = aggregate(answers, by(rule), {4, 3, 0, 1});
    EXPECT_LE((doubled.array() - 6).abs().maxCoeff(), 1e-14) << rule;
    EXPECT_EQ(aggregate(answers, by(rule), {0, 0, 0, 0}), VectorXd::Zero(9)) << rule;
  }
}

TEST(Aggregator, LeavesOutAnswersThatAreNotFinite) {
  MatrixXd answers = all_entries(6, 9000);
  MatrixXd finite(9000, 4);
  finite << answers.leftCols(1), answers.middleCols(2, 3);
  answers(8999, 1) = not_a_number;
  answers(0, 5) = -infinite;
  for (const std::string& rule : robust_rules()) {
    const VectorXd difference = aggregate(answers, by(rule)) - aggregate(finite, by(rule));
    EXPECT_LE(difference.cwiseAbs().maxCoeff(), 1e-14) << rule;
    const MatrixXd none = MatrixXd::Constant(3, 2, infinite);
    EXPECT_TRUE(aggregate(none, by(rule)).array().isNaN().all()) << rule;
  }
  EXPECT_TRUE(std::isnan(aggregate(answers, by("mean"))(8999)));
}

TEST(Aggregator, GivesTheSameBitsOnAnyNumberOfRanks) {
  const MatrixXd answers = all_entries(11, 9001);
  for (const std::string& rule : robust_rules()) {
    for (const std::vector<double>& weights :
         {std::vector<double>{}, std::vector<double>{1, 2, 0.5, 0, 1, 1, 3, 1, 0.1, 1, 1}}) {
      EXPECT_TRUE(same_bits(aggregate(answers, by(rule), weights),
                            aggregate(answers, by(rule), weights, MPI_COMM_SELF)))
          << rule;
    }
  }
}

/// v <- v + 1/n sum (m_i - v) min(1, t / |m_i - v|), part by part.
void clip_densely(VectorXd& center, const MatrixXd& answers, double radius, int rounds) {
  const auto n = static_cast<std::size_t>(answers.cols());
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> distances;
    for (std::size_t i = 0; i < n; ++i) {
      distances.push_back((answers.col(static_cast<Index>(i)) - center).norm());
    }
    std::vector<double> ascending = distances;
    std::sort(ascending.begin(), ascending.end());
    const double t = radius > 0 ? radius : ascending[n / 2];  // n is odd
    VectorXd move = VectorXd::Zero(center.size());
    for (std::size_t i = 0; i < n; ++i) {
      move += std::min(1.0, t / distances[i]) * (answers.col(static_cast<Index>(i)) - center);
    }
    center += move / static_cast<double>(n);
  }
}

TEST(CenteredClipping, FollowsItsFormulaFromCallToCallAndPartByPart) {
  constexpr AgentId agents = 7;
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("complete", agents));
  for (const double radius : {0.0, 0.8}) {
    const Chosen<AggregationEntry> rule(
        aggregation_catalog(), "centered-clipping",
        CenteredClippingOptions{.clipping_radius = radius, .clipping_rounds = 2});
    Aggregator aggregator(network, "s", {5, 12}, rule, nullptr);  // 5 rows, a gap of 3, 12 rows
    VectorXd first = VectorXd::Zero(5), second = VectorXd::Zero(12);
    for (int call = 0; call < 4; ++call) {
      MatrixXd answers = (1 + call) * all_entries(agents, 20);
      answers.middleRows(5, 3).setZero();
      answers.bottomRows(12) *= 10;
      clip_densely(first, answers.topRows(5), radius, 2);
      clip_densely(second, answers.bottomRows(12), radius, 2);
      AgentMatrix block(20, network.agents().count());
      block = own_columns(network, answers);
      const VectorXd& found = aggregator(block);
      EXPECT_LE((found.head(5) - first).cwiseAbs().maxCoeff(), 1e-13) << radius;
      EXPECT_LE((found.tail(12) - second).cwiseAbs().maxCoeff(), 1e-13) << radius;
      EXPECT_EQ(found.segment(5, 3), VectorXd::Zero(3));
    }
  }
}

/// Every column becomes the mean of the `count` nearest ones.
MatrixXd mixed_densely(const MatrixXd& answers, std::size_t count) {
  MatrixXd mixed = MatrixXd::Zero(answers.rows(), answers.cols());
  for (Index i = 0; i < answers.cols(); ++i) {
    std::vector<std::pair<double, Index>> nearest;
    for (Index j = 0; j < answers.cols(); ++j) {
      nearest.emplace_back((answers.col(j) - answers.col(i)).norm(), j);
    }
    std::sort(nearest.begin(), nearest.end());
    for (std::size_t k = 0; k < count; ++k) {
      mixed.col(i) += answers.col(nearest[k].second) / static_cast<double>(count);
    }
  }
  return mixed;
}

TEST(MixingOfTheNearest, ComesBeforeRules) {
  const MatrixXd answers = all_entries(7, 30);
  MatrixXd with_others(30, 9);
  with_others << answers, VectorXd::Constant(30, not_a_number), VectorXd::Constant(30, infinite);
  for (const std::string& rule : robust_rules()) {
    const VectorXd expected = aggregate(mixed_densely(answers, 6), by(rule));
    const auto options = by(rule, {{"mix_nearest", "yes"}});  // 5.6 of 7, so 6
    const VectorXd found = aggregate(answers, options);
    EXPECT_LE((found - expected).cwiseAbs().maxCoeff(), 1e-14) << rule;
    EXPECT_TRUE(same_bits(found, aggregate(answers, options, {}, MPI_COMM_SELF))) << rule;
    EXPECT_LE((aggregate(with_others, options) - found).cwiseAbs().maxCoeff(), 1e-14) << rule;
  }
}

TEST(MixingOfTheNearest, LetsAMedianSeeWhatOneAgentKnows) {
  const MatrixXd answers = MatrixXd::Identity(10, 10);
  EXPECT_EQ(aggregate(answers, by("median")), VectorXd::Zero(10));
  const auto options = by("median", {{"mix_nearest", "yes"}});
  // Each answer of its eight nearest: most have most coordinates, at 1/8.
  EXPECT_GT(aggregate(answers, options).sum(), 10 * 0.125 * 0.5);
}

TEST(Aggregator, SendsWhatAServerWouldSee) {
  constexpr AgentId agents = 6;
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("complete", agents));
  for (const char* const rule : {"mean", "median", "trimmed-mean", "centered-clipping"}) {
    const Traffic before = network.traffic();
    AgentMatrix block = block_of(network, 9);
    Aggregator(network, "s", {9}, by(rule), nullptr)(block);
    std::int64_t sent[] = {network.traffic().messages - before.messages,
                           network.traffic().bytes - before.bytes};
    MPI_Allreduce(MPI_IN_PLACE, sent, 2, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_EQ(sent[0], 2 * (agents - 1)) << rule;
    EXPECT_EQ(sent[1], 2 * (agents - 1) * 9 * 8) << rule;
  }
}

TEST(Aggregator, ServesStrategiesThatGoOnFromTheirState) {
  const HeterogeneousQuadratic problem(20, 7);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", 7));
  for (const StrategyEntry& entry : strategy_catalog()) {
    if (!entry.traits(entry.options).has_server) continue;
    for (const std::string& rule : robust_rules()) {
      const auto strategy =
          chosen(strategy_catalog(), entry.name, {{"aggregation", rule}, {"local_steps", "3"}});
      EXPECT_TRUE(goes_on_from_a_copy(problem, network, strategy, 8))
          << entry.name << " by " << rule;
    }
  }
}

}  // namespace
}  // namespace echelon

#include "echelon/problem/sparse_regression.hpp"

#include <gtest/gtest.h>

#include "data_problem_checks.hpp"
#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

const char* const penalties[] = {"l1", "group", "scad", "mcp"};

SparseRegression make(const std::string& penalty, AgentId agents = 1, std::int64_t groups = 3) {
  return SparseRegression(
      all_agents(agents),
      {.penalty = penalty, .train = 90, .validation = 40, .features = 8, .groups = groups}, 3);
}

double mean_value(const BilevelProblem& problem, Level level, const VectorXd& x,
                  const VectorXd& y) {
  double sum = 0;
  for (int i = 0; i < problem.agents().count(); ++i) {
    sum += problem.value(level, i, Sample::everything(), view(x), view(y));
  }
  return sum / problem.agents().count();
}

TEST(SparseRegression, LowerSolutionIsTheMinimizer) {
  for (const char* penalty : penalties) {
    const SparseRegression problem = make(penalty);
    for (const double weight : {0.05, 0.3, 2.0}) {
      const VectorXd x = VectorXd::Constant(3, std::log(weight)) + random_vector(3, 1, 0.2);
      const VectorXd y = problem.lower_solution(x).value();
      const double least = mean_value(problem, Level::lower, x, y);
      for (std::uint64_t trial = 0; trial < 50; ++trial) {
        for (const double size : {1e-3, 0.1, 2.0}) {
          const VectorXd other = y + random_vector(8, 10 + trial, size);
          EXPECT_GT(mean_value(problem, Level::lower, x, other), least) << penalty << " " << weight;
        }
      }
    }
  }
}

TEST(SparseRegression, LargeWeightsLeaveNothingAndVanishingOnesEverything) {
  for (const char* penalty : penalties) {
    const SparseRegression problem = make(penalty);
    EXPECT_EQ(problem.lower_solution(VectorXd::Constant(3, 5.0)).value().norm(), 0) << penalty;
    const VectorXd free = problem.lower_solution(VectorXd::Constant(3, -50.0)).value();
    EXPECT_GT(free.cwiseAbs().minCoeff(), 0);
    const auto gradients =
        gradients_at(problem, Level::lower, 0, Sample::everything(), VectorXd::Zero(3), free);
    EXPECT_LT(gradients.y.norm(), 1e-12);
  }
}

TEST(SparseRegression, PenaltyMovesWithItsWeightAsItsGradientSays) {
  for (const char* penalty : penalties) {
    const SparseRegression problem = make(penalty);
    const VectorXd x = random_vector(3, 1, 0.5);
    const VectorXd y = random_vector(8, 2, 1.5);
    const VectorXd along = random_vector(3, 3, 1);
    const VectorXd ahead = x + 1e-6 * along;
    const VectorXd behind = x - 1e-6 * along;
    const auto gradients = gradients_at(problem, Level::lower, 0, Sample::everything(), x, y);
    EXPECT_NEAR((mean_value(problem, Level::lower, ahead, y) -
                 mean_value(problem, Level::lower, behind, y)) /
                    2e-6,
                gradients.x.dot(along), 1e-7)
        << penalty;
  }
}

TEST(SparseRegression, MeansOverAgentsAreThoseOfAllSamples) {
  for (const char* penalty : penalties) {
    const SparseRegression one = make(penalty);
    const SparseRegression many = make(penalty, 7);
    const VectorXd x = random_vector(3, 1, 0.5);
    const VectorXd y = random_vector(8, 2, 1);
    for (const Level level : {Level::upper, Level::lower}) {
      EXPECT_NEAR(mean_value(one, level, x, y), mean_value(many, level, x, y), 1e-12);
    }
  }
}

TEST(SparseRegression, MoreGroupsThanFeaturesAreRefused) {
  EXPECT_THROW(make("group", 1, 9), Error);
}

}  // namespace
}  // namespace echelon

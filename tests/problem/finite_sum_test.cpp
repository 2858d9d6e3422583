#include "echelon/problem/finite_sum.hpp"

#include <gtest/gtest.h>

#include "data_problem_checks.hpp"
#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

const FiniteSumOptions published{.instance = "qg-1"};
const FiniteSumOptions small{
    .samples_lower = 23, .samples_upper = 17, .upper_dimension = 3, .lower_dimension = 5};

FiniteSum make(FiniteSumOptions options, AgentId agents, std::int64_t batch = 0) {
  options.batch = batch;
  return {all_agents(agents), options, 5};
}

TEST(FiniteSum, Qg1HasThePublishedSolution) {
  for (const AgentId agents : {1, 3, 16, 20}) {
    const KnownSolution known = make(published, agents).known_solutions(false).front();
    const VectorXd x{{0.823538539331, -0.602393252044, 1.168088539697, -0.440990110776}};
    EXPECT_LT((known.x - x).lpNorm<Eigen::Infinity>(), 1e-12);
    EXPECT_NEAR(known.value, -0.164819601133, 1e-12);
    EXPECT_EQ(known.y.size(), 6);
  }
}

TEST(FiniteSum, MeansDoNotDependOnTheNumberOfAgents) {
  for (const FiniteSumOptions& options : {published, small}) {
    check_same_mean(make(options, 1), make(options, 4), 1e-12);
    check_same_mean(make(options, 1), make(options, 30), 1e-12);  // some have no samples
  }
}

TEST(FiniteSum, AgentsWithoutSamplesHaveZeroFunctions) {
  const FiniteSum problem = make(published, 32, 1);
  const VectorXd x = random_vector(4, 1, 1);
  const VectorXd y = random_vector(6, 2, 1);
  for (const Level level : {Level::upper, Level::lower}) {
    EXPECT_EQ(problem.value(level, 0, {}, view(x), view(y)), 0);
    EXPECT_EQ(gradients_at(problem, level, 0, {}, x, y).y.norm(), 0);
    EXPECT_NE(problem.value(level, 1, {}, view(x), view(y)), 0);
  }
}

TEST(FiniteSum, CallsAgreeWithEachOther) {
  for (const FiniteSumOptions& options : {published, small}) {
    for (const std::int64_t batch : {0, 2}) {
      const FiniteSum problem = make(options, 3, batch);
      const Sample sample{.iteration = 4, .step = 1};
      check_gradients(problem, sample, 1e-7);
      check_points(problem, sample);
      check_products(problem, sample, 1e-8);
    }
    check_unbiased(make(options, 3, 2), 0.2);
    for (const std::int64_t batches : {1, 4, 7, 40}) {
      check_sub_batches(make(options, 3, 1), batches);
    }
  }
}

TEST(FiniteSum, RandomInstancesHaveTheAskedSpectraAndAConvexF) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const FiniteSum problem(all_agents(1), small, seed);
    const KnownSolution known = problem.known_solutions(false).front();
    const VectorXd y = problem.lower_solution(known.x).value();
    EXPECT_LT((y - known.y).norm(), 1e-12);
    const Sample all = Sample::everything();
    for (int trial = 0; trial < 5; ++trial) {
      const auto number = static_cast<std::uint64_t>(trial);
      const VectorXd x = known.x + random_vector(3, number, 0.1);
      const VectorXd response = problem.lower_solution(x).value();
      EXPECT_GT(problem.value(Level::upper, 0, all, view(x), view(response)), known.value);
      // Eigenvalues of H in [.1, 1].
      const VectorXd v = random_vector(5, number, 1);
      VectorXd hv(5);
      problem.product(0, all, {view(x), view(y), view(v), output(hv), Vector(nullptr, 0)});
      EXPECT_GE(v.dot(hv), (0.1 - 1e-12) * v.squaredNorm());
      EXPECT_LE(v.dot(hv), (1 + 1e-12) * v.squaredNorm());
    }
  }
}

TEST(FiniteSum, AnAgentIsTheSameWhereverItLives) {
  const FiniteSum everybody = make(small, 6, 2);
  FiniteSumOptions options = small;
  options.batch = 2;
  const FiniteSum somebody(AgentSet{6, {4}}, options, 5);
  const VectorXd x = random_vector(3, 1, 1);
  const VectorXd y = random_vector(5, 2, 1);
  const Sample sample{.iteration = 9};
  EXPECT_EQ(gradients_at(everybody, Level::lower, 4, sample, x, y).y,
            gradients_at(somebody, Level::lower, 0, sample, x, y).y);
  EXPECT_EQ(everybody.known_solutions(false).front().x, somebody.known_solutions(false).front().x);
  EXPECT_TRUE(everybody.known_solutions(true).empty());
}

TEST(FiniteSum, RefusesFewerSamplesThanUnknowns) {
  FiniteSumOptions options = small;
  options.samples_upper = 4;
  try {
    make(options, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "problem.samples_lower, problem.samples_upper: 23, 4 (fewer than unknowns make the "
              "mean singular); ask for at least 5 each");
  }
}

}  // namespace
}  // namespace echelon

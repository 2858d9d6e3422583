#include "echelon/problem/ridge.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include "data_problem_checks.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

RidgeOptions options_of(const std::string& upper_variable, std::int64_t batch = 0) {
  return {.upper_variable = upper_variable,
          .train = 23,
          .validation = 17,
          .features = 6,
          .outliers = 0.2,
          .batch = batch};
}

const char* const both[] = {"regularization", "data-weights"};

double F(const Ridge& problem, const VectorXd& x) {
  const VectorXd y = problem.lower_solution(x).value();
  return problem.value(Level::upper, 0, Sample::everything(), view(x), view(y));
}

TEST(Ridge, HypergradientIsThatOfF) {
  for (const char* variable : both) {
    const Ridge problem(all_agents(1), options_of(variable), 3);
    const VectorXd x = random_vector(problem.upper_dimension(), 1, 0.5);
    const VectorXd along = random_vector(problem.upper_dimension(), 2, 1);
    const VectorXd y = problem.lower_solution(x).value();
    EXPECT_LT(gradients_at(problem, Level::lower, 0, Sample::everything(), x, y).y.norm(), 1e-12);
    const VectorXd ahead = x + 1e-5 * along;
    const VectorXd behind = x - 1e-5 * along;
    EXPECT_NEAR((F(problem, ahead) - F(problem, behind)) / 2e-5,
                problem.hypergradient(x).dot(along), 1e-8);
  }
}

TEST(Ridge, CallsAgreeWithEachOther) {
  for (const char* variable : both) {
    for (const std::int64_t batch : {0, 3}) {
      const Ridge problem(all_agents(4), options_of(variable, batch), 3);
      const Sample sample{.iteration = 4};
      check_gradients(problem, sample, 1e-7);
      check_points(problem, sample);
      check_products(problem, sample, 1e-7);
    }
    check_unbiased(Ridge(all_agents(4), options_of(variable, 3), 3), 0.2);
    for (const std::int64_t batches : {1, 3, 30}) {
      check_sub_batches(Ridge(all_agents(4), options_of(variable), 3), batches);
    }
    check_same_mean(Ridge(all_agents(1), options_of(variable), 3),
                    Ridge(all_agents(40), options_of(variable), 3), 1e-12);
  }
}

TEST(Ridge, FactorsMakeUpTheHessian) {
  for (const char* variable : both) {
    const Ridge problem(all_agents(40), options_of(variable), 3);  // most have one sample or none
    const VectorXd x = random_vector(problem.upper_dimension(), 1, 0.5);
    const VectorXd y = random_vector(6, 2, 1);
    const VectorXd v = random_vector(6, 3, 1);
    for (int i = 0; i < 40; ++i) {
      const HessianFactors factors = problem.hessian_factors(i, view(x), view(y)).value();
      VectorXd expected = factors.diagonal.cwiseProduct(v);
      if (factors.factors.cols() > 0) {
        expected += factors.factors * (factors.factors.transpose() * v) /
                    static_cast<double>(factors.factors.cols());
      }
      VectorXd hv(6);
      problem.product(i, Sample::everything(),
                      {view(x), view(y), view(v), output(hv), Vector(nullptr, 0)});
      EXPECT_LT((hv - expected).norm(), 1e-12 * expected.norm());
    }
  }
}

TEST(Ridge, DescentLearnsWhatMatters) {
  const Ridge regularized(all_agents(1), {.features = 10}, 3);
  VectorXd x = VectorXd::Zero(10);
  for (int k = 0; k < 4000; ++k) x -= 0.5 * regularized.hypergradient(x);
  EXPECT_LT(regularized.hypergradient(x).norm(), 1.5e-3);
  EXPECT_GT(x.tail(5).minCoeff(), x.head(5).minCoeff());
  EXPECT_LT(F(regularized, x), F(regularized, VectorXd::Zero(10)));

  const Ridge weighted(all_agents(1), {.upper_variable = "data-weights", .outliers = 0.3}, 3);
  VectorXd weights = VectorXd::Zero(100);
  for (int k = 0; k < 500; ++k) weights -= 20 * weighted.hypergradient(weights);
  EXPECT_LT(F(weighted, weights), 0.7 * F(weighted, VectorXd::Zero(100)));
}

TEST(Ridge, AnAgentIsTheSameWhereverItLives) {
  const Ridge everybody(all_agents(5), options_of("data-weights", 2), 3);
  const Ridge somebody(AgentSet{5, {3}}, options_of("data-weights", 2), 3);
  const VectorXd x = random_vector(23, 1, 1);
  const VectorXd y = random_vector(6, 2, 1);
  const Sample sample{.iteration = 9};
  EXPECT_EQ(gradients_at(everybody, Level::lower, 3, sample, x, y).x,
            gradients_at(somebody, Level::lower, 0, sample, x, y).x);
}

}  // namespace
}  // namespace echelon

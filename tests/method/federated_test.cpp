// Methods made for rounds of local steps, agents that keep their last directions, and lower levels
// with a ridge.

#include <gtest/gtest.h>

#include <cmath>

#include "answers.hpp"
#include "echelon/core/catalog.hpp"

namespace echelon {
namespace {

using namespace testing_support;

/// het-1 on eight agents; its answer is known.
Settings differing_agents(const std::string& name, std::int64_t iterations) {
  return method(name, iterations) + Settings{{"problem.name", "log-cosh"},
                                             {"network.agents", "8"},
                                             {"consensus.strategy", "all-reduce"},
                                             {"metrics.every", "1000000"}};
}

TEST(FedMsa, IsExactHoweverManyLocalStepsARoundHas) {
  for (const char* const steps : {"1", "2", "5"}) {
    EXPECT_LT(error_of(differing_agents("fedmsa", 3000) +
                       Settings{{"method.local_steps", steps}, {"method.products", "exact"}}),
              1e-10)
        << steps;
  }
}

TEST(FedMsa, TakesFewerRoundsWithLocalSteps) {
  const Settings few = differing_agents("fedmsa", 100);
  EXPECT_LT(error_of(few + Settings{{"method.local_steps", "5"}}),
            0.1 * error_of(few + Settings{{"method.local_steps", "1"}}));
}

TEST(FedNest, IsExactUpToTheTermsOfItsSeries) {
  for (const char* const upper : {"1", "3"}) {
    const Settings settings =
        differing_agents("fednest", 1500) + Settings{{"method.upper_local_steps", upper},
                                                     {"method.alpha", "0.05"},
                                                     {"method.products", "exact"}};
    EXPECT_LT(error_of(settings + Settings{{"method.solver_steps", "80"}}), 1e-10) << upper;
    EXPECT_GT(error_of(settings + Settings{{"method.solver_steps", "3"}}), 1e-3) << upper;
  }
}

TEST(FedNest, GoesOnFromTheSamePointUnderStorm) {
  const Settings settings =
      differing_agents("fednest", 1500) + Settings{{"method.upper_local_steps", "3"},
                                                   {"method.alpha", "0.05"},
                                                   {"method.solver_steps", "80"},
                                                   {"estimator.name", "storm"}};
  EXPECT_LT(error_of(settings), 1e-7);
}

TEST(Duet, IsExactForLowerLevelsOfTheAgentsOwn) {
  const Settings alone{
      {"run.preset", "duet"},      {"problem.name", "quadratic"}, {"network.agents", "8"},
      {"run.iterations", "20000"}, {"problem.tikhonov", "0"},     {"metrics.every", "1000000"},
      {"method.alpha", "0.02"},    {"method.beta", "0.1"},        {"method.gamma", "0.1"}};
  EXPECT_LT(error_of(alone), 1e-8);
  EXPECT_GT(
      error_of(alone + Settings{{"problem.tikhonov", "0.1"}, {"problem.tikhonov_decay", "0"}}),
      1e-3);
}

// g = y_1^2 / 2 - x y_1 with mu |y|^2 / 2: y_1 = a x, a = 1 / (1 + mu), y_2 = 0, so that
// F = x^2 / 2 + (a x - 1)^2 / 2.
TEST(Tikhonov, MovesTheAnswerToThatOfTheRegularizedLowerLevel) {
  const double a = 1 / 1.5;
  for (const char* const name : {"soba", "aid-cg", "f2sa-p"}) {
    Settings settings = instance("lls") + method(name, 4000) +
                        Settings{{"problem.tikhonov", "0.5"}, {"problem.tikhonov_decay", "0"}};
    if (std::string(name) == "f2sa-p") settings["method.nu"] = "1e-3";
    const Ending end = end_of(settings);
    EXPECT_NEAR(end.x(0), a / (1 + a * a), 1e-5) << name;
    EXPECT_NEAR(end.y(0), a * end.x(0), 1e-5) << name;
    EXPECT_NEAR(end.y(1), 0, 1e-5) << name;
  }
}

TEST(Tikhonov, ForwardDifferencesStartFromTheGradientWithoutIt) {
  const Settings settings = instance("lls") + method("soba", 4000) +
                            Settings{{"problem.tikhonov", "0.5"}, {"problem.tikhonov_decay", "0"}};
  const double central = end_of(settings).x(0);
  EXPECT_NEAR(end_of(settings + Settings{{"method.difference", "forward"}}).x(0), central, 1e-6);
}

TEST(Tikhonov, VanishesWithIterations) {
  const Settings settings = instance("lls") + method("aid-cg", 20000) +
                            Settings{{"problem.tikhonov", "0.5"}, {"problem.tikhonov_decay", "1"}};
  const Ending end = end_of(settings);
  EXPECT_NEAR(end.x(0), 0.5, 1e-3);
  EXPECT_NEAR(end.y(0), 0.5, 1e-3);
}

TEST(Tikhonov, IsRefusedWhereTheProblemInvertsItsOwnHessian) {
  EXPECT_NE(refusal(problem_for(find_entry(method_catalog(), "aid-woodfisher", "method")) +
                    method("aid-woodfisher", 1) + Settings{{"problem.tikhonov", "0.5"}})
                .find("choose cg"),
            std::string::npos);
}

Settings sldbo(const std::string& preset) {
  return {{"run.preset", preset},       {"problem.name", "log-cosh"}, {"network.agents", "8"},
          {"network.topology", "ring"}, {"run.iterations", "8000"},   {"metrics.every", "1000000"}};
}

TEST(S3ldbo, EndsWhereSldboDoesWithHalfOfTheCalls) {
  const auto every = run(sldbo("sldbo"));
  const auto half = run(sldbo("s3ldbo"));
  EXPECT_LT(half.at("distance_to_solution"), 1e-10);
  EXPECT_NEAR(half.at("gradient_calls") / every.at("gradient_calls"), 0.5, 0.02);
  EXPECT_NEAR(half.at("product_calls") / every.at("product_calls"), 0.5, 0.02);
}

TEST(Reuse, IsRefusedWhereDirectionsContainAverages) {
  EXPECT_NE(refusal(differing_agents("aid-cg", 1) + Settings{{"estimator.name", "reuse"}})
                .find("all have to make the call"),
            std::string::npos);
}

/// p-q with one dimension: H = 2, x* = 2 / 3, so that a step of 1/2 solves the lower level.
Settings cutting_planes(int agents, const std::string& inner_step) {
  return method("adbo", 40000) + Settings{{"problem.name", "p-q"},
                                          {"problem.dimension", "1"},
                                          {"network.agents", std::to_string(agents)},
                                          {"metrics.every", "1000000"},
                                          {"method.proximity", "0"},
                                          {"method.inner_step", inner_step},
                                          {"method.plane_period", "100"},
                                          {"method.planes", "400"},
                                          {"method.alpha_server", "0.002"},
                                          {"method.multiplier_decay", "0"},
                                          {"method.dual_decay", "0"}};
}

TEST(Adbo, EndsAtTheSolutionWhereOneStepSolvesTheLowerLevel) {
  EXPECT_LT(error_of(cutting_planes(6, "0.5") + Settings{{"consensus.strategy", "all-reduce"}}),
            3e-3);
  EXPECT_LT(
      error_of(cutting_planes(6, "0.5") + Settings{{"consensus.strategy", "stale-server"},
                                                   {"participation.policy", "bounded-staleness"},
                                                   {"participation.wait_for", "3"},
                                                   {"participation.staleness", "10"},
                                                   {"participation.compute_seconds", "0.03"},
                                                   {"participation.compute_sigma", "1"}}),
      3e-3);
}

TEST(Adbo, IsBiasedWhereItDoesNot) {
  EXPECT_GT(error_of(cutting_planes(6, "1") + Settings{{"consensus.strategy", "all-reduce"}}), 0.1);
}

}  // namespace
}  // namespace echelon

// Methods that bound the lower level by a constraint, or smooth it by a Moreau envelope, against
// known answers: where they end, how far their bias reaches, and how they fail.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "echelon/core/error.hpp"
#include "echelon/problem/sparse_regression.hpp"
#include "method/answers.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const Settings exact = exactly();
const Settings p_q = exact + Settings{{"problem.name", "p-q"}};
const Settings constant_steps{{"method.upper_decay", "0"}, {"method.lower_decay", "0"}};

Settings x_step(const std::string& alpha) {
  return {{"method.alpha", alpha}};
}

Settings lower_steps(const std::string& step) {
  return {{"method.beta", step}, {"method.gamma", step}};
}

/// Agents that differ, around a ring of 8.
const Settings ring{{"problem.name", "p-q"},
                    {"problem.heterogeneity", "0.5"},
                    {"network.agents", "8"},
                    {"metrics.every", "1000000"}};

double distance(const Ending& a, const Ending& b) {
  return std::hypot((a.x - b.x).norm(), (a.y - b.y).norm());
}

/// Distance between the ends with gt-atc and with all-reduce.
double gap(const Settings& settings) {
  const Ending tracked = end_of(settings + Settings{{"consensus.strategy", "gt-atc"}});
  const Ending averaged = end_of(settings + Settings{{"consensus.strategy", "all-reduce"}});
  return distance(tracked, averaged);
}

double slope(double bias_1, double error_1, double bias_2, double error_2) {
  return std::log(error_1 / error_2) / std::log(bias_1 / bias_2);
}

// P-Q: the published rows, with figures to 2 %
// ------------------------------------------------------------------------------------------------

struct Row {
  const char* what;
  Settings settings;
  double upper_value, residual, error, gradients;
};

TEST(PQ, RowsOfTheReferenceRun) {
  const Row rows[] = {
      {"meha", method("meha", 20000), 2.31178, 1.4e-2, 6.5e-3, 1.2e5},
      {"pgd-cqa QP2", method("pgd-cqa", 20000) + Settings{{"method.horizon", "20000"}}, 2.25799,
       4.9e-2, 2.6e-2, 8e4},
      {"pgd-cqa QP1",
       method("pgd-cqa", 200000) + Settings{{"method.mode", "QP1"}, {"method.horizon", "200000"}},
       2.23913, 6.2e-2, 3.3e-2, 8e5},
      {"bome", method("bome", 5000) + constant_steps, 2.18515, 1.1e-1, 5.6e-2, 6.5e4},
      {"decaying bome", method("bome", 5000), 2.31133, 1.5e-2, 1.8e-2, 6.5e4},
  };
  for (const Row& row : rows) {
    const auto last = run(p_q + row.settings);
    EXPECT_NEAR(last.at("upper_value"), row.upper_value, 2e-5) << row.what;
    // Printed with two digits.
    EXPECT_NEAR(last.at("lower_gradient_norm"), row.residual, 0.05 * row.residual) << row.what;
    EXPECT_NEAR(last.at("distance_to_solution"), row.error, 0.03 * row.error) << row.what;
    EXPECT_NEAR(last.at("gradient_calls"), row.gradients, 5) << row.what;
  }
}

TEST(PQ, FurtherSettings) {
  const auto near = [](const char* what, const Settings& settings, double error, double tolerance) {
    EXPECT_NEAR(error_of(p_q + settings), error, tolerance * error) << what;
  };
  const Settings bome = method("bome", 5000);
  near("phi = value", bome + constant_steps + Settings{{"method.phi", "value"}}, 5.5e-2, 0.02);
  near("decaying, longer", method("bome", 50000), 1.5e-2, 0.03);
  near("eta .9",
       method("bome", 20000) + constant_steps +
           Settings{{"method.alpha", ".01"},
                    {"method.beta", ".01"},
                    {"method.eta", ".9"},
                    {"method.inner_steps", "50"}},
       9.6e-3, 0.02);
  near("meha p .25", method("meha", 20000) + Settings{{"method.lambda_exponent", "0.25"}}, 6.1e-2,
       0.02);
  near("pgd-cqa QP1",
       method("pgd-cqa", 20000) + Settings{{"method.mode", "QP1"}, {"method.horizon", "20000"}},
       7.0e-2, 0.02);
  near("rxgf", method("rxgf", 20000) + x_step("1"), 5.24e-2, 0.02);
  near("sqcqp", method("sqcqp", 500), 5.24e-2, 0.02);
  EXPECT_LT(error_of(p_q + method("moreau", 20000) + x_step(".1")), 2e-2);
}

TEST(PQ, BiasLaws) {
  std::map<double, double> moreau, sqcqp, rxgf;
  for (const double bias : {0.1, 0.03}) {
    const std::string number = number_text(bias);
    moreau[bias] =
        error_of(p_q + method("moreau", 20000) + x_step(".1") + Settings{{"method.mu", number}});
    sqcqp[bias] = error_of(p_q + method("sqcqp", 2000) + Settings{{"method.epsilon", number}});
    rxgf[bias] = error_of(p_q + method("rxgf", 40000) + x_step("1") +
                          Settings{{"method.gamma", ".003"}, {"method.epsilon", number}});
  }
  EXPECT_NEAR(slope(.1, moreau[.1], .03, moreau[.03]), 1, 0.25);
  EXPECT_NEAR(slope(.1, sqcqp[.1], .03, sqcqp[.03]), 1, 0.15);
  EXPECT_NEAR(slope(.1, rxgf[.1], .03, rxgf[.03]), 1, 0.15);
}

TEST(PQ, HeavyBallAndCarriedInnerIteratesEndNearTheSameAnswer) {
  const Settings bome = p_q + method("bome", 5000);
  const double plain = error_of(bome);
  EXPECT_LT(error_of(bome + Settings{{"method.momentum", "0.9"},
                                     {"method.alpha", ".005"},
                                     {"method.beta", ".005"}}),
            2 * plain);
  EXPECT_LT(error_of(bome + Settings{{"method.carry", "yes"}}), plain);  // yhat is nearer to y*(x)
}

TEST(PQ, BomeStallsWhereInnerStepsHardlyMove) {
  EXPECT_GT(
      error_of(p_q + method("bome", 5000) + constant_steps + Settings{{"method.gamma", ".05"}}),
      0.3);
}

TEST(PQ, ZeroMeanPerturbationsDoNotMoveAllReduce) {
  for (const char* name : {"bome", "meha", "moreau", "pgd-cqa", "rxgf", "sqcqp"}) {
    const Settings base = p_q + method(name, 300);
    const Ending one = end_of(base);
    const Ending many =
        end_of(base + Settings{{"network.agents", "5"}, {"problem.heterogeneity", "1"}});
    EXPECT_LT((one.x - many.x).norm(), 1e-7 * one.x.norm()) << name;
    EXPECT_LT((one.y - many.y).norm(), 1e-7 * one.y.norm()) << name;
  }
}

// Problems beyond strong convexity
// ------------------------------------------------------------------------------------------------

TEST(Pbgd, EachStartEndsAtItsOwnMinimum) {
  const double minima[] = {0.3823600747669884, 1.2151454754759206, 2.8296418000222125};
  for (int start = 0; start < 3; ++start) {
    const auto error = [&](const Settings& settings) {
      return std::abs(end_of(instance("pbgd", start) + settings).x(0) - minima[start]);
    };
    EXPECT_LT(error(method("pgd-cqa", 5000)), 1e-9) << start;
    EXPECT_LT(error(method("pgd-cqa", 10000)), 1e-9) << start;  // and it stays
    EXPECT_LT(error(method("meha", 10000) + x_step(".05") + lower_steps(".05")), 3e-3) << start;
    EXPECT_LT(error(method("bome", 5000) + Settings{{"method.gamma", ".1"}}), 5e-3) << start;
    EXPECT_LT(error(method("moreau", 20000) + x_step(".1") + lower_steps(".05")), 5e-3) << start;
    EXPECT_LT(error(method("sqcqp", 1000) + Settings{{"method.epsilon", ".01"}}), 5e-3) << start;
  }
}

TEST(ManyMinimizers, TheBestForTheUpperLevelIsFound) {
  for (const auto& [name, tolerance] :
       std::map<std::string, double>{{"lls", 1e-5}, {"merely-convex", 1e-4}}) {
    for (const Settings& settings :
         {method("bome", 5000), method("meha", 30000), method("moreau", 50000) + x_step(".1"),
          method("pgd-cqa", 5000)}) {
      const Ending end = end_of(instance(name) + settings);
      EXPECT_LT((end.x.array() - 1).matrix().norm(), tolerance)
          << name << " " << settings.at("method.name");
      EXPECT_LT((end.y.array() - 1).matrix().norm(), tolerance);
    }
  }
}

TEST(Coreset, AllStarts) {
  for (int start = 0; start < 3; ++start) {
    const double f = run(instance("coreset", start) + method("bome", 5000) + constant_steps +
                         Settings{{"method.gamma", ".05"}})
                         .at("upper_value");
    EXPECT_NEAR(f, 0.72, 1.2e-2) << start;
    EXPECT_LT(f, 0.715);  // floats below
  }
  EXPECT_NEAR(run(instance("coreset") + method("sqcqp", 2000) + Settings{{"method.epsilon", ".01"}})
                  .at("upper_value"),
              0.72, 1e-2);
}

TEST(MinMax, StepsDoNotCycle) {
  EXPECT_LT(error_of(instance("min-max") + method("bome", 2000)), 1e-3);
  EXPECT_LT(error_of(instance("min-max") + method("pgd-cqa", 5000)), 1e-3);
}

TEST(Sine, MehaReachesTheGlobalOptimumFromAllStarts) {
  for (int start = 0; start < 3; ++start) {
    const Ending end = end_of(instance("sine", start) + method("meha", 60000) + x_step(".05") +
                              lower_steps(".05") + Settings{{"method.smoothing", ".4"}});
    EXPECT_NEAR(end.x(0), 3 * std::numbers::pi / 4, 1e-2) << start;
    EXPECT_NEAR(end.y(0), 2 + 3 * std::numbers::pi / 4, 1e-2) << start;
  }
}

TEST(Sine, StationarityAloneMayBeAMaximizerWhichTheSafeguardLeaves) {
  constexpr double pi = std::numbers::pi;
  const Settings settings = instance("sine", 2) + method("pgd-cqa", 5000) + x_step("1") +
                            Settings{{"method.gamma", ".02"}};
  const Ending without = end_of(settings);
  EXPECT_NEAR(without.x(0), pi / 4, 1e-4);
  EXPECT_NEAR(without.y(0), 2 + pi / 4, 1e-4);
  const Ending with = end_of(settings + Settings{{"method.safeguard", "yes"}});
  EXPECT_NEAR(with.x(0), 3 * pi / 4, 1e-6);
  EXPECT_NEAR(with.y(0), 2 + 3 * pi / 4, 1e-6);
  for (const Settings& other : {method("rxgf", 5000) + x_step("1"), method("sqcqp", 1000)}) {
    EXPECT_GT(error_of(instance("sine", 2) + other), 1.5);
    EXPECT_LT(error_of(instance("sine", 2) + other + Settings{{"method.safeguard", "yes"}}), 0.06)
        << other.at("method.name");
  }
}

TEST(Sine, PowerStepsFindNegativeCurvatureAmongManyUnknowns) {
  const Settings settings = instance("sine", 2) + method("pgd-cqa", 5000) +
                            Settings{{"problem.dimension", "40"}, {"method.gamma", ".005"}};
  const auto largest_sine = [](const Ending& end) {
    return (end.x(0) + end.y.array() - 2).sin().maxCoeff();
  };
  EXPECT_GT(largest_sine(end_of(settings)), 0.9);
  EXPECT_LT(largest_sine(end_of(settings + Settings{{"method.safeguard", "yes"}})), -0.5);
}

TEST(Sine, StationaryBranchesKeepTheirOwnUpperValue) {
  const double values[] = {70.25844, 15.51689};
  for (int start = 0; start < 2; ++start) {
    EXPECT_NEAR(run(instance("sine", start) + method("pgd-cqa", 5000)).at("upper_value"),
                values[start], 1e-4);
  }
}

TEST(Lasso, MehaTakesTheProximalMap) {
  const Ending end =
      end_of(instance("lasso") + method("meha", 30000) + Settings{{"method.lambda", "20"}});
  VectorXd solution = VectorXd::Zero(20);
  solution.tail(10).setConstant(-1.0 / 20);
  EXPECT_LT((end.y - solution).norm(), 5e-3);
}

TEST(SparseRegression, MehaFindsTheBestWeightForEveryPenalty) {
  for (const char* penalty : {"l1", "group", "scad", "mcp"}) {
    const SparseRegressionOptions options{
        .penalty = penalty, .train = 25, .groups = 1, .label_noise = 1, .start_weight = 0.2};
    const SparseRegression problem(AgentSet{1, {0}}, options, 4);
    const auto F = [&](double log_weight) {
      const VectorXd x = VectorXd::Constant(1, log_weight);
      const VectorXd y = problem.lower_solution(x).value();
      return problem.value(Level::upper, 0, Sample::everything(), ConstVector(x.data(), 1),
                           ConstVector(y.data(), y.size()));
    };
    const double start = F(std::log(options.start_weight));
    double best = start;
    for (double log_weight = -6; log_weight < 1; log_weight += 0.05) {
      best = std::min(best, F(log_weight));
    }
    EXPECT_LT(best, start - 1e-3) << penalty;
    const Ending end = end_of(exact + method("meha", 40000) + x_step("1") +
                              Settings{{"run.seed", "4"},
                                       {"problem.name", "sparse-regression"},
                                       {"problem.penalty", penalty},
                                       {"problem.train", "25"},
                                       {"problem.groups", "1"},
                                       {"problem.label_noise", "1"},
                                       {"problem.start_weight", "0.2"}});
    EXPECT_LT(F(end.x(0)), best + 2e-4) << penalty;
  }
}

TEST(SparseRegression, MehaOnARingApproachesTheAnswerOfExactMeans) {
  for (const char* penalty : {"l1", "group"}) {
    const Settings problem{{"problem.name", "sparse-regression"},
                           {"problem.penalty", penalty},
                           {"network.agents", "8"},
                           {"metrics.every", "1000000"}};
    const double early = gap(problem + method("meha", 4000) + x_step("1"));
    EXPECT_LT(early, 1e-2) << penalty;
    EXPECT_LT(gap(problem + method("meha", 32000) + x_step("1")), 0.5 * early) << penalty;
  }
}

TEST(Bounds, AnActiveBoundOfTheLowerLevelIsPartOfItsSolution) {
  // y*(x) = 1 is clamped there, with grad_y g = -1.4.
  for (const auto& [name, tolerance] : std::map<std::string, double>{{"bome", 1e-8},
                                                                     {"meha", 1e-4},
                                                                     {"moreau", 1e-4},
                                                                     {"pgd-cqa", 1e-8},
                                                                     {"rxgf", 1e-8},
                                                                     {"sqcqp", 1e-8}}) {
    const Ending end = end_of(instance("bard98-02") + method(name, 10000) +
                              (name == "moreau" ? x_step(".1") : Settings{}));
    EXPECT_LT((end.x - VectorXd{{0.8, 0.2}}).norm(), tolerance) << name;
    EXPECT_NEAR(end.y(0), 1, tolerance) << name;
  }
}

// The response of y bends with the surface of the ball, and with it what is left of dq along it.
TEST(Bounds, ABallBendsTheResponseOfTheLowerLevel) {
  for (const char* name : {"ball", "two-balls"}) {
    for (const auto& [method_name, tolerance] : std::map<std::string, double>{
             {"bome", 1e-3}, {"meha", 2e-2}, {"moreau", 2e-2}, {"pgd-cqa", 1e-5}}) {
      EXPECT_LT(error_of(instance(name) + method(method_name, 10000) +
                         (method_name == "moreau" ? x_step(".1") : Settings{})),
                tolerance)
          << name << " " << method_name;
    }
  }
}

// Weights in the simplex, two of which end at 0: what the projection of x takes away from a step is
// no progress of the lower level, and y has to make up for it.
TEST(Bounds, AnUpperLevelHeldByItsSetLeavesTheLowerLevelSolved) {
  const Settings of_bome{{"method.alpha", "0.01"}, {"method.beta", "0.01"}};
  const std::map<std::string, std::pair<Settings, double>> residuals{
      {"bome", {of_bome, 1e-2}},
      {"pgd-cqa", {{{"method.gamma", "0.001"}}, 1e-2}},
      {"rxgf", {{}, 0.11}},
      {"sqcqp", {{}, 0.11}}};
  for (const auto& [name, expected] : residuals) {
    const auto last = run(instance("simplex-weights") + method(name, 20000) + expected.first);
    EXPECT_LT(last.at("distance_to_solution"), 2e-2) << name;
    EXPECT_LT(last.at("lower_gradient_norm"), expected.second) << name;
  }
}

TEST(Start, RxgfMayBeginAtALowerSolution) {
  const Settings settings =
      instance("coreset", 1) + method("rxgf", 1) + Settings{{"method.gamma", "0"}};
  EXPECT_GT(run(settings).at("lower_gradient_norm"), 1);
  EXPECT_LT(
      run(settings + Settings{{"method.start_tolerance", "1e-3"}, {"method.lower_step", "0.2"}})
          .at("lower_gradient_norm"),
      1e-3);
}

// Agents that differ, around a ring of 8
// ------------------------------------------------------------------------------------------------

TEST(Estimators, StandBetweenTheOraclesAndTheMeans) {
  for (const char* name : {"bome", "meha", "moreau", "pgd-cqa", "rxgf"}) {
    const Settings base = p_q + method(name, 200);
    const Ending plain = end_of(base);
    // Without noise, STORM's correction is exact.
    const Ending storm = end_of(base + Settings{{"estimator.name", "storm"}});
    EXPECT_LT((storm.x - plain.x).norm(), 1e-6) << name;
    const Ending momentum = end_of(base + Settings{{"estimator.name", "momentum"}});
    EXPECT_GT((momentum.x - plain.x).norm(), 1e-6) << name;
  }
}

TEST(Ring, TrackedMeansEndAtTheAnswerOfExactOnes) {
  EXPECT_LT(gap(ring + method("meha", 5000)), 1e-6);
  EXPECT_LT(gap(ring + method("moreau", 5000) + x_step(".1")), 1e-6);
  EXPECT_LT(gap(ring + method("bome", 5000)), 1e-6);
  EXPECT_LT(gap(ring + method("rxgf", 5000) + x_step("1")), 1e-6);
}

// At an active constraint pgd-cqa ends in a cycle of two points, with tracked means in the same.
TEST(Ring, TrackedMeansEndInTheCycleOfExactOnes) {
  for (const char* gamma : {".01", ".003"}) {
    const Settings pgd_cqa = ring + method("pgd-cqa", 20000) + Settings{{"method.gamma", gamma}};
    const Ending tracked = end_of(pgd_cqa + Settings{{"consensus.strategy", "gt-atc"}});
    double nearest = 1;
    for (const char* iterations : {"20000", "20001"}) {
      const Ending averaged = end_of(
          pgd_cqa + Settings{{"consensus.strategy", "all-reduce"}, {"run.iterations", iterations}});
      nearest = std::min(nearest, distance(tracked, averaged));
    }
    EXPECT_LT(nearest, 1e-6) << gamma;
  }
}

TEST(Ring, TheLineSearchDecidesByExactMeans) {
  // Its steps are as long as it allows, so iterates do not settle, and tracked means would lag.
  EXPECT_LT(gap(ring + method("sqcqp", 2000)), 1e-14);
}

TEST(Ring, ThePersonalLowerLevelIsServedByMethodsThatAreLinearInMeans) {
  const Settings personal = ring + x_step("1") +
                            Settings{{"problem.name", "quadratic"},
                                     {"problem.heterogeneity", "1"},
                                     {"problem.condition", "2"},
                                     {"consensus.strategy", "gt-atc"},
                                     {"consensus.y", "none"}};
  const auto moreau = [&](const char* mu) {
    return error_of(personal + method("moreau", 20000) + Settings{{"method.mu", mu}});
  };
  EXPECT_NEAR(slope(.01, moreau(".01"), .003, moreau(".003")), 1, 0.25);
  const auto meha = [&](const char* lambda) {
    return error_of(personal + method("meha", 20000) + Settings{{"method.lambda", lambda}});
  };
  EXPECT_NEAR(slope(10, meha("10"), 2, meha("2")), -1, 0.25);
  for (const char* name : {"bome", "pgd-cqa", "rxgf", "sqcqp"}) {
    EXPECT_THROW(run(ring + Settings{{"consensus.y", "none"}} + method(name, 1)), Error) << name;
  }
}

TEST(Ranks, DecideAlike) {
  const Settings agents = instance("sine", 2) + Settings{{"network.agents", "3"},
                                                         {"problem.heterogeneity", "0.1"},
                                                         {"consensus.strategy", "gt-atc"}};
  for (const Settings& settings :
       {method("pgd-cqa", 400), method("sqcqp", 120),
        method("rxgf", 60) + Settings{{"method.start_tolerance", "1e-3"}},
        method("bome", 60) + Settings{{"method.momentum", "0.5"}, {"method.phi", "value"}}}) {
    Settings wanted = agents + settings;
    if (settings.at("method.name") != "bome") wanted["method.safeguard"] = "yes";
    const Ending together = end_of(wanted);
    const Ending alone = end_of(wanted, MPI_COMM_SELF);
    EXPECT_EQ(together.x, alone.x) << settings.at("method.name");
    EXPECT_EQ(together.y, alone.y);
  }
}

TEST(Refusals, WhatAMethodCannotDo) {
  // yhat restarts at y, which two-point strategies cannot follow.
  const Settings extra = ring + method("bome", 5) + Settings{{"consensus.auxiliary", "extra"}};
  EXPECT_THROW(run(extra), Error);
  EXPECT_NO_THROW(run(extra + Settings{{"method.carry", "yes"}}));
  EXPECT_THROW(run(instance("lasso") + method("bome", 1)), Error);
  EXPECT_THROW(run(ring + method("meha", 1) + Settings{{"method.lambda_exponent", "0.5"}}), Error);
  EXPECT_THROW(run(ring + method("meha", 1) + Settings{{"method.smoothing", "0"}}), Error);
  EXPECT_THROW(run(ring + method("bome", 1) + Settings{{"method.inner_steps", "0"}}), Error);
  EXPECT_THROW(run(ring + method("bome", 1) + Settings{{"method.phi", "both"}}), Error);
  EXPECT_THROW(run(ring + method("moreau", 1) + Settings{{"method.mu", "0"}}), Error);
  EXPECT_THROW(run(ring + method("pgd-cqa", 1) + Settings{{"method.mode", "QP3"}}), Error);
  EXPECT_THROW(run(ring + method("pgd-cqa", 1) + Settings{{"method.horizon", "-1"}}), Error);
  EXPECT_THROW(run(ring + method("rxgf", 1) + Settings{{"method.epsilon", "-1"}}), Error);
  EXPECT_THROW(run(ring + method("sqcqp", 1) + Settings{{"method.weight", "0"}}), Error);
  EXPECT_THROW(run(ring + method("sqcqp", 1) + Settings{{"method.alpha", "2"}}), Error);
}

}  // namespace
}  // namespace echelon

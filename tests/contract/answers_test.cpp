// Compositions against answers that are known in closed form.

#include <gtest/gtest.h>

#include <cmath>

#include "compositions.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const Settings p_q{
    {"problem.name", "p-q"}, {"consensus.strategy", "all-reduce"}, {"metrics.every", "100000"}};

TEST(PQ, SobaByDifferencesReachesTheSolution) {
  for (const char* method : {"soba", "hjfbio"}) {
    for (const char* agents : {"1", "5"}) {
      const auto last = run(p_q + Settings{{"method.name", method},
                                           {"network.agents", agents},
                                           {"run.iterations", "600"}});
      EXPECT_LT(last.at("distance_to_solution"), 1e-7) << method;
      EXPECT_NEAR(last.at("upper_value"), 2.331752806, 1e-7);
    }
  }
}

TEST(PQ, GradientsStayAtFourPerIteration) {
  const auto last =
      run(p_q +
          Settings{{"method.name", "hjfbio"}, {"network.agents", "1"}, {"run.iterations", "400"}});
  EXPECT_LE(last.at("gradient_calls"), 1600);
  EXPECT_GE(last.at("gradient_calls"), 1590);  // a product with v = 0 is free
  EXPECT_LT(last.at("distance_to_solution"), 1e-7);
}

TEST(PQ, PenaltyBiasIsTheOneOfTheory) {
  const Settings f2ba =
      p_q + Settings{{"method.name", "f2ba"}, {"network.agents", "4"}, {"run.iterations", "400"}};
  std::map<double, double> error;
  for (const double lambda : {10.0, 100.0, 1000.0}) {
    error[lambda] =
        run(f2ba + Settings{{"method.lambda", number_text(lambda)}}).at("distance_to_solution");
  }
  EXPECT_GT(error[100], 7e-3);
  EXPECT_LT(error[100], 8e-3);
  EXPECT_NEAR(std::log10(error[10] / error[100]), 1, 0.05);
  EXPECT_NEAR(std::log10(error[100] / error[1000]), 1, 0.05);
  const double richardson =
      run(f2ba + Settings{{"method.richardson", "yes"}}).at("distance_to_solution");
  EXPECT_LT(richardson, error[100] / 10);
}

TEST(PQ, PenaltyReportsAnUpperValueBelowTheOptimumTogetherWithItsResidual) {
  const auto last = run(
      p_q + Settings{{"method.name", "f2ba"}, {"method.lambda", "10"}, {"run.iterations", "400"}});
  EXPECT_LT(last.at("upper_value"), 2.331752806 - 0.01);
  EXPECT_GT(last.at("lower_gradient_norm"), 0.05);
}

TEST(PQ, GrowingPenaltyEndsAtTheBiasOfTheLastLambda) {
  // lambda_k = 2 (1 + k/100)^(1/3), T = 5: |x - x*| = 6.15e-2 after 20000 iterations.
  const auto last = run(p_q + Settings{{"method.name", "f2sa"},
                                       {"network.agents", "1"},
                                       {"run.iterations", "20000"},
                                       {"method.inner_steps", "5"},
                                       {"method.lambda", "2"},
                                       {"method.lambda_increment", "0"},
                                       {"method.lambda_exponent", "0.3333333333333333"},
                                       {"method.alpha", "0.1"}});
  EXPECT_NEAR(last.at("distance_to_solution"), 6.15e-2, 0.03 * 6.15e-2);
}

TEST(PQ, ZeroMeanPerturbationsDoNotMoveTheAllReduceTrajectory) {
  const Settings method = p_q + Settings{{"method.name", "soba"}, {"run.iterations", "50"}};
  const auto one = run(method + Settings{{"network.agents", "1"}});
  const auto many = run(method + Settings{{"network.agents", "9"}, {"problem.heterogeneity", "3"}});
  EXPECT_NEAR(one.at("distance_to_solution"), many.at("distance_to_solution"), 1e-10);
}

const Settings heterogeneous{{"problem.name", "quadratic"}, {"network.agents", "8"},
                             {"method.name", "soba"},       {"method.beta", "0.2"},
                             {"method.gamma", "0.2"},       {"run.iterations", "3000"},
                             {"metrics.every", "100000"},   {"metrics.hypergradient", "yes"}};

TEST(Ring, TrackingEndsAtTheAllReduceAnswerAndGossipDoesNot) {
  for (const char* method : {"soba", "f2ba"}) {
    const Settings base = heterogeneous + Settings{{"method.name", method}};
    const auto exact = run(base + Settings{{"consensus.strategy", "all-reduce"}});
    for (const char* strategy : {"gt-atc", "gt-semi", "gt-nonatc"}) {
      const auto tracked = run(base + Settings{{"consensus.strategy", strategy}});
      EXPECT_NEAR(tracked.at("distance_to_solution"), exact.at("distance_to_solution"), 1e-9)
          << method << " " << strategy;
      EXPECT_LT(tracked.at("consensus_error_x"), 1e-18);
    }
    for (const char* strategy : {"gossip-atc", "gossip-cta"}) {
      const auto biased = run(base + Settings{{"consensus.strategy", strategy}});
      EXPECT_GT(std::abs(biased.at("distance_to_solution") - exact.at("distance_to_solution")),
                1e-4)
          << method << " " << strategy;
      EXPECT_GT(biased.at("consensus_error_x"), 1e-6);
    }
  }
}

TEST(Ring, SobaEndsWhereTheTrueHypergradientVanishes) {
  const auto last = run(heterogeneous + Settings{{"consensus.strategy", "gt-atc"}});
  EXPECT_LT(last.at("distance_to_solution"), 1e-9);
  EXPECT_LT(last.at("hypergradient_norm"), 1e-8);
}

TEST(Personal, EachAgentsOwnLowerLevelHasItsOwnClosedForm) {
  const auto last =
      run(heterogeneous + Settings{{"consensus.strategy", "gt-atc"}, {"consensus.y", "none"}});
  EXPECT_LT(last.at("distance_to_solution"), 1e-9);
  EXPECT_LT(last.at("hypergradient_norm"), 1e-8);
  EXPECT_TRUE(std::isnan(last.at("consensus_error_y")));
  const auto shared = run(heterogeneous + Settings{{"consensus.strategy", "gt-atc"}});
  EXPECT_GT(std::abs(last.at("upper_value") - shared.at("upper_value")),
            1e-3);  // really another problem
}

TEST(Noise, DecayingStepsLowerTheFloorOfTheIterates) {
  const Settings noisy = p_q + Settings{{"method.name", "soba"},
                                        {"problem.noise", "0.5"},
                                        {"network.agents", "4"},
                                        {"run.iterations", "4000"},
                                        {"method.difference_rule", "absolute"},
                                        {"method.difference_step", "0.1"},
                                        {"method.alpha", "0.02"}};
  const double constant = run(noisy).at("distance_to_solution");
  const double decayed =
      run(noisy + Settings{{"method.upper_decay", "0.7"}, {"method.lower_decay", "0.7"}})
          .at("distance_to_solution");
  const double momentum =
      run(noisy + Settings{{"estimator.name", "momentum"}, {"estimator.theta", "0.3"}})
          .at("distance_to_solution");
  EXPECT_GT(constant, 1e-3);
  EXPECT_LT(decayed, constant / 2);
  EXPECT_LT(momentum, 3 * constant);  // same order: averaging the directions does not move the
                                      // floor of the iterates
}

TEST(HyperCleaning, FindsTheCleanSamplesOfTheDemo) {
  const auto last = run(small_problem("hyper-cleaning") + Settings{{"problem.train", "5000"},
                                                                   {"problem.validation", "1000"},
                                                                   {"problem.test", "4000"},
                                                                   {"method.name", "f2sa"},
                                                                   {"method.inner_steps", "5"},
                                                                   {"method.lambda", "5"},
                                                                   {"method.lambda_increment", "0"},
                                                                   {"method.alpha", "20000"},
                                                                   {"method.upper_decay", "1"},
                                                                   {"method.decay_offset", "1"},
                                                                   {"run.iterations", "60"},
                                                                   {"metrics.every", "60"}});
  EXPECT_GE(last.at("test_accuracy"), 0.885);
  EXPECT_GE(last.at("f1"), 0.91);
}

TEST(Steps, ThatSetThemselvesReachTheAnswerWithoutTuning) {
  // Step sizes far too large for constant steps, on a ring of agents that differ.
  const Settings eager = heterogeneous + Settings{{"consensus.strategy", "gt-atc"},
                                                  {"method.alpha", "10"},
                                                  {"method.beta", "10"},
                                                  {"method.gamma", "10"},
                                                  {"run.iterations", "4000"}};
  run(eager, MPI_COMM_WORLD, Status::diverged);
  const Settings coupled{{"steps.coupled", "yes"}};
  const auto last = run(eager + coupled + Settings{{"steps.rule", "accumulated"}});
  EXPECT_LT(last.at("distance_to_solution"), 1e-6);
  // Local directions do not vanish at the answer, so these steps go on shrinking, and it is
  // approached more slowly; agents that are alike take the same steps as above.
  const Settings local = coupled + Settings{{"steps.rule", "accumulated-local"}};
  const auto early = run(eager + local + Settings{{"run.iterations", "400"}});
  const auto late = run(eager + local);
  EXPECT_LT(late.at("distance_to_solution"), 0.6 * early.at("distance_to_solution"));
  const Settings alike = eager + Settings{{"problem.heterogeneity", "0"}};
  EXPECT_LT(run(alike + local).at("distance_to_solution"), 1e-6);
}

TEST(Steps, NormalizedOnesMoveXAtMostByTheirLength) {
  const auto near = run(p_q + Settings{{"method.name", "soba"},
                                       {"steps.rule", "normalized"},
                                       {"run.iterations", "10"},
                                       {"method.alpha", "0.01"}});
  const auto far = run(p_q + Settings{{"method.name", "soba"}, {"run.iterations", "0"}});
  EXPECT_GE(near.at("distance_to_solution"), far.at("distance_to_solution") - 10 * 0.01 - 1e-12);
  EXPECT_LT(near.at("distance_to_solution"), far.at("distance_to_solution"));
}

TEST(Regularization, LowersTheValidationLossAndTheTrueHypergradient) {
  const Settings base =
      small_problem("regularization") +
      Settings{{"method.name", "f2ba"},        {"method.alpha", "20"},  {"method.beta", "1"},
               {"method.gamma", "1"},          {"network.agents", "4"}, {"metrics.every", "100000"},
               {"problem.precision", "double"}};
  const auto early = run(base + Settings{{"run.iterations", "10"}});
  const auto late = run(base + Settings{{"run.iterations", "60"}});
  EXPECT_LT(late.at("upper_value"), early.at("upper_value"));
  EXPECT_LT(late.at("lower_gradient_norm"), early.at("lower_gradient_norm"));
}

TEST(Divergence, IsAStatusThatNamesTheVariable) {
  Experiment experiment(
      Communicator(MPI_COMM_WORLD),
      configuration_of(p_q + Settings{{"method.name", "soba"}, {"method.beta", "50"}}),
      FileDataSource());
  Requests requests;
  const Outcome outcome = experiment.runner().run(RunHooks{}, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::diverged));
  EXPECT_NE(outcome.detail.find("of agent 0 is not finite at iteration"), std::string::npos)
      << outcome.detail;
}

TEST(Target, StopsTheRun) {
  const auto last = run(p_q + Settings{{"method.name", "soba"},
                                       {"metrics.every", "10"},
                                       {"run.target", "distance_to_solution <= 1e-3"}},
                        MPI_COMM_WORLD, Status::target_reached);
  EXPECT_LE(last.at("distance_to_solution"), 1e-3);
  EXPECT_LT(last.at("iteration"), 400);
}

}  // namespace
}  // namespace echelon

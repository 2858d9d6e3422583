// Rounds in which not everybody takes part, as runs: where they end, the same bits on any ranks and
// after a restart, and what is refused.

#include <gtest/gtest.h>

#include <cmath>

#include "echelon/core/error.hpp"
#include "method/answers.hpp"

namespace echelon {
namespace {

using namespace testing_support;

/// 24 clients that differ, six of them in a round of five local steps.
Settings rounds(const std::string& strategy, std::int64_t iterations) {
  return method("soba", iterations) +
         Settings{{"problem.name", "quadratic"},    {"problem.heterogeneity", "0.5"},
                  {"network.agents", "6"},          {"participation.clients", "24"},
                  {"consensus.strategy", strategy}, {"consensus.local_steps", "5"},
                  {"method.alpha", "0.02"},         {"method.beta", "0.1"},
                  {"method.gamma", "0.1"},          {"metrics.every", "1000000"}};
}

TEST(Rounds, ControlVariatesAreExactWhoeverTakesPart) {
  const double controlled = error_of(rounds("local-server-cv", 20000));
  EXPECT_LT(controlled, 1e-9);
  EXPECT_GT(error_of(rounds("local-server", 20000)), 1e-2);
}

TEST(Rounds, WithFiveLocalStepsEndWhereOneStepDoes) {
  const Settings all{{"participation.clients", "6"}};
  const Settings one{{"consensus.local_steps", "1"}};
  const double alone = error_of(rounds("local-server", 20000) + all + one);
  const double controlled = error_of(rounds("local-server-cv", 20000) + all);
  const double plain = error_of(rounds("local-server", 20000) + all);
  EXPECT_LT(std::abs(controlled - alone), 1e-6);
  EXPECT_GT(plain, 10 * std::max(controlled, 1e-6));
}

TEST(Rounds, ThatLoseAnswersAreStillExactWithControlVariates) {
  for (const Settings& loss :
       {Settings{{"participation.probability", "0.5"}},
        Settings{{"participation.dropout", "0.4"}, {"participation.minimum", "2"}},
        Settings{{"participation.policy", "over-commit"},
                 {"participation.wait_for", "4"},
                 {"participation.compute_seconds", "1"},
                 {"participation.compute_sigma", "1"}},
        Settings{{"participation.policy", "cut-off"},
                 {"participation.deadline_seconds", "6"},
                 {"participation.compute_seconds", "1"},
                 {"participation.compute_sigma", "1"}}}) {
    EXPECT_LT(error_of(rounds("local-server-cv", 40000) + loss), 1e-9) << loss.begin()->first;
  }
}

TEST(Rounds, WithoutAnswersAreSkippedAndCounted) {
  const auto last = run(rounds("local-server", 200) + Settings{{"participation.dropout", "0.97"},
                                                               {"participation.minimum", "2"}});
  EXPECT_GT(last.at("skipped_rounds"), 20);
  EXPECT_LE(last.at("skipped_rounds"), 40);
  EXPECT_TRUE(std::isfinite(last.at("distance_to_solution")));
}

TEST(Rounds, CountTheCallsAndTheTrafficOfThoseWhoAnswer) {
  const auto last =
      run(rounds("local-server", 1000) + Settings{{"participation.probability", "0.5"}});
  const double answers = last.at("answers");
  EXPECT_NEAR(answers, 200 * 6 * 0.5, 5 * std::sqrt(200 * 6 * 0.25));
  // f, g and two for the differences, five steps; v = 0 at the first costs nothing.
  EXPECT_NEAR(last.at("gradient_calls"), 5 * 4 * answers, 2 * 6);
  EXPECT_EQ(last.at("bytes_sent"), answers * 2 * (10 + 10 + 10) * 8);
}

TEST(Rounds, ShareAPersonalLowerLevelWithNobody) {
  const Settings personal = rounds("local-server-cv", 40000) + Settings{{"consensus.y", "none"}};
  EXPECT_LT(error_of(personal), 1e-8);
}

TEST(Rounds, RefuseStrategiesThatNeedEverybody) {
  EXPECT_NE(refusal(rounds("gt-atc", 1)).find("local-server"), std::string::npos);
  EXPECT_NE(refusal(rounds("all-reduce", 1) + Settings{{"participation.probability", "0.5"}})
                .find("local-server"),
            std::string::npos);
  EXPECT_NE(refusal(rounds("local-server", 1) +
                    Settings{{"estimator.name", "saga"}, {"problem.noise", "0.1"}})
                .find("estimator.name = saga"),
            std::string::npos);
  EXPECT_NE(refusal(rounds("local-server", 20) + Settings{{"method.name", "ma-dsbo"},
                                                          {"method.inner_steps", "3"},
                                                          {"method.solver_steps", "3"},
                                                          {"consensus-y.local_steps", "7"}})
                .find("rounds of all variables end together"),
            std::string::npos);
}

TEST(Rounds, RunMethodsWithInnerLoopsWhoseRoundsEndTogether) {
  EXPECT_LT(error_of(rounds("local-server-cv", 20000) +
                     Settings{{"method.name", "ma-dsbo"},
                              {"method.inner_steps", "3"},
                              {"method.solver_steps", "3"},
                              {"consensus-y.local_steps", "15"},
                              {"consensus-auxiliary.local_steps", "15"}}),
            1e-8);
}

TEST(Rounds, OfMethodsThatAverageExactlyTakeTurnsToo) {
  const Settings alike{{"problem.heterogeneity", "0"}};
  Settings every = rounds("all-reduce", 3000) + alike;
  every.erase("consensus.local_steps");
  EXPECT_LT(error_of(every + Settings{{"method.name", "fedmsa"}}), 1e-8);
  Settings nested =
      every +
      Settings{{"method.name", "fednest"}, {"method.solver_steps", "120"}, {"problem.name", "p-q"}};
  nested.erase("method.gamma");
  EXPECT_LT(error_of(nested), 1e-8);
}

/// The penalty method of bounded staleness: 18 agents, log-normal delays.
Settings asynchronous(std::int64_t iterations) {
  return method("f2sa", iterations) + Settings{{"problem.name", "quadratic"},
                                               {"problem.heterogeneity", "0.5"},
                                               {"network.agents", "18"},
                                               {"consensus.strategy", "stale-server"},
                                               {"participation.policy", "bounded-staleness"},
                                               {"participation.wait_for", "9"},
                                               {"participation.staleness", "15"},
                                               {"participation.compute_seconds", "0.03"},
                                               {"participation.compute_sigma", "1"},
                                               {"method.order", "jacobi"},
                                               {"method.inner_steps", "1"},
                                               {"method.lambda", "20"},
                                               {"method.lambda_increment", "0"},
                                               {"method.alpha", "0.005"},
                                               {"method.beta", "0.05"},
                                               {"method.gamma", "0.05"},
                                               {"metrics.every", "1000000"}};
}

/// The same, whose server waits for all.
Settings waiting(Settings settings) {
  settings.erase("participation.wait_for");
  settings.erase("participation.staleness");
  return settings +
         Settings{{"consensus.strategy", "all-reduce"}, {"participation.policy", "wait-for-all"}};
}

TEST(StaleServer, EndsWhereTheSynchronousMethodDoes) {
  const Ending stale = end_of(asynchronous(40000));
  const Ending exact = end_of(waiting(asynchronous(40000)));
  EXPECT_LT((stale.x - exact.x).norm(), 1e-9);
  EXPECT_LT(stale.consensus_error, 1e-18);
}

TEST(StaleServer, TakesLessSimulatedTime) {
  Settings soba = asynchronous(40000) + Settings{{"method.name", "soba"},
                                                 {"run.target", "distance_to_solution <= 1e-3"},
                                                 {"metrics.every", "10"}};
  for (const char* const key : {"inner_steps", "lambda", "lambda_increment"}) {
    soba.erase(std::string("method.") + key);
  }
  const auto stale = run(soba, MPI_COMM_WORLD, Status::target_reached);
  const auto all = run(waiting(soba), MPI_COMM_WORLD, Status::target_reached);
  EXPECT_LT(stale.at("simulated_seconds"), all.at("simulated_seconds"));
  EXPECT_LE(stale.at("largest_staleness"), 15);
  EXPECT_GT(stale.at("largest_staleness"), 1);
}

TEST(StaleServer, IsWhatBoundedStalenessAsksFor) {
  EXPECT_NE(refusal(asynchronous(1) + Settings{{"consensus.strategy", "gt-atc"}})
                .find("choose consensus.strategy = stale-server"),
            std::string::npos);
}

}  // namespace
}  // namespace echelon

// Penalty and value-function methods against known answers: where they end, how far their bias
// reaches, and how they fail.

#include <gtest/gtest.h>

#include <cmath>

#include "echelon/core/error.hpp"
#include "method/answers.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const Settings exact = exactly();
const Settings p_q = exact + Settings{{"problem.name", "p-q"}};
const Settings het_1 = exact + Settings{{"problem.name", "log-cosh"}, {"network.agents", "8"}};
const Settings qg_1 =
    exact + Settings{{"problem.name", "finite-sum"}, {"problem.instance", "qg-1"}};

/// Of section `method`, such as {{"alpha", ".1"}}.
Settings with(const Settings& options) {
  Settings settings;
  for (const auto& [key, value] : options) settings["method." + key] = value;
  return settings;
}

/// One step for x and y.
Settings steps_of_x_and_y(const std::string& step) {
  return with({{"alpha", step}, {"beta", step}});
}

/// d log(error) / d log(value) between two values of one option.
double slope(const Settings& settings, const std::string& option, double one, double other) {
  const auto at = [&](double value) {
    return error_of(settings + with({{option, number_text(value)}}));
  };
  return std::log(at(one) / at(other)) / std::log(one / other);
}

/// The agents of a ring differ, and track gradients.
Settings ring(const std::string& problem) {
  Settings settings{{"problem.name", problem},
                    {"network.agents", "8"},
                    {"consensus.strategy", "gt-atc"},
                    {"metrics.every", "1000000"}};
  if (problem == "p-q") settings["problem.heterogeneity"] = "1";
  return settings;
}

/// |mean x on a ring - mean x with exact means|, and that agents agree.
double ring_gap(const std::string& problem, const Settings& settings) {
  const Settings base = ring(problem) + settings;
  const Ending tracked = end_of(base);
  const Ending reduced = end_of(base + Settings{{"consensus.strategy", "all-reduce"}});
  EXPECT_LT(tracked.consensus_error, 1e-15);
  return (tracked.x - reduced.x).norm() + (tracked.y - reduced.y).norm();
}

// f2sa-p ------------------------------------------------------------------------------------------

TEST(F2saP, OfOrderTwoReachesTheReference) {
  for (const auto& [agents, heterogeneity] : {std::pair("1", "0"), std::pair("4", "2")}) {
    const auto last =
        run(p_q + method("f2sa-p", 400) +
            Settings{{"network.agents", agents}, {"problem.heterogeneity", heterogeneity}});
    EXPECT_NEAR(last.at("distance_to_solution"), 7.53e-7, 0.02 * 7.53e-7);
    EXPECT_NEAR(last.at("upper_value"), 2.33176, 1e-5);
    EXPECT_NEAR(last.at("lower_gradient_norm"), 1.7e-6, 0.05e-6);
    EXPECT_EQ(last.at("gradient_calls"), 33600 * std::stod(agents));
  }
  EXPECT_LT(error_of(het_1 + method("f2sa-p", 400)), 1e-6);
}

TEST(F2saP, BiasIsThePowerOfNuThatTheOrderSays) {
  const Settings base = p_q + method("f2sa-p", 400) + with({{"inner_steps", "40"}});
  const auto of_order = [&](const char* order) { return base + with({{"order", order}}); };
  EXPECT_NEAR(slope(of_order("1"), "nu", 1e-2, 1e-3), 1, 0.1);
  EXPECT_NEAR(slope(of_order("2"), "nu", 1e-1, 1e-2), 2, 0.05);
  EXPECT_NEAR(slope(of_order("2"), "nu", 1e-2, 1e-3), 2, 0.05);
  EXPECT_NEAR(slope(of_order("3"), "nu", 0.1, 0.05), 3, 0.2);
  EXPECT_NEAR(slope(of_order("4"), "nu", 0.1, 0.05), 4, 0.2);
  EXPECT_NEAR(slope(of_order("5"), "nu", 0.1, 0.05), 5, 0.4);
  EXPECT_NEAR(slope(of_order("6"), "nu", 0.1, 0.05), 6, 0.6);
  double last = 3e-4;  // order 3
  for (const char* order : {"3", "4", "5", "6", "8", "10"}) {
    const double error = error_of(of_order(order) + with({{"nu", "0.05"}}));
    EXPECT_LT(error, last) << order;
    last = error / 5;
  }
  EXPECT_LT(error_of(of_order("4") + with({{"nu", "0.05"}})), 3e-5);
  EXPECT_NEAR(slope(qg_1 + method("f2sa-p", 6000), "nu", 1e-2, 1e-3), 2, 0.05);
}

TEST(F2saP, FindsTheMinimumThatItStartsNear) {
  const double own[] = {0.382360, 1.215145, 2.829642};
  for (int start = 0; start < 3; ++start) {
    const Ending end = end_of(instance("pbgd", start) + method("f2sa-p", 500) +
                              with({{"beta", "0.1"}, {"alpha", "0.02"}}));
    EXPECT_NEAR(end.x(0), own[start], 1e-5);
  }
}

TEST(F2saP, KeepsItsOrderWhereTheLowerLevelIsKeptInASet) {
  // Optima inside and on the boundary of boxes.
  const Settings steps = with({{"beta", "0.05"}, {"alpha", "0.01"}, {"inner_steps", "40"}});
  for (const char* box : {"henderson-quandt", "mb14", "mb17", "bard98-02"}) {
    EXPECT_LT(error_of(instance(box) + method("f2sa-p", 5000) + steps), 1e-6) << box;
  }
}

TEST(F2saP, LosesTheAnswerIfNodesRestartAtTheirAverage) {
  const Settings average = p_q + method("f2sa-p", 400) + with({{"restart", "average"}});
  const double error = error_of(average);
  EXPECT_NEAR(error, 7.1e-4, 0.02 * 7.1e-4);
  EXPECT_GT(error_of(average + with({{"nu", "1e-4"}})), 1e-4);
}

TEST(F2saP, DivergesWhereTheLowerLevelIsFlatUnlessAllNodesAreAtTheRight) {
  for (const char* flat : {"lls", "merely-convex"}) {
    const Settings base = instance(flat) + method("f2sa-p", 1500) + with({{"nu", "0.1"}});
    run(base, MPI_COMM_WORLD, Status::diverged);
    EXPECT_LT(error_of(base + with({{"order", "1"}, {"nu", "0.01"}})), 1e-4) << flat;
  }
  EXPECT_GT(error_of(instance("lls") + method("f2sa-p", 1500)), 100);
}

TEST(F2saP, NormalizedStepsHaveTheLengthOfAlpha) {
  const Settings far = p_q + method("f2sa-p", 3) + with({{"normalize", "yes"}, {"alpha", "0.01"}});
  EXPECT_NEAR(end_of(far).x.norm(), 0.03, 1e-4);  // x* is away from the start: one way
  const Settings near =
      with({{"normalize", "yes"}, {"alpha", "1"}, {"upper_decay", "1"}, {"decay_offset", "5"}});
  EXPECT_LT(error_of(p_q + method("f2sa-p", 3000) + near), 3e-3);
  EXPECT_LT(ring_gap("p-q", method("f2sa-p", 1500) + near), 1e-2);
}

TEST(F2saP, KeepsItsAnswerOnARingAndWithPersonalLowerLevels) {
  const Settings base =
      method("f2sa-p", 1500) +
      with({{"beta", "0.2"}, {"alpha", "0.05"}, {"inner_steps", "10"}, {"nu", "0.01"}});
  for (const char* problem : {"p-q", "quadratic"}) EXPECT_LT(ring_gap(problem, base), 1e-9);
  const Settings personal = ring("quadratic") + base + Settings{{"consensus.y", "none"}};
  EXPECT_NEAR(slope(personal, "nu", 0.02, 0.005), 2, 0.1);
}

// f2ba, accf2ba -----------------------------------------------------------------------------------

const Settings large_penalty = with({{"lambda", "1e4"}, {"inner_steps", "40"}});

TEST(F2ba, ReachesTheReferenceAndItsLaw) {
  const auto last = run(p_q + method("f2ba", 400) + large_penalty);
  EXPECT_NEAR(last.at("distance_to_solution"), 7.53e-5, 0.02 * 7.53e-5);
  EXPECT_NEAR(last.at("upper_value"), 2.33151, 1e-5);
  EXPECT_NEAR(error_of(p_q + method("f2ba", 400)), 7.5e-3, 0.02 * 7.5e-3);
  EXPECT_NEAR(error_of(het_1 + method("f2ba", 400) + large_penalty), 4.0e-5, 1e-6);
  EXPECT_NEAR(slope(qg_1 + method("f2ba", 6000) + large_penalty, "lambda", 100, 1000), -1, 0.05);
}

TEST(F2ba, FindsTheMinimaOfTheOtherProblems) {
  const double own[] = {0.382360, 1.215145, 2.829642};
  const Settings small = with({{"beta", "0.1"}, {"gamma", "0.1"}, {"alpha", "0.02"}});
  for (int start = 0; start < 3; ++start) {
    const Ending end =
        end_of(instance("pbgd", start) + method("f2ba", 500) + small + with({{"lambda", "500"}}));
    EXPECT_NEAR(end.x(0), own[start], 1e-3);
    EXPECT_NEAR(
        run(instance("coreset", start) + method("f2ba", 8000) + with({{"inner_steps", "5"}}))
            .at("hyperobjective"),
        0.72, 1e-3);
  }
  const Settings flat = method("f2ba", 1500) + with({{"inner_steps", "5"}});
  EXPECT_LT(error_of(instance("lls") + flat), 1e-5);
  EXPECT_LT(error_of(instance("merely-convex") + flat), 1e-4);
}

TEST(F2ba, CyclesAroundAKinkUnlessStepsDecay) {
  // F = 10 |x|: a step of alpha = .2 is of length 2, so x visits 0, 2, 0, -2, ...
  const Settings base = instance("min-max") + with({{"lambda", "10"}, {"inner_steps", "40"}});
  EXPECT_LT(error_of(base + method("f2ba", 1000)), 1e-3);
  EXPECT_NEAR(error_of(base + method("f2ba", 1001)), 2, 1e-3);
  EXPECT_LT(
      error_of(base + method("f2ba", 3001) + with({{"upper_decay", "1"}, {"decay_offset", "10"}})),
      0.05);
}

TEST(AccF2ba, EndsWhereF2baDoesAndSooner) {
  EXPECT_NEAR(error_of(p_q + method("accf2ba", 150)), 7.53e-5, 0.02 * 7.53e-5);
  EXPECT_NEAR(error_of(het_1 + method("accf2ba", 150)), 4.0e-5, 1e-6);
  const Settings slow = with({{"alpha", "0.02"}, {"lambda", "1000"}});
  const Settings accelerated = qg_1 + method("accf2ba", 400) + slow;
  const double plain = error_of(accelerated + with({{"momentum", "0"}}));
  EXPECT_GT(plain, 0.5);
  EXPECT_LT(error_of(accelerated), plain / 20);
  EXPECT_NEAR(slope(qg_1 + method("accf2ba", 2000), "lambda", 100, 1000), -1, 0.05);
}

TEST(AccF2ba, ThatRestartsAtEachStepIsF2ba) {
  const Settings short_run =
      p_q + Settings{{"network.agents", "5"}, {"problem.heterogeneity", "1"}};
  const Ending plain = end_of(short_run + method("f2ba", 20) + large_penalty);
  const Ending never = end_of(short_run + method("accf2ba", 20));
  const Ending always = end_of(short_run + method("accf2ba", 20) +
                               with({{"restart_bound", "0"}, {"restart_floor", "0"}}));
  EXPECT_EQ(always.x, plain.x);
  EXPECT_GT((never.x - plain.x).norm(), 1e-3);
  const Ending sometimes =
      end_of(short_run + method("accf2ba", 20) + with({{"restart_bound", "1"}}));
  EXPECT_GT((sometimes.x - plain.x).norm(), 1e-4);
  EXPECT_GT((sometimes.x - never.x).norm(), 1e-4);
}

TEST(AccF2ba, KeepsItsAnswerOnARing) {
  const Settings base = method("accf2ba", 500) + with({{"beta", "0.2"},
                                                       {"gamma", "0.2"},
                                                       {"alpha", "0.02"},
                                                       {"lambda", "100"},
                                                       {"inner_steps", "10"}});
  for (const char* problem : {"p-q", "quadratic"}) EXPECT_LT(ring_gap(problem, base), 1e-9);
  EXPECT_NE(
      refusal(ring("p-q") + base + Settings{{"consensus.strategy", "extra"}}).find("momentum"),
      std::string::npos);
}

// f2sa, f3sa --------------------------------------------------------------------------------------

const Settings single_loop = with({{"inner_steps", "1"},
                                   {"order", "jacobi"},
                                   {"lambda", "2"},
                                   {"lambda_increment", "0"},
                                   {"lambda_exponent", "0.2"},
                                   {"alpha", "0.05"},
                                   {"beta", "0.3"},
                                   {"gamma", "0.3"},
                                   {"upper_decay", "0.6"},
                                   {"lower_decay", "0.4"}});

TEST(F3sa, WithoutNoiseIsF2saWithOneInnerStep) {
  const auto estimated = run(p_q + method("f3sa", 300));
  const auto plain = run(p_q + method("f2sa", 300) + single_loop);
  EXPECT_NEAR(estimated.at("distance_to_solution"), plain.at("distance_to_solution"), 1e-12);
  EXPECT_EQ(plain.at("gradient_calls"), 3 * 300);
  EXPECT_EQ(estimated.at("gradient_calls"), 6 * 300 - 3);  // twice, but for the first call
  const Ending gauss_seidel =
      end_of(p_q + method("f2sa", 300) + single_loop + with({{"order", "gauss-seidel"}}));
  EXPECT_GT((gauss_seidel.x - end_of(p_q + method("f3sa", 300)).x).norm(), 1e-6);
}

TEST(F3sa, ReachesItsNoiseFloorWithOneSamplePerStep) {
  const auto mean_error = [](const Settings& settings) {
    const Settings sampled = qg_1 + settings + Settings{{"problem.batch", "1"}};
    return (error_of(sampled + Settings{{"run.seed", "1"}}) +
            error_of(sampled + Settings{{"run.seed", "2"}})) /
           2;
  };
  EXPECT_LT(mean_error(method("f3sa", 10000)), 0.4);
  EXPECT_LT(mean_error(method("f2sa", 2000) + with({{"alpha", "0.1"},
                                                    {"beta", "0.3"},
                                                    {"gamma", "0.3"},
                                                    {"lambda", "2"},
                                                    {"lambda_increment", "0"},
                                                    {"lambda_exponent", "0.142857"},
                                                    {"upper_decay", "0.714"},
                                                    {"lower_decay", "0.571"}})),
            0.4);
}

TEST(F3sa, KeepsItsAnswerOnARing) {
  const Settings base = method("f3sa", 4000) + with({{"upper_decay", "0"},
                                                     {"lower_decay", "0"},
                                                     {"lambda", "100"},
                                                     {"lambda_exponent", "0"},
                                                     {"alpha", "0.02"},
                                                     {"beta", "0.1"},
                                                     {"gamma", "0.1"}});
  for (const char* problem : {"p-q", "quadratic"}) EXPECT_LT(ring_gap(problem, base), 1e-9);
}

// v-pbgd, g-pbgd ----------------------------------------------------------------------------------

TEST(VPbgd, ReachesTheReference) {
  const auto last = run(p_q + method("v-pbgd", 20000));
  EXPECT_NEAR(last.at("distance_to_solution"), 1.8e-2, 0.03 * 1.8e-2);
  EXPECT_NEAR(last.at("upper_value"), 2.30831, 1e-5);
  EXPECT_EQ(last.at("gradient_calls"), 2.6e5);
}

TEST(VPbgd, IsSlowToCloseTheGapWithSmallStepsOfW) {
  EXPECT_NEAR(error_of(p_q + method("v-pbgd", 20000) + with({{"gamma", "0.1"}})), 0.36, 0.01);
}

TEST(VPbgd, WithWCarriedEndsWhereF2baDoes) {
  const Settings carried =
      p_q + method("v-pbgd", 20000) + with({{"carry", "yes"}, {"inner_steps", "1"}});
  EXPECT_NEAR(error_of(carried), error_of(p_q + method("f2ba", 400)), 1e-8);
}

TEST(VPbgd, RampAndScaleChangeTheWayAndNotTheEnd) {
  const Settings ramp = with({{"lambda_ramp", "1000"}});
  const double end = error_of(p_q + method("v-pbgd", 20000));
  EXPECT_NEAR(error_of(p_q + method("v-pbgd", 20000) + ramp), end, 1e-9);
  const Settings scaled = ramp + with({{"scaled", "yes"}}) + steps_of_x_and_y("0.4");
  EXPECT_NEAR(error_of(p_q + method("v-pbgd", 20000) + scaled), end, 1e-9);
  const Settings early = p_q + method("v-pbgd", 100);  // with a tenth of the weight
  EXPECT_GT(run(early + ramp).at("lower_gradient_norm"), 2 * run(early).at("lower_gradient_norm"));
}

TEST(VPbgd, FindsTheMinimaOfTheOtherProblems) {
  const double own[] = {0.382360, 1.215145, 2.829642};
  const double weak[] = {0.3719, 1.1881, 2.8240};
  for (int start = 0; start < 3; ++start) {
    const Settings base =
        instance("pbgd", start) + method("v-pbgd", 8000) + with({{"gamma", "0.1"}});
    EXPECT_NEAR(end_of(base + with({{"lambda", "500"}}) + steps_of_x_and_y("2e-4")).x(0),
                own[start], 2e-3);
    EXPECT_NEAR(end_of(base + with({{"lambda", "10"}}) + steps_of_x_and_y("0.01")).x(0),
                weak[start], 1e-3);
  }
  EXPECT_LT(error_of(instance("lls") + method("v-pbgd", 10000)), 1e-5);
  EXPECT_LT(error_of(instance("merely-convex") + method("v-pbgd", 10000)), 1e-4);
  EXPECT_LT(std::abs(end_of(instance("min-max") + method("v-pbgd", 8000) +
                            with({{"lambda", "10"}}) + steps_of_x_and_y("0.01"))
                         .x(0)),
            1e-3);
}

TEST(VPbgd, SettlesOnARingIfWIsCarried) {
  const Settings base = method("v-pbgd", 5000) + with({{"lambda", "10"}, {"gamma", "0.2"}}) +
                        steps_of_x_and_y("0.01");
  for (const char* problem : {"p-q", "quadratic"}) {
    EXPECT_LT(ring_gap(problem, base + with({{"carry", "yes"}})), 1e-6) << problem;
  }
  EXPECT_LT(ring_gap("p-q", base), 1e-6);  // all agents have one Hessian
  const double restarted = ring_gap("quadratic", base);
  EXPECT_GT(restarted, 1e-4);
  EXPECT_LT(restarted, 1e-2);
  EXPECT_NE(refusal(ring("p-q") + base + Settings{{"consensus.strategy", "extra"}})
                .find("it restarts at y"),
            std::string::npos);
  const Settings personal = ring("quadratic") + base + Settings{{"consensus.y", "none"}};
  const Settings slow =
      personal + method("v-pbgd", 20000) + with({{"carry", "yes"}}) + steps_of_x_and_y("0.001");
  EXPECT_NEAR(slope(slow, "lambda", 400, 800), -1, 0.05);
}

TEST(GPbgd, ReachesTheReferenceAndItsLaw) {
  EXPECT_NEAR(error_of(p_q + method("g-pbgd", 20000)), 4.0e-3, 0.02 * 4.0e-3);
  EXPECT_NEAR(slope(p_q + method("g-pbgd", 40000) + steps_of_x_and_y("5e-4"), "lambda", 50, 200),
              -1, 0.05);
  EXPECT_NEAR(error_of(p_q + method("g-pbgd", 20000) + with({{"products", "exact"}})), 4.0e-3,
              0.02 * 4.0e-3);
}

TEST(GPbgd, EndsAtAMinimumButMayChangeBasins) {
  for (int start = 0; start < 3; ++start) {
    EXPECT_LT(error_of(instance("pbgd", start) + method("g-pbgd", 8000) + with({{"lambda", "10"}}) +
                       steps_of_x_and_y("0.002")),
              5e-3);
  }
}

TEST(GPbgd, KeepsItsAnswerOnARing) {
  EXPECT_LT(ring_gap("p-q", method("g-pbgd", 20000)), 1e-6);
  EXPECT_LT(ring_gap("quadratic", method("g-pbgd", 20000) + with({{"lambda", "10"}}) +
                                      steps_of_x_and_y("0.002")),
            1e-6);
  EXPECT_NE(refusal(ring("p-q") + method("g-pbgd", 1) + Settings{{"consensus.y", "none"}})
                .find("combines means"),
            std::string::npos);
}

// pdbo --------------------------------------------------------------------------------------------

TEST(Pdbo, ReachesTheReferenceAndItsLaw) {
  EXPECT_NEAR(error_of(p_q + method("pdbo", 20000)), 2.4e-2, 0.02 * 2.4e-2);
  EXPECT_NEAR(slope(p_q + method("pdbo", 40000), "delta", 1e-1, 1e-2), 0.5, 0.02);
  for (int start = 0; start < 3; ++start) {
    const double own[] = {0.382360, 1.215145, 2.829642};
    const Ending end =
        end_of(instance("pbgd", start) + method("pdbo", 5000) +
               with({{"delta", "1e-4"}, {"gamma", "0.1"}}) + steps_of_x_and_y("0.001"));
    EXPECT_NEAR(end.x(0), own[start], 3e-2);
  }
}

TEST(Pdbo, FailsIfTheMultiplierIsSlowOrBounded) {
  EXPECT_GT(error_of(p_q + method("pdbo", 20000) + with({{"tau", "0.01"}})), 5e-2);
  // At the bound it is a penalty method.
  EXPECT_NEAR(error_of(p_q + method("pdbo", 20000) + with({{"bound", "10"}})),
              error_of(p_q + method("f2ba", 400) + with({{"lambda", "10"}})), 1e-6);
}

TEST(Pdbo, KeepsItsAnswerOnARing) {
  EXPECT_LT(ring_gap("p-q", method("pdbo", 8000) + with({{"delta", "0.1"}})), 1e-6);
  EXPECT_LT(
      ring_gap("quadratic", method("pdbo", 20000) + with({{"delta", "0.1"}, {"gamma", "0.2"}}) +
                                steps_of_x_and_y("0.001")),
      1e-6);
}

// bvfim, scalebio ---------------------------------------------------------------------------------

TEST(Bvfim, EndsNearTheMinimizerOfTheUpperLevelAlone) {
  for (int start = 0; start < 3; ++start) {
    const Ending end = end_of(instance("sine", start) + method("bvfim", 3000));
    EXPECT_NEAR(end.x(0), 2, 1e-3);
    EXPECT_NEAR(end.y(0), 4, 1e-3);
  }
  for (const char* decay : {"power", "harmonic", "logarithmic"}) {
    const Ending end =
        end_of(instance("sine", 2) + method("bvfim", 3000) + with({{"decay", decay}}));
    EXPECT_NEAR(end.x(0), 2, 0.05) << decay;
    EXPECT_NEAR(end.y(0), 4, 0.05) << decay;
  }
}

TEST(Bvfim, HoldsTheLowerLevelByAHeavyBarrierWithATightBound) {
  const auto residual = [](const char* sigma) {
    return run(instance("sine", 2) + method("bvfim", 3000) +
               with({{"decay", "logarithmic"}, {"sigma", sigma}, {"bound", "1.01"}}))
        .at("lower_gradient_norm");
  };
  EXPECT_GT(residual("0.001"), 0.5);
  EXPECT_LT(residual("10"), 0.02);
}

TEST(ScaleBio, EndsWhereF2baDoes) {
  for (const char* lambda : {"10", "100"}) {
    const Settings weight = with({{"lambda", lambda}});
    EXPECT_NEAR(error_of(p_q + method("scalebio", 20000) + weight + with({{"horizon", "20000"}})),
                error_of(p_q + method("f2ba", 400) + weight), 1e-6);
  }
  EXPECT_LT(ring_gap("quadratic", method("scalebio", 20000) + with({{"horizon", "20000"}})), 1e-6);
}

TEST(ScaleBio, StepsOfSharedScaleReachAnswersOnABallAndOnTheSimplex) {
  for (const char* name : {"ball", "two-balls", "simplex", "simplex-weights"}) {
    EXPECT_LT(error_of(instance(name) + method("scalebio", 20000) +
                       with({{"horizon", "20000"}, {"lambda", "100"}})),
              2e-2)
        << name;
  }
}

TEST(ScaleBio, RunsAwayIfXIsAsFastAsYAndZ) {
  EXPECT_GT(error_of(p_q + method("scalebio", 4000) + with({{"alpha", "0.01"}})), 1);
}

TEST(ScaleBio, FirstStepHasTheLengthOfTheOption) {
  const Ending one = end_of(p_q + method("scalebio", 1));
  for (Index r = 0; r < one.x.size(); ++r) EXPECT_NEAR(one.x(r), 0.001, 1e-9);
}

TEST(Penalty, EstimatesWithoutNoiseAreTheGradients) {
  for (const char* name :
       {"f2sa-p", "f3sa", "accf2ba", "v-pbgd", "g-pbgd", "pdbo", "bvfim", "scalebio"}) {
    const Settings base = instance("pbgd", 1) + method(name, 40) + with({{"alpha", "1e-3"}});
    const Ending plain = end_of(base + Settings{{"estimator.name", "plain"}});
    const Ending storm = end_of(base + Settings{{"estimator.name", "storm"}});
    EXPECT_LT((plain.x - storm.x).norm() + (plain.y - storm.y).norm(), 1e-9) << name;
  }
}

TEST(Penalty, RefusesOptionsOutOfRange) {
  const auto bad = [&](const std::string& name, const Settings& options) {
    return refusal(p_q + method(name, 1) + with(options));
  };
  EXPECT_NE(bad("f2sa-p", {{"order", "11"}}), "");
  EXPECT_NE(bad("f2sa-p", {{"nu", "0"}}), "");
  EXPECT_NE(bad("accf2ba", {{"momentum", "1"}}), "");
  EXPECT_NE(bad("f3sa", {{"order", "backwards"}}), "");
  EXPECT_NE(bad("v-pbgd", {{"lambda", "0"}}), "");
  EXPECT_NE(bad("g-pbgd", {{"lambda_ramp", "-1"}}), "");
  EXPECT_NE(bad("pdbo", {{"delta", "0"}}), "");
  EXPECT_NE(bad("bvfim", {{"decay", "none"}}), "");
  EXPECT_NE(bad("scalebio", {{"beta2", "1"}}), "");
}

}  // namespace
}  // namespace echelon

// Lower levels with linear constraints or a set, against known answers.

#include <gtest/gtest.h>

#include <cmath>

#include "echelon/core/error.hpp"
#include "method/answers.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const Settings exact = exactly();

Settings x_step(const std::string& alpha) {
  return {{"method.alpha", alpha}};
}

// Equalities
// ------------------------------------------------------------------------------------------------

TEST(Equalities, AipodReachesTheSolution) {
  for (const char* agents : {"1", "5"}) {
    const Settings p_q_eq = instance("p-q-eq") + Settings{{"network.agents", agents}};
    EXPECT_LT(error_of(p_q_eq + method("aipod", 2000)), 1e-10);
    EXPECT_LT(error_of(p_q_eq + method("aipod", 2000) + Settings{{"method.products", "exact"}}),
              1e-13);
    EXPECT_LT(error_of(p_q_eq + method("e-aipod", 2000)), 1e-6);
  }
}

TEST(Equalities, BothConstraintsHold) {
  for (const char* name : {"aipod", "e-aipod"}) {
    const Ending end = end_of(instance("p-q-eq") + method(name, 10));
    const VectorXd ones = VectorXd::Ones(6);
    EXPECT_NEAR(end.x.dot(ones), 1, 1e-12) << name;
    // y is on its plane for the x of the last step but one.
    const Ending before = end_of(instance("p-q-eq") + method(name, 9));
    EXPECT_NEAR(end.y.dot(ones), before.x.dot(ones), 1e-12) << name;
  }
  // Between projections x is off its set.
  EXPECT_GT(
      std::abs(end_of(instance("p-q-eq") + method("e-aipod", 9)).x.dot(VectorXd::Ones(6)) - 1),
      1e-3);
}

TEST(Equalities, RareProjectionsNeedTheShift) {
  const Settings period = instance("p-q-eq") + method("e-aipod", 2000);
  const Settings no_shift{{"method.shift", "no"}};
  const double five = error_of(period + no_shift);
  EXPECT_GT(five, 1e-3);
  EXPECT_LT(error_of(period + no_shift + x_step(".01")), five / 2);  // about alpha T
  for (const char* every : {"2", "10", "20"}) {
    EXPECT_LT(error_of(period + Settings{{"method.project_period", every}}), 1e-6) << every;
  }
  EXPECT_LT(error_of(period + Settings{{"method.upper_decay", ".3"}}), 1e-6);
}

TEST(Equalities, FewConjugateGradientStepsLeaveABias) {
  const Settings few =
      instance("p-q-eq") + method("aipod", 1000) + Settings{{"method.cg_steps", "1"}};
  EXPECT_GT(error_of(few), 1e-4);
}

TEST(Equalities, TrackingOnARingEndsAtTheAllReduceAnswer) {
  for (const char* name : {"aipod", "e-aipod"}) {
    const Settings base = instance("p-q-eq") + method(name, 3000) +
                          Settings{{"network.agents", "8"}, {"problem.heterogeneity", ".5"}};
    const Ending together = end_of(base);
    const Ending ring = end_of(base + Settings{{"consensus.strategy", "gt-atc"}});
    EXPECT_LT((together.x - ring.x).norm(), 1e-6) << name;
    EXPECT_LT((together.y - ring.y).norm(), 1e-6) << name;
  }
}

// Inequalities
// ------------------------------------------------------------------------------------------------

TEST(Inequalities, SigdReachesTheSolutions) {
  EXPECT_LT(error_of(instance("clark-westerberg") + method("sigd", 400) + x_step(".05")), 1e-6);
  const double ends[] = {1.5, 4.5};
  for (int start = 0; start < 2; ++start) {
    const Ending end = end_of(instance("tuy", start) + method("sigd", 2000) + x_step(".01"));
    EXPECT_NEAR(end.x(0), ends[start], 1e-3);
    EXPECT_NEAR(end.x(0) + 3 * end.y(0), start == 0 ? 15 : 9, 1e-2);  // on x + 3 y = 15
  }
  EXPECT_LT(error_of(instance("clark-westerberg") + method("sigd", 400) +
                     Settings{{"method.products", "exact"},
                              {"method.perturbation", "0"},
                              {"method.newton_steps", "2"}}),
            1e-6);
}

TEST(Inequalities, BoundedStepsWithFreshPerturbationsReachThemToo) {
  EXPECT_LT(error_of(instance("clark-westerberg") + method("ds-blo", 3000)), 1e-6);
  for (int start = 0; start < 2; ++start) {
    EXPECT_LT(error_of(instance("tuy", start) + method("ds-blo", 3000)), 1e-3) << start;
  }
}

TEST(Inequalities, StepsOfDsBloAreBounded) {
  const Settings run_of = instance("clark-westerberg") + Settings{{"method.momentum", "0"},
                                                                  {"method.norm_weight", "50"},
                                                                  {"method.norm_offset", "1e-6"}};
  const Ending one = end_of(run_of + method("ds-blo", 1));
  EXPECT_NEAR(one.x(0), 1.0 / 50, 1e-6);
  const Ending two = end_of(run_of + method("ds-blo", 2));
  EXPECT_NEAR(two.x(0), 2.0 / 50, 1e-6);
}

TEST(Inequalities, TrackingOnARingEndsAtTheAllReduceAnswer) {
  for (const char* name : {"sigd", "ds-blo"}) {
    const Settings base = instance("clark-westerberg") + method(name, 2000) +
                          Settings{{"network.agents", "8"}, {"problem.heterogeneity", ".5"}};
    const Ending together = end_of(base);
    EXPECT_LT(std::abs(together.x(0) - 1), 1e-6);
    const Ending ring = end_of(base + Settings{{"consensus.strategy", "gt-atc"}});
    EXPECT_LT((together.x - ring.x).norm(), 1e-6) << name;
    EXPECT_LT((together.y - ring.y).norm(), 1e-6) << name;
  }
}

TEST(Constraints, EstimatorsStandBeforeTheWholeDirection) {
  for (const char* estimator : {"momentum", "storm", "sarah"}) {
    const Settings use{{"estimator.name", estimator}};
    EXPECT_LT(error_of(instance("p-q-eq") + method("aipod", 3000) + use), 1e-9) << estimator;
    EXPECT_LT(error_of(instance("p-q-eq") + method("e-aipod", 3000) + use), 1e-6) << estimator;
    EXPECT_LT(error_of(instance("clark-westerberg") + method("sigd", 1000) + use), 1e-6)
        << estimator;
    EXPECT_LT(error_of(instance("clark-westerberg") + method("ds-blo", 3000) + use +
                       Settings{{"method.momentum", "0"}}),
              1e-6)
        << estimator;
  }
}

TEST(Constraints, WhatDoesNotFitIsRefused) {
  EXPECT_NE(refusal(instance("p-q-eq") + method("sigd", 5)), "");
  EXPECT_NE(refusal(instance("clark-westerberg") + method("aipod", 5)), "");
  EXPECT_NE(refusal(instance("pbgd") + method("aipod", 5)), "");
  for (const auto& [name, problem] :
       std::map<std::string, std::string>{{"sigd", "tuy"}, {"aipod", "p-q-eq"}}) {
    const Settings base = instance(problem) + method(name, 5);
    EXPECT_NE(refusal(base + Settings{{"consensus.strategy", "gt-atc"}, {"consensus.y", "none"}})
                  .find("personal lower level"),
              std::string::npos);
  }
  EXPECT_NE(refusal(instance("p-q-eq") + method("e-aipod", 5) +
                    Settings{{"consensus.strategy", "extra"}, {"network.agents", "4"}}),
            "");
  EXPECT_NE(
      refusal(instance("p-q-eq") + method("e-aipod", 5) + Settings{{"method.project_period", "0"}}),
      "");
}

// Boxes
// ------------------------------------------------------------------------------------------------

Settings penalty(const std::string& name, std::int64_t iterations, const std::string& lambda,
                 const std::string& alpha, const std::string& beta, const std::string& gamma) {
  return method(name, iterations) + Settings{{"method.lambda", lambda},
                                             {"method.alpha", alpha},
                                             {"method.beta", beta},
                                             {"method.gamma", gamma}};
}

Settings f2ba(std::int64_t iterations, const std::string& alpha, const std::string& lower) {
  return penalty("f2ba", iterations, "1000", alpha, lower, lower);
}

Settings v_pbgd(const std::string& lower) {
  return penalty("v-pbgd", 10000, "100", ".001", ".001", lower);
}

TEST(Boxes, PenaltiesReachUniqueAnswers) {
  struct Row {
    const char* name;
    Settings settings;
    double error;
    double residual;  // about 1 / lambda
  };
  const Row rows[] = {
      {"henderson-quandt", penalty("f2ba", 300, "1e4", ".2", ".4", ".4"), 5e-3, 1e-2},
      {"henderson-quandt", penalty("v-pbgd", 20000, "100", ".001", ".001", ".4"), 0.3, 1},
      {"bard98-02", f2ba(1000, ".05", ".5"), 1e-6, 1e-6},
      {"bard98-02", v_pbgd(".5"), 1e-3, 1e-6},
      {"de-silva", f2ba(1000, ".02", ".25"), 2e-3, 2e-3},
      {"de-silva", v_pbgd(".25"), 1e-2, 2e-2},
      {"lampariello-3.2", f2ba(1000, ".05", ".2"), 1e-3, 2e-3},
      {"lampariello-3.2", v_pbgd(".2"), 1e-2, 2e-2},
      {"mac-hurter", penalty("f2ba", 3000, "1e5", "1e-4", ".5", ".5"), 1e-5, 1e-4},
      {"min-max", penalty("v-pbgd", 8000, "10", ".01", ".01", ".5"), 1e-3, 1e-3},
      {"mb17", f2ba(3000, ".02", ".1"), 1e-3, 1e-3},
  };
  for (const Row& row : rows) {
    const auto last = run(instance(row.name) + row.settings);
    const std::string what = std::string(row.name) + " " + row.settings.at("method.name");
    EXPECT_LT(last.at("distance_to_solution"), row.error) << what;
    EXPECT_LT(last.at("lower_gradient_norm"), row.residual) << what;
  }
  // From its second start; from the first it ends at a local solution of the lower level.
  EXPECT_LT(error_of(instance("mb21", 1) + f2ba(3000, ".02", ".1")), 1e-3);
  EXPECT_LT(error_of(instance("mb21", 1) + v_pbgd(".1")), 1e-2);
}

// Where the lower level has ties, or jumps, at the optimum, descent may end at local solutions of
// either level: F at x is no better than the optimum, and y is stationary on its box.
TEST(Boxes, TiesEndAtStationaryPoints) {
  const std::map<std::string, double> optimum{
      {"mb12", 0},     {"mb14", 0.25},   {"mb16", -2},     {"mb18", -1},
      {"mb18v", 0.25}, {"mb20", 0.3125}, {"yezza96", 1.5}, {"mirrlees", 1.00180}};
  for (const auto& [name, value] : optimum) {
    for (const int start : {0, 1}) {
      if (start == 1 && (name == "yezza96" || name == "mirrlees")) continue;  // they have one
      for (const Settings& settings : {f2ba(3000, ".02", ".1"), v_pbgd(".1")}) {
        const auto last = run(instance(name, start) + settings);
        const std::string what =
            name + " " + std::to_string(start) + " " + settings.at("method.name");
        EXPECT_GE(last.at("hyperobjective"), value - 1e-4) << what;
        EXPECT_LT(last.at("lower_gradient_norm"), 4e-2) << what;
      }
    }
  }
}

}  // namespace
}  // namespace echelon

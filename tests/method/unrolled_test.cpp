// Unrolled and zeroth-order methods against known answers: where they end, how their bias shrinks
// with the number of steps, and how they fail.

#include <gtest/gtest.h>

#include <cmath>

#include "echelon/core/error.hpp"
#include "method/answers.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const Settings exact = exactly();
const Settings p_q = exact + Settings{{"problem.name", "p-q"}};

Settings steps(const std::string& inner, const std::string& alpha, const std::string& beta) {
  return {{"method.inner_steps", inner}, {"method.alpha", alpha}, {"method.beta", beta}};
}

// Strongly convex and smooth
// ------------------------------------------------------------------------------------------------

TEST(PQ, UnrolledMethodsReachTheSolution) {
  for (const char* name : {"unroll-backward", "unroll-forward"}) {
    EXPECT_LT(error_of(p_q + method(name, 600) + steps("60", ".1", ".4")), 1e-5) << name;
  }
  EXPECT_LT(error_of(p_q + method("unroll-backward", 600) +
                     Settings{{"method.products", "exact"}, {"method.inner_steps", "100"}}),
            1e-9);
  EXPECT_LT(error_of(p_q + method("unroll-truncated", 600) +
                     Settings{{"method.truncation", "60"}, {"method.inner_steps", "5"}}),
            0.3);  // K is at most T
  EXPECT_LT(error_of(p_q + method("unroll-truncated", 600) +
                     Settings{{"method.truncation", "40"}, {"method.warm_start", "yes"}}),
            1e-4);
}

TEST(PQ, ForwardAndBackwardTakeTheSameSteps) {
  for (const Settings& start : {Settings{}, Settings{{"method.warm_start", "yes"}},
                                Settings{{"method.start_at_x", "yes"}}}) {
    const Settings short_run = p_q + steps("7", ".1", ".3") + start;
    const Ending backward = end_of(short_run + method("unroll-backward", 20));
    const Ending forward = end_of(short_run + method("unroll-forward", 20));
    EXPECT_LT((backward.x - forward.x).norm(), 1e-8);
    EXPECT_LT((backward.y - forward.y).norm(), 1e-8);
  }
}

TEST(HetOne, UnrolledMethodsReachTheSolution) {
  const Settings het_1 = exact + Settings{{"problem.name", "log-cosh"}, {"network.agents", "8"}};
  for (const char* name : {"unroll-backward", "unroll-forward"}) {
    EXPECT_LT(error_of(het_1 + method(name, 600) + steps("60", ".1", ".5")), 2e-5) << name;
  }
}

TEST(PQ, ZerothOrderMethodsReachItsNeighborhood) {
  // Random: one seed, to a factor of three where a figure is known.
  const double plain = error_of(p_q + method("pzobo", 3000));
  EXPECT_GT(plain, 1.0e-1 / 3);
  EXPECT_LT(plain, 1.0e-1 * 3);
  const double fine = error_of(p_q + method("pzobo", 20000) + steps("30", ".002", ".5"));
  EXPECT_GT(fine, 4.2e-2 / 3);
  EXPECT_LT(fine, 4.2e-2 * 3);
  EXPECT_LT(error_of(p_q + method("pzobo", 3000) + Settings{{"method.upper_decay", ".5"}}), 0.1);
  EXPECT_LT(error_of(p_q + method("hozog", 3000)), 5e-2);
  EXPECT_LT(error_of(p_q + method("hozog", 1000) +
                     Settings{{"method.warm_start", "no"}, {"method.inner_steps", "40"}}),
            5e-2);
}

TEST(PQ, GradientsAsCounted) {
  const auto calls = [](const Settings& settings) {
    return run(p_q + settings).at("gradient_calls");
  };
  EXPECT_EQ(calls(method("pzobo", 10)), 10 * (10 * 11 + 1));
  EXPECT_EQ(calls(method("hozog", 10)), 10 * 10 * 11);
  EXPECT_EQ(calls(method("unroll-forward", 10)), 10 * (60 * (1 + 2 * 10) + 1));
  EXPECT_EQ(calls(method("unroll-sign", 10)), 10 * (5 + 1));
  const Settings real{{"method.products", "exact"}};
  EXPECT_EQ(calls(method("unroll-backward", 10) + real), 10 * (60 + 1));
}

// Laws
// ------------------------------------------------------------------------------------------------

TEST(PQ, UnrolledErrorFallsWithTheSlowestModeOfTheLowerLevel) {
  // (1 - beta mu)^T with beta mu = .25; the gradient's error is y's and the truncation's together.
  const auto error = [](const std::string& count) {
    return error_of(p_q + method("unroll-backward", 400) + steps(count, ".1", ".5") +
                    Settings{{"method.warm_start", "yes"}});
  };
  EXPECT_NEAR(std::pow(error("40") / error("20"), 1.0 / 20), 0.75, 0.02);
  const auto truncated = [](const std::string& count) {
    return error_of(p_q + method("unroll-truncated", 400) +
                    Settings{{"method.truncation", count}, {"method.inner_steps", "60"}});
  };
  EXPECT_NEAR(std::pow(truncated("30") / truncated("15"), 1.0 / 15), 0.75, 0.02);
}

TEST(PQ, AggregationIsBiasedByOneOverItsSteps) {
  const auto error = [](const std::string& count) {
    return error_of(p_q + method("bda", 100) + Settings{{"method.inner_steps", count}});
  };
  const double at_200 = error("200");
  EXPECT_LT(at_200, 5e-3);
  EXPECT_NEAR(at_200, 3.8e-3, 0.1e-3);
  EXPECT_NEAR(std::log(error("50") / at_200) / std::log(4.0), 1, 0.2);
  EXPECT_LT(error_of(p_q + method("bda", 400) + Settings{{"method.weight", "0"}}), 1e-7);
}

// Noise
// ------------------------------------------------------------------------------------------------

TEST(Noise, EstimatorsStandBeforeTheWholeDirection) {
  // What they estimate is exact without noise, and the points they remember count.
  for (const char* estimator : {"momentum", "storm", "sarah"}) {
    EXPECT_LT(error_of(p_q + method("unroll-backward", 1000) + steps("60", ".1", ".4") +
                       Settings{{"estimator.name", estimator}, {"method.warm_start", "yes"}}),
              1e-5)
        << estimator;
  }
  const Settings noisy = p_q + method("unroll-truncated", 2000) +
                         Settings{{"problem.noise", ".1"},
                                  {"method.alpha", ".05"},
                                  {"method.difference_rule", "absolute"},
                                  {"method.difference_step", ".1"}};
  const double plain = error_of(noisy);
  EXPECT_LT(plain, 0.5);
  EXPECT_LT(error_of(noisy + Settings{{"method.upper_decay", ".7"}}), plain);
}

// Beyond strong convexity
// ------------------------------------------------------------------------------------------------

TEST(Pbgd, EachStartEndsAtItsOwnMinimum) {
  const double minima[] = {0.3823600747669884, 1.2151454754759206, 2.8296418000222125};
  for (int start = 0; start < 3; ++start) {
    const Ending end = end_of(instance("pbgd", start) + method("unroll-backward", 300) +
                              steps("40", ".02", ".1") + Settings{{"method.warm_start", "yes"}});
    EXPECT_LT(std::abs(end.x(0) - minima[start]), 1e-5) << start;
  }
}

TEST(ManyMinimizers, OnlyAggregationFindsTheBestForTheUpperLevel) {
  for (const char* name : {"unroll-backward", "unroll-forward", "unroll-truncated"}) {
    const Ending end = end_of(instance("lls") + method(name, 600));
    EXPECT_NEAR(end.x(0), 0.5, 1e-3) << name;
  }
  for (const char* name : {"pzobo", "hozog"}) {
    const Ending end = end_of(instance("lls") + method(name, 3000) +
                              Settings{{"method.alpha", ".1"}, {"method.upper_decay", ".7"}});
    EXPECT_NEAR(end.x(0), 0.5, 2e-2) << name;
  }
  const auto distance = [](const std::string& count) {
    const Settings bda = method("bda", 300) + Settings{{"method.inner_steps", count}};
    return std::abs(end_of(instance("lls") + bda).x(0) - 1);
  };
  const double few = distance("40");
  EXPECT_NEAR(few, 0.1, 0.02);
  EXPECT_LT(distance("400"), few / 2);
}

// Failures to keep
// ------------------------------------------------------------------------------------------------

TEST(Failures, FewSmallStepsOfYLeaveABias) {
  const Settings few = p_q + method("unroll-backward", 600) + steps("20", ".1", ".1");
  EXPECT_GT(error_of(few), 0.1);
  EXPECT_NEAR(error_of(few + Settings{{"method.warm_start", "yes"}}), 0.14, 0.01);
}

TEST(Failures, SignStepsHaveNoDerivative) {
  const Ending end = end_of(p_q + method("unroll-sign", 600));
  EXPECT_LT((end.x.array() - 1).matrix().norm(), 1e-9);  // z0
  // With y started at x, the gradient of f by y counts.
  const Ending meta =
      end_of(p_q + method("unroll-sign", 600) + Settings{{"method.start_at_x", "yes"}});
  EXPECT_GT((meta.x - end.x).norm(), 0.1);
}

TEST(PQ, FirstOrderStepsTakeTheGradientAtTheLastY) {
  // y = A^-1 x: D = fx + fy = (x - 1) + x where y starts at x, D = fx = x - 1 where it does not.
  const Settings first_order = p_q + method("unroll-backward", 300) + steps("60", ".2", ".5") +
                               Settings{{"method.first_order", "yes"}};
  const Ending apart = end_of(first_order);
  EXPECT_LT((apart.x.array() - 1).matrix().norm(), 1e-9);
  const Ending meta = end_of(first_order + Settings{{"method.start_at_x", "yes"}});
  EXPECT_LT((meta.x.array() - 0.5).matrix().norm(), 1e-6);
}

TEST(Failures, BadSettingsAreRefused) {
  const Settings unroll = p_q + method("unroll-backward", 5);
  EXPECT_NE(refusal(unroll + Settings{{"method.inner_steps", "0"}}), "");
  EXPECT_NE(refusal(unroll + Settings{{"method.start_at_x", "yes"}, {"method.warm_start", "yes"}})
                .find("exclude each other"),
            std::string::npos);
  EXPECT_NE(refusal(unroll + Settings{{"method.start_at_x", "yes"}, {"method.truncation", "3"}})
                .find("method.truncation = 0"),
            std::string::npos);
  EXPECT_NE(
      refusal(instance("lls") + method("unroll-sign", 5) + Settings{{"method.start_at_x", "yes"}})
          .find("must be as many"),
      std::string::npos);
  EXPECT_NE(refusal(p_q + method("pzobo", 5) + Settings{{"method.mu", "0"}}), "");
  EXPECT_NE(refusal(p_q + method("bda", 5) + Settings{{"method.weight", "2"}}), "");
}

// Many agents
// ------------------------------------------------------------------------------------------------

const char* const all_methods[] = {"unroll-backward",
                                   "unroll-truncated",
                                   "unroll-forward",
                                   "unroll-sign",
                                   "bda",
                                   "pzobo",
                                   "hozog"};

const Settings small_quadratic{{"problem.name", "quadratic"},
                               {"problem.upper_dimension", "4"},
                               {"problem.lower_dimension", "6"},
                               {"network.agents", "8"},
                               {"metrics.every", "1000000"}};

TEST(Agents, ZeroMeanPerturbationsDoNotMoveAllReduce) {
  for (const char* name : all_methods) {
    const Settings base = p_q + method(name, 30) + Settings{{"method.inner_steps", "20"}};
    const Ending one = end_of(base);
    const Ending many =
        end_of(base + Settings{{"network.agents", "5"}, {"problem.heterogeneity", "1"}});
    EXPECT_LT((one.x - many.x).norm(), 1e-7 * one.x.norm()) << name;
    EXPECT_LT((one.y - many.y).norm(), 1e-7 * one.y.norm()) << name;
  }
}

TEST(Agents, TrackingOnARingEndsAtTheAllReduceAnswer) {
  for (const char* name : {"unroll-backward", "unroll-truncated", "unroll-forward", "bda"}) {
    const Settings base =
        Settings{{"problem.name", "quadratic"},    {"problem.upper_dimension", "4"},
                 {"problem.lower_dimension", "6"}, {"network.agents", "8"},
                 {"metrics.every", "1000000"},     {"method.beta", ".3"}} +
        method(name, 400) + Settings{{"method.inner_steps", "30"}};
    const Ending together = end_of(base + Settings{{"consensus.strategy", "all-reduce"}});
    const Ending ring = end_of(base + Settings{{"consensus.strategy", "gt-atc"}});
    EXPECT_LT((together.x - ring.x).norm(), 1e-6) << name;
    EXPECT_LT((together.y - ring.y).norm(), 1e-6) << name;
  }
  // Random directions never settle, but they are common to all agents.
  for (const char* name : {"pzobo", "hozog"}) {
    const auto gap = [&](const char* alpha) {
      const Settings base =
          small_quadratic + Settings{{"method.alpha", alpha}} + method(name, 2000);
      const Ending together = end_of(base + Settings{{"consensus.strategy", "all-reduce"}});
      return (together.x - end_of(base + Settings{{"consensus.strategy", "gt-atc"}}).x).norm();
    };
    const double near = gap(".005"), far = gap(".02");
    EXPECT_LT(near, 0.6 * far) << name;
    EXPECT_LT(near, 1e-2) << name;
  }
}

TEST(Agents, PersonalLowerLevelsAreSolvedByEachForItself) {
  const Settings base = small_quadratic + Settings{{"consensus.strategy", "gt-atc"},
                                                   {"consensus.y", "none"},
                                                   {"problem.condition", "3"},
                                                   {"method.beta", ".5"}};
  for (const char* name : {"unroll-backward", "unroll-forward"}) {
    const auto last = run(base + method(name, 400) + steps("250", ".3", ".5"));
    EXPECT_LT(last.at("distance_to_solution"), 1e-6) << name;
  }
  for (const char* name : {"pzobo", "hozog"}) {
    EXPECT_LT(error_of(base + method(name, 2000) + steps("40", ".1", ".5") +
                       Settings{{"method.upper_decay", ".7"}}),
              0.1)
        << name;
  }
}

// Sets
// ------------------------------------------------------------------------------------------------

TEST(Sets, DerivativesOfProjectionsCount) {
  for (const char* name : {"unroll-backward", "unroll-forward"}) {
    EXPECT_LT(error_of(instance("henderson-quandt") + method(name, 300) + steps("60", ".2", ".4")),
              1e-9)
        << name;
    EXPECT_LT(error_of(instance("bard98-02") + method(name, 1000) + steps("60", ".05", ".5")), 1e-9)
        << name;
    // The answer is a kink: steps have to fall.
    EXPECT_LT(error_of(instance("de-silva") + method(name, 2000) + steps("60", ".02", ".25") +
                       Settings{{"method.upper_decay", "1"}}),
              1e-6)
        << name;
  }
  for (const char* name : {"pzobo", "hozog"}) {
    EXPECT_LT(error_of(instance("bard98-02") + method(name, 3000) + steps("10", ".02", ".5")), 1e-2)
        << name;
    EXPECT_LT(error_of(instance("min-max") + method(name, 3000)), 1e-2) << name;
  }
  EXPECT_LT(error_of(instance("bard98-02") + method("bda", 500) + steps("200", ".05", ".5")), 1e-2);
  EXPECT_LT(error_of(instance("de-silva") + method("bda", 500) + steps("200", ".02", ".25")), 1e-2);
}

}  // namespace
}  // namespace echelon

// Implicit methods against known answers: where they end, how far their bias reaches, and how they
// fail.

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

Settings iterations(std::int64_t count) {
  return {{"run.iterations", std::to_string(count)}};
}

/// Of x, y and v.
Settings steps(const std::string& alpha, const std::string& lower) {
  return {{"method.alpha", alpha}, {"method.beta", lower}, {"method.gamma", lower}};
}

/// The same for methods without v.
Settings two_steps(const std::string& alpha, const std::string& beta) {
  return {{"method.alpha", alpha}, {"method.beta", beta}};
}

Settings inner(std::int64_t count) {
  return {{"method.inner_steps", std::to_string(count)}};
}

Settings series(std::int64_t terms, const std::string& eta) {
  return {{"method.solver_steps", std::to_string(terms)},
          {"method.eta", eta},
          {"method.truncation", "sum"}};
}

const Settings constant_steps{{"method.upper_decay", "0"}, {"method.lower_decay", "0"}};
const Settings exact_products{{"method.products", "exact"}};

// Strongly convex lower levels: all of them are exact
// ------------------------------------------------------------------------------------------------

TEST(StronglyConvex, SingleLoopsReachTheSolution) {
  const Settings chosen = steps(".1", ".3");
  const std::map<std::string, Settings> rows{
      {"soba, exact products", Settings{{"method.name", "soba"}} + exact_products},
      {"soba", {{"method.name", "soba"}}},
      {"soba, forward", {{"method.name", "soba"}, {"method.difference", "forward"}}},
      {"soba, y first", {{"method.name", "soba"}, {"method.order", "y-first"}}},
      {"soba, Gauss-Seidel", {{"method.name", "soba"}, {"method.order", "gauss-seidel"}}},
      {"hjfbio", {{"method.name", "hjfbio"}}},
      {"ma-soba", {{"method.name", "ma-soba"}}},
      {"fsla", {{"method.name", "fsla"}}},
      {"fdehbo", {{"method.name", "fdehbo"}}},
      {"fmbo", {{"method.name", "fmbo"}}},
  };
  for (const auto& [what, settings] : rows) {
    EXPECT_LT(error_of(p_q + settings + chosen + iterations(600)), 1e-5) << what;
    EXPECT_LT(error_of(het_1 + settings + chosen + iterations(600)), 2e-5) << what;
    EXPECT_LT(error_of(qg_1 + settings + chosen + iterations(6000)), 1e-5) << what;
  }
}

TEST(StronglyConvex, DoubleLoopsReachTheSolution) {
  const Settings chosen = two_steps(".1", ".4");
  const std::map<std::string, Settings> rows{
      {"aid-cg", {{"method.name", "aid-cg"}}},
      {"aid-cg, exact products", Settings{{"method.name", "aid-cg"}} + exact_products},
      {"qnbo", {{"method.name", "qnbo"}}},
      {"qnbo, SR1", {{"method.name", "qnbo"}, {"method.kind", "sr1"}}},
      {"ma-dsbo", {{"method.name", "ma-dsbo"}, {"method.gamma", ".4"}}},
  };
  for (const auto& [what, settings] : rows) {
    EXPECT_LT(error_of(p_q + settings + chosen + iterations(600)), 1e-5) << what;
    EXPECT_LT(error_of(het_1 + settings + chosen + iterations(600)), 2e-5) << what;
    EXPECT_LT(error_of(qg_1 + settings + chosen + iterations(1500)), 1e-5) << what;
  }
}

TEST(StronglyConvex, NeumannSeriesReachTheSolution) {
  const std::map<std::string, Settings> rows{
      {"aid-neumann", Settings{{"method.name", "aid-neumann"}} + two_steps(".1", ".4")},
      {"stocbio", Settings{{"method.name", "stocbio"}} + two_steps(".1", ".3") + inner(20)},
      {"sustain", Settings{{"method.name", "sustain"}} + two_steps(".1", ".3") + constant_steps},
      {"mrbo", Settings{{"method.name", "mrbo"}} + two_steps(".1", ".3") + constant_steps},
  };
  for (const auto& [what, settings] : rows) {
    EXPECT_LT(error_of(p_q + settings + series(60, ".4") + iterations(600)), 1e-5) << what;
    EXPECT_LT(error_of(het_1 + settings + series(60, ".4") + iterations(600)), 2e-5) << what;
  }
  const Settings slow = method("aid-neumann", 1500) + two_steps(".1", ".4");
  EXPECT_LT(error_of(qg_1 + slow + series(250, ".4")), 1e-5);
}

TEST(StronglyConvex, ZeroMeanPerturbationsDoNotMoveAllReduce) {
  for (const char* name : {"soba", "hjfbio", "ma-soba", "fsla", "fdehbo", "fmbo", "aid-cg",
                           "aid-neumann", "stocbio", "sustain", "mrbo", "qnbo", "ma-dsbo"}) {
    const Settings base = p_q + method(name, 200);
    const Ending one = end_of(base);
    const Ending many =
        end_of(base + Settings{{"network.agents", "5"}, {"problem.heterogeneity", "1"}});
    EXPECT_LT((one.x - many.x).norm(), 1e-8 * one.x.norm()) << name;
    EXPECT_LT((one.y - many.y).norm(), 1e-8 * one.y.norm()) << name;
  }
}

TEST(StronglyConvex, ErrorOfDifferencesFallsLikeTheirWidthOrItsSquare) {
  const auto error = [](const std::string& form, const std::string& width) {
    return error_of(het_1 + method("soba", 2000) +
                    Settings{{"method.difference", form},
                             {"method.difference_rule", "absolute"},
                             {"method.difference_step", width}});
  };
  EXPECT_NEAR(std::log10(error("central", ".1") / error("central", ".01")), 2, 0.1);
  EXPECT_NEAR(std::log10(error("forward", ".1") / error("forward", ".01")), 1, 0.1);
}

TEST(Cost, ForwardDifferencesSpareACallWhereTheGradientIsAtHand) {
  const Settings soba = p_q + method("soba", 100);
  const double central = run(soba).at("gradient_calls");
  const double forward =
      run(soba + Settings{{"method.difference", "forward"}}).at("gradient_calls");
  EXPECT_NEAR(central, 400, 10);  // products with v = 0 are free
  EXPECT_NEAR(forward, 300, 5);
}

// Bias laws, and failures that are known
// ------------------------------------------------------------------------------------------------

TEST(Neumann, BiasFallsAtTheRateOfTheSmallestEigenvalue) {
  // eta mu = .25: (1 - eta mu)^Q of v is missing.
  const auto error = [](std::int64_t terms) {
    return error_of(p_q + method("aid-neumann", 600) + two_steps(".1", ".4") + inner(40) +
                    series(terms, ".5"));
  };
  EXPECT_NEAR(std::pow(error(20) / error(10), 0.1), 0.75, 0.02);
}

TEST(Neumann, RandomTruncationIsUnbiasedForTheSum) {
  // Steps that fall average the noise of the random term.
  const Settings falling{{"method.upper_decay", "1"}, {"method.decay_offset", "10"}};
  const Settings base = p_q + method("aid-neumann", 20000) + two_steps(".05", ".4") + inner(2) +
                        series(40, ".4") + falling;
  EXPECT_LT(error_of(base + Settings{{"method.truncation", "random"}}), 0.1);
}

TEST(Failures, CrudeInversesAreBiased) {
  EXPECT_GT(error_of(p_q + method("aid-identity", 600)), 0.1);
  EXPECT_GT(error_of(p_q + method("one-step", 600)), 0.1);
  const Settings qnbo = method("qnbo", 600) + two_steps(".1", ".4");
  EXPECT_GT(error_of(p_q + qnbo + Settings{{"method.extra_steps", "0"}}), 0.03);
  const Settings damped{{"method.solver_steps", "5"}, {"method.damping", "1"}};
  EXPECT_GT(error_of(p_q + method("aid-cg", 600) + damped), 0.03);
}

TEST(Failures, ManyMinimizersOfTheLowerLevel) {
  for (const char* name : {"soba", "hjfbio", "fsla", "ma-soba"}) {
    const auto last = run(instance("lls") + method(name, 5000));
    EXPECT_NEAR(end_of(instance("lls") + method(name, 5000)).x(0), 0.5, 1e-4) << name;
    EXPECT_NEAR(last.at("upper_value"), 0.25, 1e-4) << name;
  }
  // The system of the best y has no solution.
  run(instance("lls") + method("aid-cg", 5000) + exact_products, MPI_COMM_WORLD, Status::diverged);
  const Ending damped =
      end_of(instance("lls") + method("aid-cg", 5000) + Settings{{"method.damping", "1e-2"}});
  EXPECT_NEAR(damped.x(0), 0.5, 1e-2);
}

// Other problems
// ------------------------------------------------------------------------------------------------

TEST(Pbgd, EachStartEndsAtItsOwnMinimum) {
  const double minima[] = {0.3823600747669884, 1.2151454754759206, 2.8296418000222125};
  for (int start = 0; start < 3; ++start) {
    const auto error = [&](const Settings& settings) {
      return std::abs(end_of(instance("pbgd", start) + settings).x(0) - minima[start]);
    };
    EXPECT_LT(error(method("hjfbio", 3000) + steps(".02", ".1")), 1e-5) << start;
    EXPECT_LT(error(method("aid-cg", 500) + two_steps(".02", ".1") + inner(30)), 1e-5) << start;
  }
}

TEST(Coreset, AllStarts) {
  for (int start = 0; start < 3; ++start) {
    const auto last = run(instance("coreset", start) + method("hjfbio", 20000));
    EXPECT_NEAR(last.at("upper_value"), 0.72, 1e-3) << start;
  }
}

TEST(Ridge, FactorsOfTheHessianGiveTheTrajectoryOfConjugateGradients) {
  const Settings base = exact +
                        Settings{{"problem.name", "ridge"}, {"metrics.hypergradient", "yes"}} +
                        two_steps(".5", ".1") + inner(60);
  for (const std::int64_t count : {50, 2000}) {
    const auto cg = run(base + method("aid-cg", count));
    const auto factors = run(base + method("aid-woodfisher", count));
    EXPECT_NEAR(cg.at("upper_value"), factors.at("upper_value"), 1e-8);
    EXPECT_NEAR(cg.at("hypergradient_norm"), factors.at("hypergradient_norm"), 1e-7);
    if (count == 2000) {
      EXPECT_LT(cg.at("hypergradient_norm"), 1.5e-3);
    }
  }
}

// Sampled oracles, one sample per call
// ------------------------------------------------------------------------------------------------

const Settings sampled = qg_1 + Settings{{"problem.batch", "1"}};

/// Over four seeds.
double mean_error(const Settings& settings) {
  double sum = 0;
  for (const char* seed : {"1", "2", "3", "4"}) {
    sum += error_of(sampled + settings + Settings{{"run.seed", seed}});
  }
  return sum / 4;
}

TEST(Sampled, VarianceReductionConvergesToTheSolution) {
  const Settings base = method("soba", 20000) + steps(".05", ".2");
  EXPECT_LT(
      mean_error(base + Settings{{"estimator.name", "saga"}, {"estimator.saga_batches", "16"}}),
      1e-4);
  EXPECT_LT(mean_error(base + Settings{{"estimator.name", "sarah"}, {"estimator.period", "32"}}),
            1e-4);
}

TEST(Sampled, OthersReachTheirNoiseFloor) {
  const Settings falling{{"method.upper_decay", "0.5"}, {"method.lower_decay", "0.5"}};
  const std::map<std::string, Settings> rows{
      {"soba", method("soba", 20000) + steps(".1", ".3") + falling},
      {"ma-soba",
       method("ma-soba", 20000) + steps(".1", ".3") + falling + Settings{{"method.theta", ".1"}}},
      {"fsla", method("fsla", 20000) + steps(".1", ".3") + falling},
      {"fdehbo", method("fdehbo", 5000)},
      {"sustain", method("sustain", 2000) + series(20, ".5")},
      {"mrbo", method("mrbo", 2000) + series(20, ".5")},
      {"stocbio",
       method("stocbio", 20000) + inner(5) + two_steps(".1", ".3") + series(20, ".4") + falling},
  };
  for (const auto& [what, settings] : rows) {
    const double error = mean_error(settings);
    EXPECT_LT(error, 0.4) << what;
    EXPECT_GT(error, 1e-3) << what;
  }
}

// Decentralized
// ------------------------------------------------------------------------------------------------

const Settings ring = het_1 + Settings{{"network.topology", "ring"}, {"network.lazy", "yes"}};
const Settings sparkle = method("soba", 6000) + steps(".03", ".1") +
                         Settings{{"method.order", "gauss-seidel"}, {"method.theta", ".3"}};

Settings by(const std::string& strategy) {
  return {{"consensus.strategy", strategy}};
}

TEST(Ring, SparkleIsExactWithEveryCorrectedStrategy) {
  for (const char* strategy : {"exact-diffusion", "extra", "gt-atc", "gt-semi", "gt-nonatc"}) {
    const auto last = run(ring + sparkle + exact_products + by(strategy));
    EXPECT_LT(last.at("distance_to_solution"), 1e-13) << strategy;
    EXPECT_LT(last.at("consensus_error_x"), 1e-28) << strategy;
  }
  const Settings mixed = by("exact-diffusion") + Settings{{"consensus.x", "gt-atc"}};
  EXPECT_LT(error_of(ring + sparkle + exact_products + mixed), 1e-13);
}

TEST(Ring, SparkleByDifferencesHasTheErrorOfTheirSquaredWidth) {
  const auto error = [](const std::string& width) {
    return error_of(
        ring + sparkle + by("exact-diffusion") +
        Settings{{"method.difference_rule", "capped"}, {"method.difference_step", width}});
  };
  EXPECT_LT(error("1e-3"), 1e-7);
  EXPECT_NEAR(std::log10(error("1e-1") / error("1e-2")), 2, 0.1);
}

TEST(Ring, SldboIsExact) {
  const auto last = run(ring + method("soba", 6000) + steps(".03", ".1") + exact_products +
                        Settings{{"method.radius", "1000"}} + by("gt-nonatc"));
  EXPECT_LT(last.at("distance_to_solution"), 1e-13);
  EXPECT_LT(last.at("consensus_error_x"), 1e-28);
}

TEST(Ring, GossipIsBiasedByItsStep) {
  const auto last = [](const std::string& step, std::int64_t count) {
    return run(ring + method("soba", count) + steps(step, step) + exact_products +
               Settings{{"method.theta", ".3"}, {"method.theta_start", "zero"}} + by("gossip-atc"));
  };
  const auto large = last(".01", 20000);
  const auto small = last(".001", 100000);
  const double ratio = large.at("distance_to_solution") / small.at("distance_to_solution");
  EXPECT_GT(ratio, 4);
  EXPECT_LT(ratio, 10);
  EXPECT_GT(large.at("consensus_error_x"), 10 * small.at("consensus_error_x"));
}

TEST(Ring, InnerLoopsWantTheirTrackersCarried) {
  const Settings base = ring + method("ma-dsbo", 2000) + by("gt-nonatc") + exact_products +
                        Settings{{"consensus.x", "gt-semi"}} + steps(".03", ".1");
  const Settings restarted{{"method.carry_trackers", "no"}};
  const auto loops = [](const std::string& length) {
    return Settings{{"method.inner_steps", length}, {"method.solver_steps", length}};
  };
  EXPECT_LT(error_of(base + loops("10")), 1e-5);
  const double short_loops = error_of(base + loops("10") + restarted);
  const double long_loops = error_of(base + loops("60") + restarted);
  EXPECT_GT(short_loops, 5e-3);
  EXPECT_LT(long_loops, short_loops / 4);
}

TEST(Ring, TrackingEndsAtTheAllReduceAnswer) {
  const Settings base{{"problem.name", "quadratic"},
                      {"problem.heterogeneity", "0.5"},
                      {"network.agents", "8"},
                      {"metrics.every", "1000000"}};
  for (const char* name :
       {"soba", "hjfbio", "ma-soba", "fsla", "fdehbo", "fmbo", "aid-cg", "aid-neumann",
        "aid-identity", "one-step", "stocbio", "mrbo", "qnbo", "ma-dsbo"}) {
    const Settings long_run = base + method(name, 3000) + two_steps(".05", ".2");
    const Ending one = end_of(long_run + by("all-reduce"));
    const Ending many = end_of(long_run + by("gt-atc"));
    EXPECT_LT((one.x - many.x).norm(), 1e-6) << name;
    EXPECT_LT((one.y - many.y).norm(), 1e-6) << name;
  }
}

TEST(Personal, EachAgentsOwnLowerLevelHasItsOwnClosedForm) {
  const Settings base{{"problem.name", "quadratic"},    {"problem.heterogeneity", "0.5"},
                      {"network.agents", "8"},          {"metrics.every", "1000000"},
                      {"consensus.strategy", "gt-atc"}, {"consensus.y", "none"}};
  for (const char* name : {"ma-soba", "fsla", "hjfbio", "aid-cg", "qnbo", "ma-dsbo"}) {
    const Settings chosen = method(name, 3000) + two_steps(".05", ".2");
    EXPECT_LT(error_of(base + chosen), 1e-6) << name;
  }
}

// Refusals
// ------------------------------------------------------------------------------------------------

TEST(Refusals, SayWhatIsWrong) {
  EXPECT_NE(refusal(p_q + method("aid-woodfisher", 10)).find("no factors of its Hessian"),
            std::string::npos);
  for (const auto& [name, key, value] :
       std::vector<std::array<std::string, 3>>{{"soba", "theta", "0"},
                                               {"soba", "order", "x-first"},
                                               {"fsla", "eta", "0"},
                                               {"aid-cg", "damping", "-1"},
                                               {"aid-neumann", "eta", "0"},
                                               {"qnbo", "memory", "0"},
                                               {"ma-dsbo", "solver_steps", "0"}}) {
    EXPECT_NE(refusal(p_q + method(name, 10) + Settings{{"method." + key, value}}).find(key),
              std::string::npos)
        << name << " " << key;
  }
}

TEST(Aid, AloneEachAgentInvertsItsOwnHessianWhichIsWrongWhereTheyDiffer) {
  const Settings base =
      method("aid-cg", 600) + two_steps(".05", ".2") + inner(10) +
      Settings{
          {"network.agents", "8"}, {"consensus.strategy", "gt-atc"}, {"metrics.every", "1000000"}};
  const Settings alone{{"method.alone", "yes"}};
  const Settings alike{{"problem.name", "p-q"}, {"problem.heterogeneity", "0.5"}};
  EXPECT_LT(error_of(base + alike + alone), 1e-5);  // one Hessian for all
  const Settings different{{"problem.name", "quadratic"}};
  EXPECT_GT(error_of(base + different + alone), 1e-2);
  EXPECT_LT(error_of(base + different + iterations(4000)), 1e-5);
}

}  // namespace
}  // namespace echelon

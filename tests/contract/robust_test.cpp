// Whole runs with agents that lie: where they end by rules that bear them, and what is refused.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "compositions.hpp"

namespace echelon {
namespace {

using namespace testing_support;

Settings settings(const std::string& method, double heterogeneity) {
  return small_problem("quadratic") +
         Settings{{"problem.heterogeneity", std::to_string(heterogeneity)},
                  {"method.name", method},
                  {"method.alpha", "0.05"},
                  {"method.beta", "0.1"},
                  {"network.agents", "10"},
                  {"network.topology", "complete"},
                  {"consensus.strategy", "all-reduce"},
                  {"run.iterations", "4000"},
                  {"metrics.every", "1000000"}};
}

Settings attack(const std::string& kind, const std::string& scale) {
  Settings settings{{"attack.kind", kind}, {"attack.fraction", "0.2"}};
  if (kind != "nan") settings["attack.scale"] = scale;
  return settings;
}

Settings by(const std::string& rule) {
  return {{"consensus.aggregation", rule}};
}

const char* const rules[] = {"median", "trimmed-mean", "centered-clipping"};

double error_of(const Settings& all) {
  return run(all).at("distance_to_solution");
}

TEST(Attackers, DivertTheMeanOnBothLevelsButNoRule) {
  const Settings soba = settings("soba", 0);
  const Settings attacks[] = {attack("sign-flip", "10"), attack("noise", "200"),
                              attack("nan", "1")};
  for (const Settings& lies : attacks) {
    run(soba + lies, MPI_COMM_WORLD, Status::diverged);
    for (const char* const rule : rules) {
      EXPECT_LT(error_of(soba + lies + by(rule)), 1e-6) << rule << lies.at("attack.kind");
    }
  }
}

TEST(Attackers, AreBornByClippedGossip) {
  const Settings soba = settings("soba", 0.02) + Settings{{"consensus.strategy", "clipped-gossip"}};
  const Settings plain{{"consensus.strategy", "gossip-atc"}};
  // Who sends what is not finite is left out: the answer of the others is that far away.
  const double most = 2 * error_of(soba + attack("nan", "1"));
  EXPECT_LT(most, 0.15);
  for (const auto& lies : {attack("sign-flip", "50"), attack("noise", "100"), attack("nan", "1"),
                           attack("dissensus", "10")}) {
    EXPECT_LT(error_of(soba + lies), most) << lies.at("attack.kind");
    run(soba + plain + lies, MPI_COMM_WORLD, Status::diverged);
  }
  EXPECT_LT(error_of(soba + attack("little", "10")), most);
  EXPECT_LT(error_of(soba), most);
}

TEST(Attackers, AreBornByMethodsThatCombineMeans) {
  const Settings fedmsa = settings("fedmsa", 0) + Settings{{"method.alpha", "0.02"}};
  for (const char* const rule : rules) {
    EXPECT_LT(error_of(fedmsa + by(rule) + attack("noise", "200")), 1e-6) << rule;
  }
  run(fedmsa + attack("noise", "200"), MPI_COMM_WORLD, Status::diverged);
}

TEST(Attackers, AreBornInRoundsOfSomeClients) {
  const Settings turns{{"consensus.local_steps", "2"},
                       {"participation.clients", "25"},
                       {"participation.probability", "0.9"}};
  for (const char* const strategy : {"local-server", "local-server-cv"}) {
    const Settings soba = settings("soba", 0) + turns + Settings{{"consensus.strategy", strategy}};
    for (const char* const rule : rules) {
      EXPECT_LT(error_of(soba + by(rule) + attack("nan", "1")), 1e-6) << strategy << rule;
      EXPECT_LT(error_of(soba + by(rule) + attack("sign-flip", "10")), 1e-6) << strategy << rule;
    }
  }
}

TEST(Rules, LeaveWhatIsSentAsItIs) {
  const Settings brief = settings("f2sa", 0.1) + Settings{{"run.iterations", "7"}};
  const double by_mean = run(brief).at("bytes_sent");
  for (const char* const rule : rules) {
    EXPECT_EQ(run(brief + by(rule)).at("bytes_sent"), by_mean) << rule;
  }
}

std::string refusal(const Settings& all) {
  try {
    run(all);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage));
    return error.what();
  }
  return "none";
}

TEST(Rules, AreRefusedWherePlainMeansAreTakenBesides) {
  for (const Settings& more : {by("median"), attack("nan", "1")}) {
    EXPECT_NE(refusal(settings("aid-cg", 0) + more).find("plain means over agents inside"),
              std::string::npos);
    EXPECT_NE(refusal(settings("soba", 0) + more + Settings{{"steps.rule", "normalized"}})
                  .find("choose steps.rule = constant"),
              std::string::npos);
    EXPECT_NE(refusal(settings("bome", 0) + more + Settings{{"consensus.strategy", "gossip-atc"}})
                  .find("all-reduce"),
              std::string::npos);
  }
}

TEST(Rules, MayDifferFromVariableToVariable) {
  const Settings mixed = settings("soba", 0) + attack("sign-flip", "10") +
                         Settings{{"consensus-x.aggregation", "centered-clipping"},
                                  {"consensus-y.aggregation", "median"},
                                  {"consensus-auxiliary.aggregation", "trimmed-mean"}};
  EXPECT_LT(error_of(mixed), 1e-6);
}

}  // namespace
}  // namespace echelon

// Which options a composition reads, and what it says about the others.

#include <gtest/gtest.h>

#include "echelon/experiment/experiment.hpp"
#include "echelon/experiment/judge.hpp"

namespace echelon {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

struct Read {
  explicit Read(const Settings& settings) {
    for (const auto& [key, value] : settings) configuration.set(key, value, "a.ini:3");
    general.read_from(configuration);
  }
  /// Empty if all options are read.
  std::string refusal() const {
    try {
      configuration.require_all_read(part_axes(general));
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage));
      return error.what();
    }
    return "";
  }
  bool declares(const std::string& key) const {
    for (const auto& option : configuration.declared()) {
      if (option.name == key) return true;
    }
    return false;
  }

  Configuration configuration;
  GeneralOptions general;
};

std::string refusal(const Settings& settings) {
  return Read(settings).refusal();
}

TEST(Options, OfAStrategyAreRefusedWithAnother) {
  EXPECT_EQ(refusal({{"consensus.local_steps", "5"}}),
            "a.ini:3: consensus.local_steps is read by local-server, local-server-cv; this run "
            "uses gt-atc");
  EXPECT_EQ(refusal({{"consensus.local_steps", "5"}, {"consensus.strategy", "fedavg"}}), "");
  EXPECT_EQ(refusal({{"consensus.compression_ratio", "0.5"}}),
            "a.ini:3: consensus.compression_ratio is read by random-k, random-k-unbiased, top-k, "
            "which are choices of consensus.compressor; consensus.compressor is read by choco, "
            "compressed-tracking; this run uses gt-atc");
  EXPECT_EQ(refusal({{"consensus.strategy", "choco"},
                     {"consensus.compressor", "sign"},
                     {"consensus.compression_ratio", "0.5"}}),
            "a.ini:3: consensus.compression_ratio is read by random-k, random-k-unbiased, top-k; "
            "this run uses sign");
  EXPECT_EQ(refusal({{"consensus.trimmed_fraction", "0.3"}}),
            "a.ini:3: consensus.trimmed_fraction is read by trimmed-mean, clipped-gossip; this run "
            "uses gt-atc");
  EXPECT_EQ(refusal({{"consensus.strategy", "all-reduce"},
                     {"consensus.aggregation", "median"},
                     {"consensus.trimmed_fraction", "0.3"}}),
            "a.ini:3: consensus.trimmed_fraction is read by trimmed-mean, clipped-gossip; this run "
            "uses median");
  EXPECT_EQ(refusal({{"consensus.strategy", "all-reduce"},
                     {"consensus.aggregation", "median"},
                     {"consensus.mix_nearest", "yes"},
                     {"consensus.trimmed_fraction", "0.3"}}),
            "");
}

TEST(Options, OfOtherPartsAreRefusedLikewise) {
  EXPECT_EQ(refusal({{"estimator.saga_batches", "5"}}),
            "a.ini:3: estimator.saga_batches is read by saga; this run uses plain");
  EXPECT_EQ(refusal({{"steps.initial", "5"}}),
            "a.ini:3: steps.initial is read by accumulated, accumulated-local; this run uses "
            "constant");
  EXPECT_EQ(refusal({{"attack.kind", "nan"}, {"attack.scale", "2"}}),
            "a.ini:3: attack.scale is read by sign-flip, noise, dissensus, little; this run uses "
            "nan");
}

TEST(Options, AreRefusedTogetherAndInOrder) {
  EXPECT_EQ(
      refusal(
          {{"estimator.theta", "0.5"}, {"consensus.lazy", "no"}, {"consensus.local_stepps", "3"}}),
      "a.ini:3: consensus.lazy is read by extra, exact-diffusion; this run uses gt-atc\n"
      "a.ini:3: there is no option `consensus.local_stepps` in this composition; the nearest "
      "is `consensus.local_steps`\n"
      "a.ini:3: estimator.theta is read by momentum; this run uses plain");
}

TEST(Options, MayBeReadByTheStrategyOfOneVariable) {
  const Settings mixed{{"consensus.strategy", "gt-atc"}, {"consensus.x", "local-server"}};
  const auto with = [&](Settings more) {
    more.insert(more.end(), mixed.begin(), mixed.end());
    return Read(more);
  };
  const Read both = with({{"consensus.local_steps", "5"}, {"consensus.mixing_rounds", "2"}});
  EXPECT_EQ(both.refusal(), "");
  EXPECT_EQ(both.general.consensus.upper.as<LocalServerOptions>().local_steps, 5);
  EXPECT_EQ(both.general.consensus.lower.as<MixingOptions>().mixing_rounds, 2);
  EXPECT_EQ(with({{"consensus-x.local_steps", "5"}}).refusal(), "");
  EXPECT_EQ(with({{"consensus-y.local_steps", "5"}}).refusal(),
            "a.ini:3: consensus-y.local_steps is read by local-server, local-server-cv; this run "
            "uses gt-atc");
  EXPECT_EQ(with({{"consensus.lazy", "no"}}).refusal(),
            "a.ini:3: consensus.lazy is read by extra, exact-diffusion; this run uses "
            "local-server, gt-atc");
}

TEST(Options, OfOneVariableBeatThoseOfAll) {
  const Read read({{"consensus.strategy", "choco"},
                   {"consensus.compressor", "quantization"},
                   {"consensus.compression_bits", "3"},
                   {"consensus.compression_block", "64"},
                   {"consensus-y.compressor", "sign"}});
  EXPECT_EQ(read.refusal(), "");
  const auto& x = read.general.consensus.upper.as<CompressedOptions>().compressor;
  const auto& y = read.general.consensus.lower.as<CompressedOptions>().compressor;
  EXPECT_EQ(x.as<QuantizationOptions>().block, 64);
  EXPECT_EQ(y->name, "sign");
  EXPECT_EQ(y.as<SignOptions>().block, 64);
}

TEST(Options, OfMethodsThatCombineMeansAreThoseThatMeansFollow) {
  const Settings pgd{{"method.name", "pgd-cqa"}, {"consensus.strategy", "extra"}};
  const auto with = [&](Settings more) {
    more.insert(more.end(), pgd.begin(), pgd.end());
    return Read(more);
  };
  const Read rounds = with({{"consensus.mixing_rounds", "3"}, {"consensus-x.chebyshev", "yes"}});
  EXPECT_EQ(rounds.refusal(), "");
  const ConsensusOptions& consensus = rounds.general.consensus;
  EXPECT_EQ(consensus.means.mixing.mixing_rounds, 3);
  EXPECT_EQ(consensus.mixing_along_means(Role::upper).mixing_rounds, 3);
  EXPECT_TRUE(consensus.mixing_along_means(Role::upper).chebyshev);
  EXPECT_FALSE(consensus.mixing_along_means(Role::lower).chebyshev);
  EXPECT_EQ(with({{"consensus.lazy", "no"}}).refusal(),
            "a.ini:3: consensus.lazy is read by extra, exact-diffusion; this run uses dynamic "
            "average consensus, since pgd-cqa combines means");
  const Settings exact{{"method.name", "pgd-cqa"}, {"consensus.strategy", "all-reduce"}};
  const auto exactly = [&](Settings more) {
    more.insert(more.end(), exact.begin(), exact.end());
    return Read(more);
  };
  const Read median = exactly({{"consensus.aggregation", "median"}});
  EXPECT_EQ(median.refusal(), "");
  EXPECT_EQ(median.general.consensus.means.aggregation->name, "median");
  EXPECT_NE(exactly({{"consensus.mixing_rounds", "3"}}).refusal(), "");
}

TEST(Options, OfAuxiliariesAreReadWhereStrategiesMoveThem) {
  // The yhat of bome steps by its strategy; x and y along combined means.
  const Settings bome{{"method.name", "bome"}, {"consensus.auxiliary", "choco"}};
  const auto with = [&](Settings more) {
    more.insert(more.end(), bome.begin(), bome.end());
    return Read(more);
  };
  const Read read = with({{"consensus.consensus_step", "0.5"}, {"consensus.mixing_rounds", "2"}});
  EXPECT_EQ(read.refusal(), "");
  EXPECT_EQ(read.general.consensus.auxiliary.as<CompressedOptions>().consensus_step, 0.5);
  const Read none({{"method.name", "pgd-cqa"},
                   {"consensus.auxiliary", "choco"},
                   {"consensus.consensus_step", "0.5"}});
  EXPECT_NE(none.refusal(), "");
}

TEST(Options, OfRoundsAreThoseOfYWhereNothingMovesX) {
  const Settings rounds{{"consensus.strategy", "local-server"},
                        {"consensus.local_steps", "5"},
                        {"consensus-y.local_steps", "15"}};
  const auto with = [&](const std::string& method) {
    Settings all = rounds;
    all.emplace_back("method.name", method);
    return Read(all).general.consensus.local_steps();
  };
  EXPECT_EQ(with("soba"), 5);
  EXPECT_EQ(with("lower-only"), 15);
}

TEST(Options, ResolveToAConfigurationThatReadsBackAsTheSame) {
  for (const Settings& settings :
       {Settings{}, Settings{{"consensus.strategy", "FedAvg"}, {"consensus.local_steps", "4"}},
        Settings{{"consensus.strategy", "choco"},
                 {"consensus.compressor", "quantization"},
                 {"consensus.compression_bits", "3"},
                 {"consensus-y.compressor", "sign"}},
        Settings{{"consensus.x", "gt-semi"},
                 {"consensus.y", "none"},
                 {"estimator.name", "storm"},
                 {"estimator.c", "0.3"},
                 {"steps.rule", "accumulated"}},
        Settings{{"method.name", "f3sa"}, {"attack.kind", "noise"}, {"attack.scale", "3"}},
        Settings{{"method.name", "bome"}, {"consensus-x.mixing_rounds", "2"}}}) {
    const Read first(settings);
    const std::string resolved = first.configuration.resolved();
    Settings again;
    std::istringstream lines(resolved);
    std::string section;
    for (std::string line; std::getline(lines, line);) {
      if (line.empty()) continue;
      if (line.front() == '[') {
        section = line.substr(1, line.size() - 2);
      } else {
        const auto equals = line.find(" = ");
        again.emplace_back(section + "." + line.substr(0, equals), line.substr(equals + 3));
      }
    }
    const Read second(again);
    EXPECT_EQ(second.configuration.resolved(), resolved);
    EXPECT_EQ(second.refusal(), "");
  }
}

TEST(Options, ThatOnlySomeNetworksServeAreJudgedOnTheNetworkOfTheRun) {
  for (const Settings& more :
       {Settings{}, Settings{{"consensus.mixing_rounds", "3"}},
        Settings{{"consensus.mixing_rounds", "3"}, {"consensus.chebyshev", "yes"}}}) {
    for (const auto& [agents, sound] : {std::pair{"7", true}, std::pair{"8", false}}) {
      Configuration configuration;
      const bool is_powered = !more.empty();  // -1/27, or -1/3 made smaller by a polynomial
      configuration.set("consensus.strategy", "exact-diffusion", "test");
      configuration.set("consensus.lazy", "no", "test");
      configuration.set("network.topology", "ring", "test");
      configuration.set("network.agents", agents, "test");
      for (const auto& [key, value] : more) configuration.set(key, value, "test");
      const auto findings = judge(configuration);
      EXPECT_EQ(findings.empty(), sound || is_powered) << agents;
      EXPECT_LE(findings.size(), 1u);
    }
  }
}

TEST(Options, OfPartsThatAreNotChosenAreNotDeclared) {
  const Read read({});
  EXPECT_TRUE(read.declares("consensus.mixing_rounds"));
  for (const char* const key :
       {"consensus.local_steps", "consensus.compressor", "consensus.aggregation", "consensus.lazy",
        "estimator.theta", "steps.initial", "attack.fraction"}) {
    EXPECT_FALSE(read.declares(key)) << key;
  }
}

}  // namespace
}  // namespace echelon

// Presets: each composes, and costs what `describe` says.

#include "echelon/experiment/preset.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "catalog_names.hpp"
#include "contract/compositions.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/experiment/cost.hpp"

namespace echelon {
namespace {

using namespace testing_support;

constexpr double agents = 8;
constexpr double neighbors = 2;  // on a ring

/// What all agents have spent after `iterations`.
struct Spent {
  OracleCounts calls;
  std::int64_t bytes = 0;
};

class EveryPreset : public testing::TestWithParam<std::string> {
 protected:
  EveryPreset() {
    Configuration configuration;
    configuration.set("run.preset", GetParam(), "test");
    general.read_from(configuration);
    const MethodEntry& method = *general.method;
    settings =
        problem_for(method) +
        Settings{{"run.preset", GetParam()}, {"network.agents", "8"}, {"metrics.every", "1000000"}};
    if (settings.at("problem.name") == "quadratic") {
      // Multiples of a cache line, to which stacked messages are padded.
      settings =
          settings + Settings{{"problem.upper_dimension", "8"}, {"problem.lower_dimension", "16"}};
    }
    if (general.estimator->name == "saga" || general.estimator->name == "sarah") {
      settings = settings + Settings{{"problem.noise", "0.1"}};
    }
    predicted = cost_of(general);
  }

  Spent spent_after(int iterations) {
    Experiment experiment(
        Communicator(MPI_COMM_SELF),
        configuration_of(settings + Settings{{"run.iterations", std::to_string(iterations)}}),
        FileDataSource());
    Requests requests;
    const Outcome outcome = experiment.runner().run(RunHooks{}, requests);
    EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::iterations_done))
        << outcome.detail;
    p = experiment.problem().upper_dimension();
    q = experiment.problem().lower_dimension();
    return {experiment.problem().counts(), experiment.network().traffic().bytes};
  }

  GeneralOptions general;
  Settings settings;
  CompositionCost predicted;
  Index p = 0, q = 0;
};

TEST_P(EveryPreset, CostsWhatDescribeSays) {
  constexpr int first = 20;
  constexpr int iterations = 20;  // a multiple of the local steps of a round
  const Spent early = spent_after(first);
  const Spent late = spent_after(first + iterations);
  const auto per_iteration = [&](std::int64_t after, std::int64_t before) {
    return static_cast<double>(after - before) / iterations;
  };
  using Count = Varies;
  const auto check = [&](const char* what, double measured, double stated) {
    const double slack = predicted.varies == Count::on_average ? 0.4 * stated : 0;
    // The window lies between two calls of sarah with all samples.
    if (predicted.varies == Count::exact || general.estimator->name == "sarah") {
      EXPECT_DOUBLE_EQ(measured, stated) << what;
      return;
    }
    if (predicted.varies != Count::at_most) {
      EXPECT_GE(measured, stated - slack) << what;
    }
    if (predicted.varies != Count::at_least) {
      EXPECT_LE(measured, stated + slack) << what;
    }
  };
  check("gradients", per_iteration(late.calls.gradients, early.calls.gradients) / agents,
        predicted.gradients(p, q));
  check("products", per_iteration(late.calls.products, early.calls.products) / agents,
        predicted.products(p, q));
  check("values", per_iteration(late.calls.values, early.calls.values) / agents,
        predicted.values(p, q));
  // A mean costs each agent but one a partial sum and an answer.
  check("bytes", per_iteration(late.bytes, early.bytes),
        agents * neighbors * predicted.bytes(false, p, q) +
            2 * (agents - 1) * predicted.bytes(true, p, q));
  EXPECT_FALSE(predicted.traffic_text().empty());
}

// What a preset suggests is no error if nothing reads it, so this looks for settings of no use.
TEST_P(EveryPreset, SuggestsOnlyWhatItsPartsRead) {
  const Experiment experiment(Communicator(MPI_COMM_SELF), configuration_of(settings),
                              FileDataSource());
  std::set<std::string> read;
  for (const auto& option : experiment.configuration().declared()) read.insert(option.name);
  const auto& presets = preset_catalog();
  const auto preset = std::find_if(presets.begin(), presets.end(),
                                   [&](const Preset& own) { return own.name == GetParam(); });
  for (const auto& [key, value] : preset->settings) EXPECT_EQ(read.count(key), 1u) << key;
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryPreset, testing_support::every_name(preset_catalog()),
                         testing_support::suffix);

TEST(Presets, HaveNamesOfTheirOwnAndSettingsThatACompositionKnows) {
  std::set<std::string> names;
  for (const Preset& preset : preset_catalog()) {
    EXPECT_TRUE(names.insert(preset.name).second) << preset.name;
    EXPECT_FALSE(preset.summary.empty());
    EXPECT_EQ(preset.reference.empty(), preset.origin == Preset::Origin::own) << preset.name;
  }
}

TEST(Presets, YieldToWhatIsGiven) {
  Configuration configuration;
  configuration.set("run.preset", "sparkle-ed", "test");
  configuration.set("method.alpha", "0.5", "test");
  configuration.set("consensus.strategy", "gossip-atc", "test");
  GeneralOptions general;
  general.read_from(configuration);
  EXPECT_EQ(general.method->name, "soba");
  EXPECT_EQ(general.consensus.upper->name, "gossip-atc");
  const Configuration same = configuration;
  EXPECT_NE(same.packed().find("method.alpha\n0.5\n"), std::string::npos);
}

TEST(Presets, LetAUserReplaceThePartThatReadsTheirSettings) {
  const Settings settings{{"run.preset", "async-penalty"},
                          {"problem.name", "quadratic"},
                          {"consensus.strategy", "all-reduce"},
                          {"participation.policy", "wait-for-all"}};
  const Experiment experiment(Communicator(MPI_COMM_SELF), configuration_of(settings),
                              FileDataSource());
  const std::string resolved = experiment.configuration().resolved();
  EXPECT_EQ(resolved.find("staleness"), std::string::npos);
  EXPECT_NE(resolved.find("compute_sigma = 1\n"), std::string::npos);
}

TEST(Presets, RefuseAnUnknownNameWithTheNearest) {
  Configuration configuration;
  configuration.set("run.preset", "sparkle", "test");
  GeneralOptions general;
  try {
    general.read_from(configuration);
    ADD_FAILURE() << "was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("nearest is `sparkle-"), std::string::npos);
  }
}

}  // namespace
}  // namespace echelon

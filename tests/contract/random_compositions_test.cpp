// Compositions drawn at random: what is refused is refused before the first iteration, what is
// accepted runs, and costs what was predicted.

#include "random_compositions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "echelon/experiment/cost.hpp"
#include "echelon/experiment/judge.hpp"

namespace echelon {
namespace {

using namespace testing_support;

struct Made {
  std::unique_ptr<Experiment> experiment{};
  std::string refusal{};
  ErrorKind kind = ErrorKind::usage;
};

Made make(const Settings& settings) {
  Made made;
  try {
    made.experiment = std::make_unique<Experiment>(Communicator(MPI_COMM_SELF),
                                                   configuration_of(settings), FileDataSource());
  } catch (const Error& error) {
    made.refusal = error.what();
    made.kind = error.kind();
  }
  return made;
}

std::string judgment(const Settings& settings) {
  try {
    require_sound(judge(configuration_of(settings)));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// How many compositions; a longer run sets ECHELON_RANDOM_COMPOSITIONS.
std::uint64_t how_many(std::uint64_t usual) {
  const char* wanted = std::getenv("ECHELON_RANDOM_COMPOSITIONS");
  return wanted == nullptr ? usual : std::stoull(wanted);
}

TEST(RandomCompositions, AreRefusedBeforeTheFirstIterationOrRun) {
  const std::uint64_t total = how_many(2000);
  std::uint64_t accepted = 0;
  std::uint64_t foreseen = 0;
  for (std::uint64_t number = 0; number < total; ++number) {
    const RandomComposition composition(number);
    const Settings& settings = composition.settings();
    SCOPED_TRACE(text("number ", number, ":", composition.text()));
    Made first = make(settings);
    const std::string judged = judgment(settings);
    if (!first.experiment) {
      EXPECT_NE(static_cast<int>(first.kind), static_cast<int>(ErrorKind::internal))
          << first.refusal;
      EXPECT_EQ(make(settings).refusal, first.refusal);
      foreseen += judged.empty() ? 0 : 1;
      continue;
    }
    EXPECT_EQ(judged, "");
    ++accepted;
    try {
      Requests requests;
      const Outcome outcome = first.experiment->runner().run(RunHooks{}, requests);
      EXPECT_TRUE(outcome.status == Status::iterations_done || outcome.status == Status::diverged);
      if (first.experiment->metrics_options().baselines && outcome.status != Status::diverged) {
        first.experiment->evaluator().baselines();
      }
    } catch (const Error& error) {
      ADD_FAILURE() << "refused in mid-run: " << error.what();
    }
  }
  std::printf("%llu of %llu compositions ran; of the others, %llu are refused without data\n",
              static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(total),
              static_cast<unsigned long long>(foreseen));
  EXPECT_GT(accepted, total / 20);  // the generator draws enough that runs
}

/// Bytes and calls of all agents after some iterations.
struct Spent {
  OracleCounts calls;
  std::int64_t bytes = 0;
};

TEST(RandomCompositions, CostWhatWasPredicted) {
  constexpr int window = 24;
  const std::uint64_t wanted = how_many(200);
  std::uint64_t compared = 0;
  for (std::uint64_t number = 100000; compared < wanted && number < 110000; ++number) {
    RandomComposition composition(number);
    Settings settings = composition.settings();
    // On a ring of 8, where it is plain what each neighbor gets; with agents that all take part.
    std::erase_if(settings, [](const auto& item) {
      return item.first.starts_with("network") || item.first.starts_with("participation") ||
             item.first.starts_with("attack") || item.first == "metrics.baselines";
    });
    // Products with a vector of zeros are free, and the instances in the plane have such.
    if (settings["problem.name"] == "analytic") continue;
    settings["network.agents"] = "8";
    settings["metrics.every"] = "1000000";
    settings["run.iterations"] = std::to_string(window);
    Made made = make(settings);
    if (!made.experiment) continue;
    Experiment& experiment = *made.experiment;
    const Index p = experiment.problem().upper_dimension();
    const Index q = experiment.problem().lower_dimension();
    const CompositionCost predicted = cost_of(experiment.general(), p, q);
    const std::int64_t steps = experiment.general().consensus.local_steps();
    if (predicted.varies != Varies::exact || window % steps != 0) continue;
    SCOPED_TRACE(text("number ", number, ":", composition.text()));
    const auto after = [&](std::uint64_t begin, std::uint64_t end) {
      for (std::uint64_t k = begin; k < end; ++k) experiment.method().iterate(k);
      return Spent{experiment.problem().counts(), experiment.network().traffic().bytes};
    };
    const Spent early = after(0, window);
    const Spent late = after(window, 2 * window);
    if (!experiment.method().x().allFinite() || !experiment.method().y().allFinite()) continue;
    ++compared;
    constexpr double agents = 8;
    const auto per_iteration = [&](std::int64_t now, std::int64_t then) {
      return static_cast<double>(now - then) / window;
    };
    EXPECT_NEAR(per_iteration(late.calls.gradients, early.calls.gradients) / agents,
                predicted.gradients(p, q), 1e-9);
    EXPECT_NEAR(per_iteration(late.calls.products, early.calls.products) / agents,
                predicted.products(p, q), 1e-9);
    EXPECT_NEAR(per_iteration(late.calls.values, early.calls.values) / agents,
                predicted.values(p, q), 1e-9);
    EXPECT_NEAR(
        per_iteration(late.bytes, early.bytes),
        agents * 2 * predicted.bytes(false, p, q) + 2 * (agents - 1) * predicted.bytes(true, p, q),
        1e-6);
  }
  std::printf("%llu compositions compared\n", static_cast<unsigned long long>(compared));
  EXPECT_EQ(compared, wanted);
}

/// A key that no chosen part reads is refused; one that a part reads is accepted and changes the
/// resolved configuration.
TEST(RandomCompositions, ReadOrRefuseEveryKey) {
  const std::uint64_t wanted = how_many(200);
  std::uint64_t refused = 0;
  std::uint64_t read = 0;
  Draws draws(23, Purpose::problem_data);
  for (std::uint64_t number = 200000; (refused < wanted || read < wanted) && number < 290000;
       ++number) {
    const Settings settings = RandomComposition(number).settings();
    Configuration base = configuration_of(settings);
    GeneralOptions general;
    try {
      general.read_from(base);
      base.require_all_read(part_axes(general));
    } catch (const Error&) {
      continue;
    }
    const std::vector<PartAxis> axes = part_axes(general);
    const PartAxis& axis = axes[draws.below(axes.size())];
    const PartAxis::Part& part = axis.parts[draws.below(axis.parts.size())];
    if (part.options.empty()) continue;
    const std::string key = axis.section + "." + part.options[draws.below(part.options.size())];
    const auto& declared = base.declared();
    const auto found = std::find_if(declared.begin(), declared.end(),
                                    [&](const auto& option) { return option.name == key; });
    SCOPED_TRACE(text("number ", number, ", ", key));
    if (found == declared.end()) {
      if (refused >= wanted || axis.section.find('-') != std::string::npos) continue;
      ++refused;
      const Made made = make(settings + Settings{{key, "1"}});
      EXPECT_EQ(static_cast<int>(made.kind), static_cast<int>(ErrorKind::usage));
      EXPECT_NE(made.refusal.find(key + " is "), std::string::npos) << made.refusal;
      continue;
    }
    if (read >= wanted || settings.count(key) > 0) continue;
    const std::string other =
        found->type == "yes/no"    ? (found->value == "yes" ? "no" : "yes")
        : found->type == "integer" ? std::to_string(std::stoll(found->value) + 1)
        : found->type == "number"  ? number_text(std::stod(found->value) * 0.75)
                                   : "";
    if (other.empty() || other == found->value) continue;
    Configuration changed = configuration_of(settings + Settings{{key, other}});
    GeneralOptions reread;
    try {
      reread.read_from(changed);
      changed.require_all_read(part_axes(reread));
    } catch (const Error& error) {
      // The option was read: what is refused is its value.
      EXPECT_EQ(std::string(error.what()).find(" is read by "), std::string::npos) << error.what();
      continue;
    }
    ++read;
    EXPECT_NE(changed.resolved().find(found->name.substr(key.find('.') + 1) + " = " + other),
              std::string::npos);
    EXPECT_NE(changed.resolved(), base.resolved());
  }
  EXPECT_EQ(refused, wanted);
  EXPECT_EQ(read, wanted);
}

}  // namespace
}  // namespace echelon

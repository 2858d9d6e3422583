#include "echelon/problem/demodulation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data_problem_checks.hpp"
#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

DemodulationOptions small_options() {
  DemodulationOptions options;
  options.devices = 12;
  options.pilots_per_symbol = 2;
  options.payload_per_symbol = 3;
  options.hidden = "6-5";
  options.proximity = 0.3;
  options.test_devices = 7;
  options.test_payload_per_symbol = 4;
  options.adaptation_steps = 5;
  return options;
}

Demodulation make(AgentId agents, const DemodulationOptions& options = small_options(),
                  bool wants_double = true) {
  return Demodulation(all_agents(agents), options, 5, wants_double);
}

struct Figures {
  double accuracy, loss, ceiling;
};

Figures figures(const Demodulation& problem, const VectorXd& x) {
  VectorXd sums = VectorXd::Zero(problem.metric_sums());
  for (int local = 0; local < problem.agents().count(); ++local) {
    problem.add_metric_sums(local, view(x), view(x), sums);
  }
  const auto all = problem.finish_metrics(sums);
  return {all[0], all[1], all[2]};
}

TEST(Demodulation, GradientsMatchFiniteDifferences) {
  check_gradients(make(3), Sample::everything(), 1e-7);
  check_gradients(make(3), {.iteration = 4, .step = 1}, 1e-7);
}

TEST(Demodulation, PointsInOnePassAgree) {
  auto options = small_options();
  for (const char* precision : {"float", "double"}) {
    options.precision = precision;
    check_points(make(3, options), {.iteration = 3, .step = 2, .stream = 1});
  }
}

TEST(Demodulation, ExactProductsMatchFiniteDifferences) {
  check_products(make(3), Sample::everything(), 1e-7);
  check_products(make(2), {.iteration = 4}, 1e-7);
}

TEST(Demodulation, MeanOverAgentsDoesNotDependOnTheirNumber) {
  auto options = small_options();
  options.proximity = 0;  // the term is that of every agent, also of one without devices
  const auto alone = make(1, options);
  check_same_mean(alone, make(5, options), 1e-12);
  check_same_mean(alone, make(20, options), 1e-12);
}

TEST(Demodulation, MinibatchesAreUnbiased) {
  auto options = small_options();
  options.devices_per_call = 2;
  check_unbiased(make(2, options), 0.1);
}

TEST(Demodulation, SubBatchesAddUpToAllDevices) {
  auto options = small_options();
  options.proximity = 0;
  for (const std::int64_t batches : {1, 3, 7}) check_sub_batches(make(3, options), batches);
}

TEST(Demodulation, CallsOfAnIterationAreOnOneDevice) {
  const auto all = make(1);
  const auto apart = make(12);  // a device each
  const VectorXd x = random_vector(all.upper_dimension(), 1, 0.5);
  const VectorXd y = random_vector(all.lower_dimension(), 2, 0.5);
  std::vector<int> seen(12, 0);
  for (std::uint64_t k = 0; k < 60; ++k) {
    int found = -1;
    for (int device = 0; device < 12; ++device) {
      const auto same = [&](Level level, const Sample& sample) {
        const double own = apart.value(level, device, Sample::everything(), view(x), view(y));
        return std::abs(all.value(level, 0, sample, view(x), view(y)) - own) < 1e-12;
      };
      if (!same(Level::lower, {.iteration = k})) continue;
      found = device;
      EXPECT_TRUE(same(Level::lower, {.iteration = k, .step = 4, .stream = 2}));
      EXPECT_TRUE(same(Level::upper, {.iteration = k, .step = 9}));
    }
    ASSERT_GE(found, 0);
    ++seen[static_cast<std::size_t>(found)];
  }
  EXPECT_GT(std::count_if(seen.begin(), seen.end(), [](int times) { return times > 0; }), 8);
}

TEST(Demodulation, AnAgentIsTheSameWhicheverProcessHoldsIt) {
  const auto all = make(4);
  const Demodulation some(AgentSet{4, {1, 3}}, small_options(), 5, true);
  const Demodulation none(AgentSet{4, {}}, small_options(), 5, true);
  EXPECT_EQ(none.start_x(), all.start_x());
  const VectorXd x = all.start_x();
  const VectorXd y = random_vector(all.lower_dimension(), 2, 0.3);
  const auto a = gradients_at(all, Level::lower, 3, {.iteration = 2}, x, y);
  const auto b = gradients_at(some, Level::lower, 1, {.iteration = 2}, x, y);
  EXPECT_EQ(a.x, b.x);
  EXPECT_EQ(a.y, b.y);
  VectorXd of_all = VectorXd::Zero(all.metric_sums());
  VectorXd of_some = of_all;
  all.add_metric_sums(3, view(x), view(y), of_all);
  some.add_metric_sums(1, view(x), view(y), of_some);
  EXPECT_EQ(of_all, of_some);
}

TEST(Demodulation, FiguresDoNotDependOnTheNumberOfAgents) {
  const VectorXd x = make(1).start_x();
  const Figures one = figures(make(1), x);
  for (const AgentId agents : {2, 5, 30}) {
    const Figures several = figures(make(agents), x);
    EXPECT_EQ(one.accuracy, several.accuracy);
    EXPECT_EQ(one.ceiling, several.ceiling);
    EXPECT_NEAR(one.loss, several.loss, 1e-12);
  }
}

/// Symbol error rate of 16-QAM with Gaussian noise, from two independent 4-level decisions.
double symbol_accuracy(double ratio) {
  const double tail = 0.5 * std::erfc(std::sqrt(ratio / 5) / std::sqrt(2.0));
  const double right = 1 - 1.5 * tail;
  return right * right;
}

TEST(Demodulation, TheCeilingIsThatOfTheTextbook) {
  auto options = small_options();
  options.radio.gain_imbalance = options.radio.phase_imbalance = 0;
  options.radio.snr = 12;
  options.radio.snr_of = "device";
  options.test_devices = 60;
  options.test_payload_per_symbol = 100;
  options.adaptation_steps = 0;
  const double ratio = std::pow(10, 1.2);
  EXPECT_NEAR(figures(make(2, options), make(1).start_x()).ceiling, symbol_accuracy(ratio), 0.005);

  // Over fades: |h|^2 is exponential with mean 1.
  options.radio.snr_of = "average";
  options.test_devices = 5000;
  options.test_payload_per_symbol = 1;
  double expected = 0;
  const int cells = 4000;
  for (int i = 0; i < cells; ++i) {
    const double power = -std::log(1 - (i + 0.5) / cells);
    expected += symbol_accuracy(ratio * power) / cells;
  }
  EXPECT_NEAR(figures(make(2, options), make(1).start_x()).ceiling, expected, 0.02);
}

TEST(Demodulation, ImbalanceCostsSymbolsAndGainControlNone) {
  auto options = small_options();
  options.radio.snr = 14;
  options.radio.snr_of = "device";
  options.test_devices = 60;
  options.test_payload_per_symbol = 50;
  options.adaptation_steps = 0;
  const VectorXd x = make(1).start_x();
  const double with_imbalance = figures(make(2, options), x).ceiling;
  options.radio.gain_control = false;
  EXPECT_NEAR(figures(make(2, options), x).ceiling, with_imbalance, 1e-4);
  options.radio.gain_imbalance = options.radio.phase_imbalance = 0;
  EXPECT_GT(figures(make(2, options), x).ceiling, with_imbalance + 0.005);
}

TEST(Demodulation, AdaptationLearnsFromPilots) {
  auto options = small_options();
  options.radio.snr_of = "device";
  options.pilots_per_symbol = 5;
  options.hidden = "10-30";
  options.proximity = 0;
  options.adaptation_steps = 0;
  const VectorXd x = make(1, options).start_x();
  const Figures before = figures(make(1, options), x);
  EXPECT_LT(before.accuracy, 0.3);
  options.adaptation_steps = 150;
  const Figures after = figures(make(1, options), x);
  EXPECT_GT(after.accuracy, 0.9);
  EXPECT_LT(after.loss, 0.3 * before.loss);
  // Held at x by the proximity.
  options.proximity = 1e4;
  options.adaptation_step = 1e-5;
  EXPECT_NEAR(figures(make(1, options), x).loss, before.loss, 0.01 * before.loss);
}

TEST(Demodulation, BadInputIsRefused) {
  const auto refusal = [](const DemodulationOptions& options) -> std::string {
    try {
      const Demodulation problem(all_agents(2), options, 5, true);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.what();
    }
    return "";
  };
  auto options = small_options();
  options.hidden = "10x30";
  EXPECT_NE(refusal(options).find("problem.hidden"), std::string::npos);
  options = small_options();
  options.activation = "cube";
  EXPECT_NE(refusal(options).find("problem.activation"), std::string::npos);
  options = small_options();
  options.devices = 0;
  EXPECT_NE(refusal(options).find("at least 1"), std::string::npos);
}

}  // namespace
}  // namespace echelon

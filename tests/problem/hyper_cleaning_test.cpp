#include "echelon/problem/hyper_cleaning.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "data_problem_checks.hpp"
#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

constexpr Index features = 21;

const MemorySource& source() {
  static const MemorySource instance(400, features);
  return instance;
}

HyperCleaningOptions small_options() {
  HyperCleaningOptions options;
  options.images = "images";
  options.labels = "labels";
  options.train = 200;
  options.validation = 90;
  options.test = 110;
  return options;
}

HyperCleaning make(AgentId agents, const HyperCleaningOptions& options = small_options(),
                   bool wants_double = true) {
  return HyperCleaning(all_agents(agents), options, source(), 5, wants_double);
}

std::vector<double> figures(const HyperCleaning& problem, const VectorXd& x, const VectorXd& y) {
  VectorXd sums = VectorXd::Zero(problem.metric_sums());
  for (int local = 0; local < problem.agents().count(); ++local) {
    problem.add_metric_sums(local, view(x), view(y), sums);
  }
  return problem.finish_metrics(sums);
}

VectorXd train_baseline(const HyperCleaning& problem, std::size_t baseline) {
  VectorXd y = VectorXd::Zero(problem.lower_dimension());
  VectorXd part(y.size());
  for (int k = 0; k < 200; ++k) {
    VectorXd mean = VectorXd::Zero(y.size());
    for (int local = 0; local < problem.agents().count(); ++local) {
      problem.baseline_gradient(baseline, local, view(y), output(part));
      mean += part / problem.agents().count();
    }
    y -= 0.5 * mean;
  }
  return y;
}

TEST(HyperCleaning, GradientsMatchFiniteDifferences) {
  const auto problem = make(3);
  check_gradients(problem, Sample::everything(), 1e-7);
  auto options = small_options();
  options.batch = 16;
  check_gradients(make(3, options), {.iteration = 4, .step = 1}, 1e-7);
}

TEST(HyperCleaning, ValueIsTheFormula) {
  // y = 0: every CE is log 10. x = 0: every weight is 1/2.
  const auto problem = make(1);
  const VectorXd x = VectorXd::Zero(problem.upper_dimension());
  const VectorXd y = VectorXd::Zero(problem.lower_dimension());
  const Sample full = Sample::everything();
  EXPECT_NEAR(problem.value(Level::upper, 0, full, view(x), view(y)), std::log(10.0), 1e-12);
  EXPECT_NEAR(problem.value(Level::lower, 0, full, view(x), view(y)), std::log(10.0) / 2, 1e-12);
  const auto g = gradients_at(problem, Level::lower, 0, full, x, y);
  EXPECT_LE((g.x - VectorXd::Constant(x.size(), std::log(10.0) / 4 / 200)).norm(), 1e-12);
  // A constant added to all biases changes the penalty only: ten entries of value 2.
  VectorXd shifted = y;
  for (Index c = 0; c < 10; ++c) shifted(c * (features + 1) + features) = 2;
  EXPECT_NEAR(problem.value(Level::lower, 0, full, view(x), view(shifted)),
              std::log(10.0) / 2 + 0.001 * 40, 1e-12);
}

TEST(HyperCleaning, PointsInOnePassAgree) {
  auto options = small_options();
  for (const std::int64_t batch : {0, 7}) {
    for (const char* precision : {"float", "double"}) {
      options.batch = batch;
      options.precision = precision;
      check_points(make(3, options), {.iteration = 3, .step = 2, .stream = 1});
    }
  }
}

TEST(HyperCleaning, ExactProductsMatchFiniteDifferences) {
  check_products(make(3), Sample::everything(), 1e-7);
  auto options = small_options();
  options.batch = 16;
  check_products(make(2, options), {.iteration = 4}, 1e-7);
}

TEST(HyperCleaning, MeanOverAgentsDoesNotDependOnThePartition) {
  const auto alone = make(1);
  check_same_mean(alone, make(7), 1e-12);
  auto skewed = small_options();
  skewed.partition.partition = "dirichlet";
  skewed.partition.dirichlet_alpha = 0.01;
  check_same_mean(alone, make(50, skewed), 1e-12);
  // More agents than samples: some have none.
  check_same_mean(alone, make(300), 1e-12);
}

TEST(HyperCleaning, AgentsTouchOnlyTheirOwnComponents) {
  const auto problem = make(4);
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  Eigen::VectorXi owners = Eigen::VectorXi::Zero(x.size());
  for (int local = 0; local < 4; ++local) {
    const auto g = gradients_at(problem, Level::lower, local, Sample::everything(), x, y);
    owners += (g.x.array() != 0).cast<int>().matrix();
  }
  EXPECT_EQ(owners, Eigen::VectorXi::Ones(x.size()));
}

TEST(HyperCleaning, AnAgentIsTheSameWhicheverProcessHoldsIt) {
  const auto all = make(4);
  const HyperCleaning some(AgentSet{4, {1, 3}}, small_options(), source(), 5, true);
  const HyperCleaning none(AgentSet{4, {}}, small_options(), source(), 5, true);
  EXPECT_EQ(none.lower_dimension(), all.lower_dimension());
  const VectorXd x = random_vector(all.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(all.lower_dimension(), 2, 0.3);
  const auto a = gradients_at(all, Level::lower, 3, {.iteration = 2}, x, y);
  const auto b = gradients_at(some, Level::lower, 1, {.iteration = 2}, x, y);
  EXPECT_EQ(a.x, b.x);
  EXPECT_EQ(a.y, b.y);
}

TEST(HyperCleaning, MinibatchesAreUnbiasedAndKeyed) {
  auto options = small_options();
  options.batch = 16;
  const auto problem = make(3, options);
  check_unbiased(problem, 0.1);
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  const auto at = [&](const Sample& sample) {
    return gradients_at(problem, Level::lower, 1, sample, x, y).y;
  };
  const Sample key{.iteration = 8, .step = 2, .stream = 1};
  EXPECT_EQ(at(key), at(key));
  EXPECT_NE(at(key), at({.iteration = 9, .step = 2, .stream = 1}));
  EXPECT_NE(at(key), at({.iteration = 8, .step = 1, .stream = 2}));
}

TEST(HyperCleaning, SubBatchesAddUpToAllSamples) {
  auto options = small_options();
  options.batch = 16;  // does not matter
  for (const std::int64_t batches : {1, 4, 45}) check_sub_batches(make(3, options), batches);
}

TEST(HyperCleaning, PrecisionDecidesTheArithmetic) {
  auto options = small_options();
  const VectorXd x = VectorXd::Zero(options.train);
  const VectorXd y = random_vector(10 * (features + 1), 2, 0.3);
  const auto at = [&](const char* precision, bool wants_double, const Sample& sample) {
    options.precision = precision;
    return gradients_at(make(2, options, wants_double), Level::lower, 0, sample, x, y).y;
  };
  const VectorXd in_double = at("double", false, {});
  const VectorXd in_float = at("float", true, {});
  EXPECT_NE(in_float, in_double);
  EXPECT_LE((in_float - in_double).norm(), 1e-5 * in_double.norm());
  EXPECT_EQ(at("auto", true, {}), in_double);
  EXPECT_EQ(at("auto", false, {}), in_float);
  EXPECT_EQ(at("float", false, Sample::everything()), in_double);
}

TEST(HyperCleaning, NoiseRedrawsTheAskedFraction) {
  // Guessing everything clean: precision is the clean share, recall 1. A tenth of the redrawn
  // labels stay right.
  const auto problem = make(3);
  const VectorXd all = VectorXd::Ones(problem.upper_dimension());
  const VectorXd y = VectorXd::Zero(problem.lower_dimension());
  const double f1 = figures(problem, all, y)[2];
  const double clean_share = f1 / (2 - f1);
  EXPECT_NEAR(clean_share, 1 - 0.5 * 0.9, 0.1);
  EXPECT_TRUE(
      std::isnan(figures(problem, VectorXd::Zero(all.size()), y)[2]));  // nobody is guessed clean

  auto options = small_options();
  options.label_noise = 0;
  EXPECT_EQ(figures(make(3, options), all, y)[2], 1);
}

TEST(HyperCleaning, FiguresDoNotDependOnTheNumberOfAgents) {
  const auto one = make(1);
  const VectorXd x = random_vector(one.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(one.lower_dimension(), 2, 0.3);
  const auto expected = figures(one, x, y);
  const auto several = figures(make(6), x, y);
  EXPECT_EQ(one.metric_names(), (std::vector<std::string>{"test_accuracy", "test_loss", "f1"}));
  EXPECT_EQ(expected[0], several[0]);
  EXPECT_NEAR(expected[1], several[1], 1e-12);
  EXPECT_EQ(expected[2], several[2]);
  EXPECT_NEAR(figures(one, x, VectorXd::Zero(y.size()))[1], std::log(10.0), 1e-12);
}

TEST(HyperCleaning, BaselinesRankAsTheyShould) {
  auto options = small_options();
  options.label_noise = 0.8;
  const auto problem = make(2, options);
  const VectorXd x = VectorXd::Zero(problem.upper_dimension());
  ASSERT_EQ(problem.baselines().size(), 3u);
  std::vector<double> loss;
  for (std::size_t b = 0; b < 3; ++b) {
    loss.push_back(figures(problem, x, train_baseline(problem, b))[1]);
  }
  EXPECT_GT(loss[0], loss[1] + 0.1);
  EXPECT_GT(loss[0], loss[2] + 0.1);
  // "clean" is the lower level with all weights 1 on unchanged labels.
  options.label_noise = 0;
  const auto unchanged = make(2, options);
  const VectorXd certain = VectorXd::Constant(x.size(), 40);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  VectorXd gy(y.size());
  unchanged.baseline_gradient(2, 0, view(y), output(gy));
  const auto g = gradients_at(unchanged, Level::lower, 0, Sample::everything(), certain, y);
  EXPECT_LE((gy - g.y).norm(), 1e-12);
}

void expect_error(const HyperCleaningOptions& options, const DataSource& data, ErrorKind kind,
                  const std::vector<std::string>& parts) {
  try {
    const HyperCleaning problem(all_agents(2), options, data, 5, true);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(HyperCleaning, BadInputIsRefused) {
  auto options = small_options();
  options.train = 300;
  expect_error(options, source(), ErrorKind::usage, {"300", "90", "110", "400"});
  options.train = std::numeric_limits<std::int64_t>::max();
  expect_error(options, source(), ErrorKind::usage, {"400"});
  options = small_options();
  options.images = "";
  expect_error(options, source(), ErrorKind::usage, {"problem.images"});

  MemorySource odd(400, features);
  odd.image_count = 399;
  expect_error(small_options(), odd, ErrorKind::bad_data, {"images", "399", "labels", "400"});
  odd.image_count = 400;
  odd.labels[17] = 10;
  expect_error(small_options(), odd, ErrorKind::bad_data, {"labels", "17", "10"});
}

TEST(HyperCleaning, DeclaresItsOptions) {
  std::vector<std::string> names;
  for (const auto& option : describe_options(HyperCleaningOptions{})) names.push_back(option.name);
  for (const char* name : {"images", "labels", "train", "validation", "test", "label_noise",
                           "regularization", "batch", "precision", "partition"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
}

}  // namespace
}  // namespace echelon

#include "echelon/problem/hyper_representation.hpp"

#include <gtest/gtest.h>

#include <cmath>

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

HyperRepresentationOptions small_options() {
  HyperRepresentationOptions options;
  options.images = "images";
  options.labels = "labels";
  options.hidden = "8-6";
  return options;
}

HyperRepresentation make(AgentId agents,
                         const HyperRepresentationOptions& options = small_options(),
                         bool wants_double = true) {
  return HyperRepresentation(all_agents(agents), options, source(), 5, wants_double);
}

std::vector<double> figures(const HyperRepresentation& problem, const VectorXd& x,
                            const std::vector<VectorXd>& heads) {
  VectorXd sums = VectorXd::Zero(problem.metric_sums());
  for (int local = 0; local < problem.agents().count(); ++local) {
    const VectorXd& y = heads[static_cast<std::size_t>(local) % heads.size()];
    problem.add_metric_sums(local, view(x), view(y), sums);
  }
  return problem.finish_metrics(sums);
}

TEST(HyperRepresentation, GradientsMatchFiniteDifferences) {
  check_gradients(make(3), Sample::everything(), 1e-7);
  auto options = small_options();
  options.batch = 16;
  options.activation = "sigmoid";
  check_gradients(make(3, options), {.iteration = 4, .step = 1}, 1e-7);
}

TEST(HyperRepresentation, ValueIsTheFormula) {
  // y = 0: every CE is log 10, whatever the features.
  const auto problem = make(2);
  EXPECT_EQ(problem.upper_dimension(), 22 * 8 + 9 * 6);
  EXPECT_EQ(problem.lower_dimension(), 7 * 10);
  const VectorXd x = problem.start_x();
  VectorXd y = VectorXd::Zero(problem.lower_dimension());
  const Sample full = Sample::everything();
  EXPECT_NEAR(problem.value(Level::upper, 0, full, view(x), view(y)), std::log(10.0), 1e-12);
  EXPECT_NEAR(problem.value(Level::lower, 0, full, view(x), view(y)), std::log(10.0), 1e-12);
  // The same number added to all biases changes the penalty only.
  for (Index c = 0; c < 10; ++c) y(7 * c + 6) = 2;
  EXPECT_NEAR(problem.value(Level::lower, 0, full, view(x), view(y)), std::log(10.0) + 0.005 * 40,
              1e-12);
}

TEST(HyperRepresentation, PointsInOnePassAgree) {
  auto options = small_options();
  for (const std::int64_t batch : {0, 7}) {
    for (const char* precision : {"float", "double"}) {
      options.batch = batch;
      options.precision = precision;
      check_points(make(3, options), {.iteration = 3, .step = 2, .stream = 1});
    }
  }
}

TEST(HyperRepresentation, ExactProductsMatchFiniteDifferences) {
  check_products(make(3), Sample::everything(), 1e-7);
  auto options = small_options();
  options.batch = 16;
  check_products(make(2, options), {.iteration = 4}, 1e-7);
}

TEST(HyperRepresentation, MinibatchesAreUnbiased) {
  auto options = small_options();
  options.batch = 16;
  check_unbiased(make(3, options), 0.1);
}

TEST(HyperRepresentation, SubBatchesAddUpToAllSamples) {
  auto options = small_options();
  options.regularization = 0.1;
  for (const std::int64_t batches : {1, 4, 45}) check_sub_batches(make(3, options), batches);
}

TEST(HyperRepresentation, AnAgentIsTheSameWhicheverProcessHoldsIt) {
  const auto all = make(4);
  const HyperRepresentation some(AgentSet{4, {1, 3}}, small_options(), source(), 5, true);
  const HyperRepresentation none(AgentSet{4, {}}, small_options(), source(), 5, true);
  EXPECT_EQ(none.start_x(), all.start_x());
  const VectorXd x = all.start_x();
  const VectorXd y = random_vector(all.lower_dimension(), 2, 0.3);
  const auto a = gradients_at(all, Level::lower, 3, {.iteration = 2}, x, y);
  const auto b = gradients_at(some, Level::lower, 1, {.iteration = 2}, x, y);
  EXPECT_EQ(a.x, b.x);
  EXPECT_EQ(a.y, b.y);
}

TEST(HyperRepresentation, ClientsWithoutSamplesStayAtTheirPenalty) {
  auto options = small_options();
  options.samples = 5;
  const auto problem = make(8, options);
  const VectorXd x = problem.start_x();
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  int empty = 0;
  for (int local = 0; local < 8; ++local) {
    const auto g = gradients_at(problem, Level::lower, local, {.iteration = 1}, x, y);
    EXPECT_TRUE(g.x.allFinite() && g.y.allFinite());
    if ((g.y - 0.01 * y).norm() > 1e-15) continue;
    EXPECT_EQ(g.x.norm(), 0);
    ++empty;
  }
  EXPECT_EQ(empty, 3);
}

/// The y of one client after gradient steps on its training samples.
VectorXd trained_head(const HyperRepresentation& problem, int local, const VectorXd& x) {
  VectorXd y = VectorXd::Zero(problem.lower_dimension());
  for (int k = 0; k < 100; ++k) {
    y -= 0.5 * gradients_at(problem, Level::lower, local, Sample::everything(), x, y).y;
  }
  return y;
}

TEST(HyperRepresentation, EachClientIsTestedWithItsOwnHeadOnItsOwnLabels) {
  auto options = small_options();
  options.partition.partition = "label-shards";
  options.partition.shards_per_agent = 1;
  const auto problem = make(10, options);  // about one label each
  const VectorXd x = problem.start_x();
  std::vector<VectorXd> heads;
  for (int local = 0; local < 10; ++local) heads.push_back(trained_head(problem, local, x));
  EXPECT_EQ(problem.metric_names(), (std::vector<std::string>{"test_accuracy", "validation_loss"}));
  const auto own = figures(problem, x, heads);
  EXPECT_GT(own[0], 0.8);
  std::rotate(heads.begin(), heads.begin() + 1, heads.end());
  const auto of_others = figures(problem, x, heads);
  EXPECT_LT(of_others[0], 0.5);
  EXPECT_GT(of_others[1], own[1] + 1);
  EXPECT_NEAR(figures(problem, x, {VectorXd::Zero(problem.lower_dimension())})[1], std::log(10.0),
              1e-12);
}

TEST(HyperRepresentation, ClientsAreThoseOfTheIdsWhereThePartitionIsNatural) {
  MemorySource written(400, features);
  for (int i = 0; i < 400; ++i) written.ids.push_back("writer" + std::to_string(i % 5));
  auto options = small_options();
  options.partition.partition = "natural";
  options.partition.partition_file = "writers";
  const HyperRepresentation problem(all_agents(5), options, written, 5, true);
  const PartitionReport& report = problem.partition_report();
  ASSERT_EQ(report.agents, 5);
  for (std::int64_t agent = 0; agent < 5; ++agent) EXPECT_EQ(report.size(agent), 80);
  EXPECT_EQ(report.ids.size(), 5U);
  options.partition.partition = "even";
  EXPECT_THROW(HyperRepresentation(all_agents(5), options, written, 5, true), Error);
}

TEST(HyperRepresentation, TheReportCountsWhatClientsHold) {
  auto options = small_options();
  options.samples = 250;
  const auto problem = make(4, options);
  std::int64_t samples = 0;
  for (std::int64_t agent = 0; agent < 4; ++agent)
    samples += problem.partition_report().size(agent);
  EXPECT_EQ(samples, 250);
  EXPECT_GE(problem.data_bytes(), 250 * (features * 4 + 1));
}

TEST(HyperRepresentation, PrecisionDecidesTheArithmetic) {
  auto options = small_options();
  const VectorXd x = make(2).start_x();
  const VectorXd y = random_vector(70, 2, 0.3);
  const auto at = [&](const char* precision, bool wants_double, const Sample& sample) {
    options.precision = precision;
    return gradients_at(make(2, options, wants_double), Level::lower, 0, sample, x, y).x;
  };
  const VectorXd in_double = at("double", false, {});
  const VectorXd in_float = at("float", true, {});
  EXPECT_NE(in_float, in_double);
  EXPECT_LE((in_float - in_double).norm(), 1e-5 * in_double.norm());
  EXPECT_EQ(at("auto", true, {}), in_double);
  EXPECT_EQ(at("float", false, Sample::everything()), in_double);
}

void expect_error(const HyperRepresentationOptions& options, const DataSource& data, ErrorKind kind,
                  const std::vector<std::string>& parts) {
  try {
    const HyperRepresentation problem(all_agents(2), options, data, 5, true);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(HyperRepresentation, BadInputIsRefused) {
  auto options = small_options();
  options.samples = 401;
  expect_error(options, source(), ErrorKind::usage, {"problem.samples", "401", "400"});
  options = small_options();
  options.test_fraction = 0.9;
  expect_error(options, source(), ErrorKind::usage, {"problem.test_fraction", "below 1"});
  options = small_options();
  options.labels = "";
  expect_error(options, source(), ErrorKind::usage, {"problem.labels"});
  options = small_options();
  options.hidden = "";
  expect_error(options, source(), ErrorKind::usage, {"problem.hidden"});
  MemorySource odd(400, features);
  odd.image_count = 399;
  expect_error(small_options(), odd, ErrorKind::bad_data, {"images", "399", "labels", "400"});
}

}  // namespace
}  // namespace echelon

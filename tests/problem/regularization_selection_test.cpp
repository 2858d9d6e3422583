#include "echelon/problem/regularization_selection.hpp"

#include <gtest/gtest.h>

#include "data_problem_checks.hpp"
#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

constexpr Index features = 19;

const MemorySource& source() {
  static const MemorySource instance(300, features);
  return instance;
}

RegularizationSelectionOptions small_options() {
  RegularizationSelectionOptions options;
  options.data = "data";
  return options;
}

RegularizationSelection make(AgentId agents,
                             const RegularizationSelectionOptions& options = small_options()) {
  return RegularizationSelection(all_agents(agents), options, source(), 5, true);
}

std::vector<double> figures(const RegularizationSelection& problem, const VectorXd& y) {
  const VectorXd x = problem.start_x();
  VectorXd sums = VectorXd::Zero(problem.metric_sums());
  for (int local = 0; local < problem.agents().count(); ++local) {
    problem.add_metric_sums(local, view(x), view(y), sums);
  }
  return problem.finish_metrics(sums);
}

TEST(RegularizationSelection, GradientsMatchFiniteDifferences) {
  check_gradients(make(3), Sample::everything(), 1e-7);
  auto options = small_options();
  options.batch = 16;
  check_gradients(make(3, options), {.iteration = 4, .step = 1}, 1e-7);
}

TEST(RegularizationSelection, SubBatchesAddUpToAllSamples) {
  for (const std::int64_t batches : {1, 4, 120}) check_sub_batches(make(3), batches);
}

TEST(RegularizationSelection, ValueIsTheFormula) {
  const auto problem = make(1);
  const VectorXd x = VectorXd::Constant(features, std::log(3.0));
  const VectorXd zero = VectorXd::Zero(features);
  const Sample full = Sample::everything();
  EXPECT_NEAR(problem.value(Level::upper, 0, full, view(x), view(zero)), std::log(2.0), 1e-12);
  EXPECT_NEAR(problem.value(Level::lower, 0, full, view(x), view(zero)), std::log(2.0), 1e-12);
  // The penalty of y = 2: 1/2 * 3 * 4; x in the difference cancels the data term.
  const VectorXd y = VectorXd::Constant(features, 2);
  const VectorXd off = VectorXd::Constant(features, -600);
  EXPECT_NEAR(problem.value(Level::lower, 0, full, view(x), view(y)) -
                  problem.value(Level::lower, 0, full, view(off), view(y)),
              6, 1e-11);
}

TEST(RegularizationSelection, PointsInOnePassAgree) {
  auto options = small_options();
  for (const std::int64_t batch : {0, 7}) {
    for (const char* precision : {"float", "double"}) {
      options.batch = batch;
      options.precision = precision;
      check_points(make(3, options), {.iteration = 3, .step = 2, .stream = 1});
    }
  }
}

TEST(RegularizationSelection, ExactProductsMatchFiniteDifferences) {
  check_products(make(3), Sample::everything(), 1e-7);
  auto options = small_options();
  options.batch = 16;
  check_products(make(2, options), {.iteration = 4}, 1e-7);
}

TEST(RegularizationSelection, MeanOverAgentsDoesNotDependOnThePartition) {
  const auto alone = make(1);
  check_same_mean(alone, make(7), 1e-12);
  auto skewed = small_options();
  skewed.partition.partition = "dirichlet";
  skewed.partition.dirichlet_alpha = 0.01;
  check_same_mean(alone, make(40, skewed), 1e-12);
  check_same_mean(alone, make(400), 1e-12);
}

TEST(RegularizationSelection, AnAgentIsTheSameWhicheverProcessHoldsIt) {
  const auto all = make(4);
  const RegularizationSelection some(AgentSet{4, {1, 3}}, small_options(), source(), 5, true);
  const RegularizationSelection none(AgentSet{4, {}}, small_options(), source(), 5, true);
  EXPECT_EQ(none.lower_dimension(), features);
  const VectorXd x = random_vector(features, 1, 1);
  const VectorXd y = random_vector(features, 2, 0.3);
  EXPECT_EQ(gradients_at(all, Level::lower, 3, {}, x, y).y,
            gradients_at(some, Level::lower, 1, {}, x, y).y);
}

TEST(RegularizationSelection, MinibatchesAreUnbiased) {
  auto options = small_options();
  options.batch = 16;
  check_unbiased(make(3, options), 0.1);
}

TEST(RegularizationSelection, OverflowIsNeverFinite) {
  const auto problem = make(1);
  VectorXd x = VectorXd::Zero(features);
  x(4) = 800;
  for (const double value : {0.0, 1.0}) {
    const VectorXd y = VectorXd::Constant(features, value);
    const auto g = gradients_at(problem, Level::lower, 0, Sample::everything(), x, y);
    EXPECT_FALSE(std::isfinite(g.x(4)));
    EXPECT_FALSE(std::isfinite(g.y(4)));
    EXPECT_FALSE(
        std::isfinite(problem.value(Level::lower, 0, Sample::everything(), view(x), view(y))));
  }
}

TEST(RegularizationSelection, FiguresAndBaseline) {
  auto options = small_options();
  options.start_x = -3;
  EXPECT_EQ(make(1, options).metric_names(), std::vector<std::string>{"validation_accuracy"});
  options.test_data = "test";
  const auto problem = make(3, options);
  EXPECT_EQ(problem.start_x(), VectorXd::Constant(features, -3));
  VectorXd y = VectorXd::Zero(features);
  EXPECT_NEAR(figures(problem, y)[2], std::log(2.0), 1e-12);
  VectorXd part(features);
  for (int k = 0; k < 3000; ++k) {
    VectorXd mean = VectorXd::Zero(features);
    for (int local = 0; local < 3; ++local) {
      problem.baseline_gradient(0, local, view(y), output(part));
      mean += part / 3;
    }
    y -= mean;
  }
  // The minimizer of the lower level at the start, and a useful classifier.
  VectorXd rest = VectorXd::Zero(features);
  for (int local = 0; local < 3; ++local) {
    rest +=
        gradients_at(problem, Level::lower, local, Sample::everything(), problem.start_x(), y).y;
  }
  EXPECT_LE(rest.norm(), 1e-3);
  const auto after = figures(problem, y);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_GT(after[0], 0.7);
  EXPECT_GT(after[1], 0.7);
  EXPECT_LT(after[2], std::log(2.0) - 0.1);
  const auto alone = figures(make(1, options), y);
  EXPECT_EQ(after[0], alone[0]);
  EXPECT_EQ(after[1], alone[1]);
  EXPECT_NEAR(after[2], alone[2], 1e-12);
}

TEST(RegularizationSelection, BadInputIsRefused) {
  auto options = small_options();
  options.data = "";
  EXPECT_THROW(make(1, options), Error);
  options = small_options();
  for (const double fraction : {0.0, 1.0, 1e-6}) {
    options.validation_fraction = fraction;
    EXPECT_THROW(make(1, options), Error);
  }
}

}  // namespace
}  // namespace echelon

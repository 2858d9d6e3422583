#include "echelon/problem/client_softmax.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "echelon/core/error.hpp"
#include "problem/memory_source.hpp"

namespace echelon {
namespace {

MemorySource labelled_images() {
  return {400, 12};
}

AgentSet some_of(AgentId total, std::vector<AgentId> local) {
  return {total, std::move(local)};
}

ClientSoftmaxOptions small_options() {
  return {.images = "images",
          .labels = "labels",
          .test = 100,
          .client_train = 12,
          .client_validation = 6,
          .client_test = 5};
}

VectorXd gradient_of(const ClientSoftmax& problem, int local, const Sample& sample) {
  const VectorXd x = problem.start_x();
  const VectorXd y = VectorXd::LinSpaced(problem.lower_dimension(), -0.5, 0.5);
  VectorXd gy(y.size());
  const AgentPoint point{
      {x.data(), x.size()}, {y.data(), y.size()}, {nullptr, 0}, {gy.data(), gy.size()}};
  problem.gradient(Level::lower, local, sample, {&point, 1});
  return gy;
}

TEST(ClientSoftmax, AClientHasTheSameSamplesWhereverItLives) {
  const MemorySource source = labelled_images();
  for (const double alpha : {0.0, 0.3}) {
    ClientSoftmaxOptions options = small_options();
    options.dirichlet_alpha = alpha;
    options.batch = 4;
    const ClientSoftmax all(some_of(1000, {3, 500, 999}), options, source, 5, true);
    const ClientSoftmax one(some_of(1000, {500}), options, source, 5, true);
    for (const Sample& sample : {Sample{.iteration = 7, .step = 2}, Sample::everything()}) {
      EXPECT_EQ(gradient_of(all, 1, sample), gradient_of(one, 0, sample));
      EXPECT_NE(gradient_of(all, 0, sample), gradient_of(one, 0, sample));
    }
  }
}

// The mean over many draws of a minibatch gradient is the gradient of all samples.
TEST(ClientSoftmax, MinibatchesAreUnbiased) {
  ClientSoftmaxOptions options = small_options();
  options.batch = 3;
  const ClientSoftmax problem(some_of(4, {1}), options, labelled_images(), 5, true);
  const VectorXd exact = gradient_of(problem, 0, Sample::everything());
  VectorXd mean = VectorXd::Zero(exact.size());
  constexpr int draws = 20000;
  for (std::uint64_t k = 0; k < draws; ++k) {
    mean += gradient_of(problem, 0, {.iteration = k}) / draws;
  }
  EXPECT_LT((mean - exact).norm(), 0.02 * (1 + exact.norm()));
}

TEST(ClientSoftmax, SkewedClientsHoldFewLabels) {
  const MemorySource source = labelled_images();
  const auto spread = [&](double alpha) {  // how far clients' gradients are from each other
    ClientSoftmaxOptions options = small_options();
    options.dirichlet_alpha = alpha;
    std::vector<AgentId> ids(50);
    std::iota(ids.begin(), ids.end(), 0);
    const ClientSoftmax problem(some_of(50, ids), options, source, 5, true);
    VectorXd mean = VectorXd::Zero(problem.lower_dimension());
    for (int i = 0; i < 50; ++i) mean += gradient_of(problem, i, Sample::everything()) / 50;
    double sum = 0;
    for (int i = 0; i < 50; ++i) {
      sum += (gradient_of(problem, i, Sample::everything()) - mean).squaredNorm() / 50;
    }
    return sum;
  };
  const double alike = spread(0);
  EXPECT_GT(spread(0.05), 5 * alike);
  EXPECT_LT(spread(1000), 2 * alike);
}

TEST(ClientSoftmax, RefusesWhatCannotBe) {
  const auto why = [](const ClientSoftmaxOptions& options) -> std::string {
    try {
      const ClientSoftmax problem(some_of(2, {0}), options, labelled_images(), 5, true);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto expect = [&](const ClientSoftmaxOptions& options, const std::string& part) {
    const std::string text = why(options);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  ClientSoftmaxOptions options = small_options();
  options.test = 400;
  expect(options, "leaves no pool");
  options.test = 0;
  expect(options, "choose problem.test >= 1");
  options = small_options();
  options.test = 2;
  options.dirichlet_alpha = 0.5;
  expect(options, "no image with label");
  options = small_options();
  options.images = "";
  expect(options, "name an IDX file of images");
}

}  // namespace
}  // namespace echelon

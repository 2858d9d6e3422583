#include "echelon/method/estimator.hpp"

#include <gtest/gtest.h>

#include "echelon/core/catalog.hpp"
#include "echelon/core/random.hpp"

namespace echelon {
namespace {

/// Answers 1 + N(0, 1) in every entry.
void noisy_oracle(const Sample& sample, OraclePoint, OracleOutputs outputs) {
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    Draws draws(1, Purpose::gradient_noise, static_cast<AgentId>(k), sample.iteration);
    for (Index i = 0; i < outputs[k]->cols(); ++i) {
      for (Index r = 0; r < outputs[k]->rows(); ++r) (*outputs[k])(r, i) = 1 + draws.normal();
    }
  }
}

std::unique_ptr<GradientEstimator> make(const std::string& name, double theta) {
  EstimatorOptions options{.name = name, .theta = theta};
  return find_entry(estimator_catalog(), name, "estimator").make(options, {3, 5}, 2);
}

TEST(Estimator, PlainPassesTheOracleThrough) {
  const auto estimator = make("plain", 0.1);
  AgentMatrix a(3, 2), b(5, 2), expected(3, 2), other(5, 2);
  const Sample sample{.iteration = 4};
  estimator->estimate(sample, {&a}, noisy_oracle, {&a, &b});
  AgentView* const outputs[] = {&expected, &other};
  noisy_oracle(sample, {}, outputs);
  EXPECT_EQ(a, expected);
  EXPECT_EQ(b, other);
}

TEST(Estimator, MomentumHasTheVarianceOfAMovingAverageAndNoBias) {
  for (const double theta : {0.1, 0.3, 1.0}) {
    const auto estimator = make("momentum", theta);
    AgentMatrix a(3, 2), b(5, 2);
    double sum = 0, square = 0;
    constexpr int count = 40000;
    for (int k = 0; k < count; ++k) {
      estimator->estimate({.iteration = static_cast<std::uint64_t>(k)}, {&a}, noisy_oracle,
                          {&a, &b});
      if (k < 200) continue;
      sum += b(4, 1);
      square += (b(4, 1) - 1) * (b(4, 1) - 1);
    }
    EXPECT_NEAR(sum / (count - 200), 1, 0.03);
    EXPECT_NEAR(square / (count - 200), theta / (2 - theta), 0.06 * theta / (2 - theta) + 0.003);
  }
}

TEST(Estimator, MomentumsFirstStepIsPlain) {
  const auto estimator = make("momentum", 0.01);
  AgentMatrix a(3, 2), b(5, 2);
  const Oracle ones = [](const Sample&, OraclePoint, OracleOutputs outputs) {
    for (AgentView* output : outputs) output->setOnes();
  };
  estimator->estimate({}, {&a}, ones, {&a, &b});
  EXPECT_EQ(a(2, 1), 1);
}

}  // namespace
}  // namespace echelon

#include "echelon/problem/logistic_kernel.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "memory_source.hpp"

namespace echelon {
namespace {

constexpr Index features = 23;

VectorXd vector(std::uint64_t stream, double scale = 1) {
  Draws draws(2, Purpose::start, 0, 0, stream);
  VectorXd y(features);
  for (Index i = 0; i < y.size(); ++i) y(i) = scale * draws.normal();
  return y;
}

VectorXd dense_row(const SparseData& data, std::size_t row) {
  VectorXd result = VectorXd::Zero(data.features);
  for (auto k = static_cast<std::size_t>(data.offsets[row]);
       k < static_cast<std::size_t>(data.offsets[row + 1]); ++k) {
    result(data.columns[k]) += static_cast<double>(data.values[k]);
  }
  return result;
}

template <class Scalar>
class LogisticKernel : public testing::Test {
 public:
  static constexpr double tolerance = sizeof(Scalar) == 4 ? 2e-5 : 1e-12;
  MemorySource source{600, features};
  SparseBatch batch{source.sparse, source.binary_labels.data()};
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(LogisticKernel, Scalars);

TYPED_TEST(LogisticKernel, AgreesWithPlainLoops) {
  const VectorXd y = vector(1);
  const VectorXd v = vector(2);
  const std::vector<std::int64_t> selection{5, 599, 5, 0, 17};
  for (const std::vector<std::int64_t>* rows :
       {static_cast<decltype(&selection)>(nullptr), &selection}) {
    const SparseBatch chosen{this->source.sparse, this->source.binary_labels.data(), rows};
    const auto count = static_cast<std::size_t>(chosen.count());
    VectorXd gradient = VectorXd::Constant(features, 99);
    VectorXd hv = VectorXd::Constant(features, 99);
    std::vector<double> losses(count);
    std::vector<std::uint8_t> predictions(count);
    const LogisticPoint point{y.data(), 0.5, gradient.data(), losses.data(), predictions.data()};
    logistic_evaluate<TypeParam>(chosen, std::span(&point, 1));
    logistic_product<TypeParam>(chosen, y.data(), v.data(), 0.5, hv.data());

    VectorXd expected = VectorXd::Zero(features);
    VectorXd expected_hv = VectorXd::Zero(features);
    for (std::size_t b = 0; b < count; ++b) {
      const std::size_t row = rows ? static_cast<std::size_t>((*rows)[b]) : b;
      const VectorXd a = dense_row(this->source.sparse, row);
      const double label = this->source.binary_labels[row];
      const double p = 1 / (1 + std::exp(-a.dot(y)));
      expected += 0.5 * (p - label) * a;
      expected_hv += 0.5 * p * (1 - p) * a.dot(v) * a;
      EXPECT_NEAR(losses[b], -std::log(label == 1 ? p : 1 - p), 10 * this->tolerance);
      if (std::abs(p - 0.5) > 1e-5) {
        EXPECT_EQ(predictions[b], p > 0.5 ? 1 : 0);
      }
    }
    EXPECT_LE((gradient - expected).norm(), this->tolerance * (1 + expected.norm()));
    EXPECT_LE((hv - expected_hv).norm(), this->tolerance * (1 + expected_hv.norm()));
  }
}

TYPED_TEST(LogisticKernel, SeveralPointsAgreeWithOneAtATime) {
  for (std::size_t count = 1; count <= 6; ++count) {
    std::vector<VectorXd> y, gradients;
    for (std::size_t p = 0; p < count; ++p) y.push_back(vector(p));
    gradients.assign(count, VectorXd(features));
    std::vector<LogisticPoint> points;
    for (std::size_t p = 0; p < count; ++p) {
      points.push_back({.y = y[p].data(), .gradient = gradients[p].data()});
    }
    logistic_evaluate<TypeParam>(this->batch, points);
    for (std::size_t p = 0; p < count; ++p) {
      VectorXd alone(features);
      const LogisticPoint point{.y = y[p].data(), .gradient = alone.data()};
      logistic_evaluate<TypeParam>(this->batch, std::span(&point, 1));
      EXPECT_EQ(gradients[p], alone);
    }
  }
}

TYPED_TEST(LogisticKernel, LargeScoresStayFiniteAndNanSpreads) {
  VectorXd y = vector(1, 1e5);
  const VectorXd v = vector(2);
  VectorXd gradient(features), hv(features);
  std::vector<double> losses(600);
  const LogisticPoint point{.y = y.data(), .gradient = gradient.data(), .losses = losses.data()};
  logistic_evaluate<TypeParam>(this->batch, std::span(&point, 1));
  logistic_product<TypeParam>(this->batch, y.data(), v.data(), 1, hv.data());
  EXPECT_TRUE(gradient.allFinite());
  EXPECT_TRUE(hv.allFinite());
  for (const double loss : losses) EXPECT_TRUE(std::isfinite(loss) && loss >= 0);
  y.setConstant(std::numeric_limits<double>::quiet_NaN());
  logistic_evaluate<TypeParam>(this->batch, std::span(&point, 1));
  EXPECT_TRUE(gradient.hasNaN());
  EXPECT_TRUE(std::isnan(losses[0]));
}

TYPED_TEST(LogisticKernel, NoRowsGiveZero) {
  SparseData none;
  none.features = features;
  const VectorXd y = vector(1);
  VectorXd gradient = VectorXd::Constant(features, 99);
  const LogisticPoint point{.y = y.data(), .gradient = gradient.data()};
  logistic_evaluate<TypeParam>({none, nullptr}, std::span(&point, 1));
  EXPECT_EQ(gradient, VectorXd::Zero(features));
}

}  // namespace
}  // namespace echelon

#include "echelon/problem/softmax_kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "echelon/core/random.hpp"

namespace echelon {
namespace {

struct Case {
  Index features;
  Index classes;
  std::int64_t rows;
  DenseData data;
  std::vector<std::uint8_t> labels;
  std::vector<double> weights;

  Case(Index features_in, Index classes_in, std::int64_t rows_in)
      : features(features_in), classes(classes_in), rows(rows_in) {
    Draws draws(1, Purpose::problem_data);
    data.features = features;
    for (std::int64_t i = 0; i < rows * features; ++i) {
      data.values.push_back(static_cast<float>(draws.uniform()));
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      labels.push_back(static_cast<std::uint8_t>(draws.below(static_cast<std::uint64_t>(classes))));
      weights.push_back(draws.uniform());
    }
  }

  VectorXd heads(std::uint64_t stream, double scale = 0.5) const {
    Draws draws(2, Purpose::start, 0, 0, stream);
    VectorXd y((features + 1) * classes);
    for (Index i = 0; i < y.size(); ++i) y(i) = scale * draws.normal();
    return y;
  }
  double score(std::int64_t row, const VectorXd& y, Index c) const {
    double z = y(c * (features + 1) + features);
    for (Index d = 0; d < features; ++d) {
      z += static_cast<double>(data.values[static_cast<std::size_t>(row * features + d)]) *
           y(c * (features + 1) + d);
    }
    return z;
  }
  std::vector<double> probabilities(std::int64_t row, const VectorXd& y) const {
    std::vector<double> p;
    double sum = 0;
    for (Index c = 0; c < classes; ++c) {
      p.push_back(std::exp(score(row, y, c)));
      sum += p.back();
    }
    for (double& value : p) value /= sum;
    return p;
  }
  Index label(std::int64_t row) const { return labels[static_cast<std::size_t>(row)]; }
  double weight(std::int64_t row) const { return weights[static_cast<std::size_t>(row)]; }
  /// out += factor_c (a_row, 1)
  void add(std::int64_t row, Index c, double factor, VectorXd& out) const {
    for (Index d = 0; d < features; ++d) {
      out(c * (features + 1) + d) +=
          factor * static_cast<double>(data.values[static_cast<std::size_t>(row * features + d)]);
    }
    out(c * (features + 1) + features) += factor;
  }
  VectorXd gradient(const VectorXd& y, double scale) const {
    VectorXd result = VectorXd::Zero(y.size());
    for (std::int64_t j = 0; j < rows; ++j) {
      const auto p = probabilities(j, y);
      for (Index c = 0; c < classes; ++c) {
        const double target = c == label(j) ? 1 : 0;
        add(j, c, scale * weight(j) * (p[static_cast<std::size_t>(c)] - target), result);
      }
    }
    return result;
  }
};

/// Rows that fill blocks, that do not, and none; features that are and are not multiples of
/// vectors.
std::vector<Case> cases() {
  return {Case(7, 3, 1),     Case(7, 3, 67),   Case(16, 10, 64),
          Case(33, 10, 131), Case(130, 6, 66), Case(20, 2, 0)};
}

template <class Scalar>
class SoftmaxKernel : public testing::Test {
 public:
  static constexpr double tolerance = sizeof(Scalar) == 4 ? 2e-5 : 1e-12;
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftmaxKernel, Scalars);

TYPED_TEST(SoftmaxKernel, AgreesWithPlainLoops) {
  for (const Case& test : cases()) {
    const DenseSamples samples(test.data, 0, test.rows);
    const VectorXd y = test.heads(1);
    VectorXd gradient = VectorXd::Constant(y.size(), 99);
    std::vector<double> losses(test.labels.size());
    std::vector<std::uint8_t> predictions(test.labels.size());
    const SoftmaxPoint point{y.data(),        test.weights.data(), 0.25,
                             gradient.data(), losses.data(),       predictions.data()};
    softmax_evaluate<TypeParam>({samples, test.labels.data()}, test.classes, std::span(&point, 1));
    const VectorXd expected = test.gradient(y, 0.25);
    EXPECT_LE((gradient - expected).norm(), this->tolerance * (1 + expected.norm()));
    for (std::int64_t j = 0; j < test.rows; ++j) {
      const auto p = test.probabilities(j, y);
      const auto position = static_cast<std::size_t>(j);
      EXPECT_NEAR(losses[position], -std::log(p[static_cast<std::size_t>(test.label(j))]),
                  10 * this->tolerance);
      EXPECT_GE(p[predictions[position]] + 1e-5, *std::max_element(p.begin(), p.end()));
    }
  }
}

TYPED_TEST(SoftmaxKernel, SeveralPointsAgreeWithOneAtATime) {
  for (const Case& test : cases()) {
    const DenseSamples samples(test.data, 0, test.rows);
    const DenseBatch batch{samples, test.labels.data()};
    const VectorXd a = test.heads(1);
    const VectorXd b = test.heads(2);
    VectorXd ga(a.size()), gb(a.size()), alone(a.size());
    std::vector<double> losses(test.labels.size()), losses_alone(test.labels.size());
    const std::vector<SoftmaxPoint> points{{.y = b.data(), .losses = losses.data()},
                                           {a.data(), test.weights.data(), 1, ga.data()},
                                           {.y = b.data(), .gradient = gb.data()}};
    softmax_evaluate<TypeParam>(batch, test.classes, points);
    const SoftmaxPoint one{a.data(), test.weights.data(), 1, alone.data()};
    softmax_evaluate<TypeParam>(batch, test.classes, std::span(&one, 1));
    EXPECT_EQ(ga, alone);
    const SoftmaxPoint two{.y = b.data(), .gradient = alone.data(), .losses = losses_alone.data()};
    softmax_evaluate<TypeParam>(batch, test.classes, std::span(&two, 1));
    EXPECT_EQ(gb, alone);
    EXPECT_EQ(losses, losses_alone);
  }
}

TYPED_TEST(SoftmaxKernel, SelectedRowsAgreeWithTheSameRowsStoredApart) {
  const Case test(33, 10, 90);
  const DenseSamples samples(test.data, 0, test.rows);
  const VectorXd y = test.heads(1);
  std::vector<std::int64_t> rows;
  DenseData picked_data{.features = test.features, .values = {}};
  std::vector<std::uint8_t> picked_labels;
  for (std::int64_t k = 0; k < 70; ++k) {
    const std::int64_t row = 37 * k % 90 / 2;
    rows.push_back(row);
    picked_labels.push_back(test.labels[static_cast<std::size_t>(row)]);
    const auto first = test.data.values.begin() + row * test.features;
    picked_data.values.insert(picked_data.values.end(), first, first + test.features);
  }
  const DenseSamples picked(picked_data, 0, 70);
  VectorXd gradient(y.size()), expected(y.size());
  const SoftmaxPoint by_rows{y.data(), test.weights.data(), 2, gradient.data()};
  softmax_evaluate<TypeParam>({samples, test.labels.data(), &rows}, 10, std::span(&by_rows, 1));
  const SoftmaxPoint apart{y.data(), test.weights.data(), 2, expected.data()};
  softmax_evaluate<TypeParam>({picked, picked_labels.data()}, 10, std::span(&apart, 1));
  EXPECT_EQ(gradient, expected);
}

TYPED_TEST(SoftmaxKernel, ProductsAgreeWithPlainLoops) {
  for (const Case& test : cases()) {
    const DenseSamples samples(test.data, 0, test.rows);
    const VectorXd y = test.heads(1);
    const VectorXd v = test.heads(2);
    VectorXd hv(y.size());
    std::vector<double> slopes(test.labels.size());
    softmax_product<TypeParam>({samples, test.labels.data()}, test.classes,
                               {.y = y.data(),
                                .v = v.data(),
                                .weights = test.weights.data(),
                                .scale = 0.5,
                                .hv = hv.data(),
                                .slopes = slopes.data()});
    VectorXd expected = VectorXd::Zero(y.size());
    for (std::int64_t j = 0; j < test.rows; ++j) {
      const auto p = test.probabilities(j, y);
      double mean = 0;
      for (Index c = 0; c < test.classes; ++c) {
        mean += p[static_cast<std::size_t>(c)] * test.score(j, v, c);
      }
      for (Index c = 0; c < test.classes; ++c) {
        const double s = p[static_cast<std::size_t>(c)] * (test.score(j, v, c) - mean);
        test.add(j, c, 0.5 * test.weight(j) * s, expected);
      }
      EXPECT_NEAR(slopes[static_cast<std::size_t>(j)], mean - test.score(j, v, test.label(j)),
                  20 * this->tolerance);
    }
    EXPECT_LE((hv - expected).norm(), this->tolerance * (1 + expected.norm()));
  }
}

TYPED_TEST(SoftmaxKernel, LargeScoresStayFiniteAndNanSpreads) {
  const Case test(16, 10, 67);
  const DenseSamples samples(test.data, 0, test.rows);
  const DenseBatch batch{samples, test.labels.data()};
  VectorXd y = test.heads(1, 1e4);
  VectorXd gradient(y.size());
  std::vector<double> losses(test.labels.size());
  const SoftmaxPoint point{.y = y.data(), .gradient = gradient.data(), .losses = losses.data()};
  softmax_evaluate<TypeParam>(batch, 10, std::span(&point, 1));
  EXPECT_TRUE(gradient.allFinite());
  for (const double loss : losses) EXPECT_TRUE(std::isfinite(loss) && loss >= 0);
  y(3) = std::numeric_limits<double>::quiet_NaN();
  softmax_evaluate<TypeParam>(batch, 10, std::span(&point, 1));
  EXPECT_TRUE(gradient.hasNaN());
  EXPECT_TRUE(std::isnan(losses[0]));
}

TYPED_TEST(SoftmaxKernel, TheSameBitsAtAnyAddress) {
  const Case test(33, 10, 131);
  const VectorXd y = test.heads(1);
  std::vector<VectorXd> results;
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const DenseSamples samples(test.data, 0, test.rows);
    std::vector<double> shifted(static_cast<std::size_t>(y.size()) + shift);
    std::vector<double> out(shifted.size());
    std::copy(y.data(), y.data() + y.size(), shifted.data() + shift);
    const SoftmaxPoint point{.y = shifted.data() + shift, .gradient = out.data() + shift};
    softmax_evaluate<TypeParam>({samples, test.labels.data()}, 10, std::span(&point, 1));
    results.emplace_back(Eigen::Map<VectorXd>(out.data() + shift, y.size()));
    EXPECT_EQ(results.front(), results.back());
  }
}

}  // namespace
}  // namespace echelon

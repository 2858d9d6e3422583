#include "echelon/problem/mlp_kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "echelon/core/error.hpp"
#include "mlp_oracle.hpp"

namespace echelon {
namespace {

/// As `numbers` of mlp_oracle.py.
VectorXd formula(Index count, double stride, double scale) {
  VectorXd result(count);
  for (Index k = 0; k < count; ++k)
    result(k) = scale * std::sin(stride * static_cast<double>(k + 1));
  return result;
}

struct Case {
  MlpShape shape;
  DenseData data;
  DenseSamples samples;
  std::vector<std::uint8_t> labels;
  VectorXd parameters, direction;

  Case(std::vector<Index> widths, Activation activation, std::int64_t rows)
      : shape{std::move(widths), activation} {
    data.features = shape.inputs();
    const VectorXd values = formula(rows * shape.inputs(), 1.7, 1);
    for (const double value : values) data.values.push_back(static_cast<float>(value));
    for (std::int64_t k = 0; k < rows; ++k) {
      labels.push_back(static_cast<std::uint8_t>(3 * k % shape.classes()));
    }
    samples = DenseSamples(data, 0, rows);
    parameters = formula(shape.size(), 2.3, 0.8);
    direction = formula(shape.size(), 3.1, 1);
  }
  DenseBatch batch() const { return {samples, labels.data()}; }
  MlpPoint point(const VectorXd& at) const {
    return {.features = at.data(), .last = at.data() + shape.feature_size()};
  }
  MlpPoint point(const VectorXd& at, VectorXd& gradient) const {
    MlpPoint result = point(at);
    result.feature_gradient = gradient.data();
    result.last_gradient = gradient.data() + shape.feature_size();
    return result;
  }
  template <class Scalar>
  VectorXd gradient(const VectorXd& at) const {
    VectorXd result = VectorXd::Constant(shape.size(), 99);
    const MlpPoint wanted = point(at, result);
    mlp_evaluate<Scalar>(batch(), shape, std::span(&wanted, 1));
    return result;
  }
};

VectorXd vector_of(const std::vector<double>& numbers) {
  return Eigen::Map<const VectorXd>(numbers.data(), static_cast<Index>(numbers.size()));
}

/// Every activation, no hidden layer and several; rows that fill blocks, that do not, and none.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Activation activation : {Activation::sigmoid, Activation::tanh, Activation::relu}) {
    for (const std::int64_t rows : {0, 1, 80, 128, 300}) {
      all.emplace_back(std::vector<Index>{2, 10, 7, 16}, activation, rows);
    }
  }
  all.emplace_back(std::vector<Index>{33, 10}, Activation::tanh, 70);
  all.emplace_back(std::vector<Index>{40, 3, 2}, Activation::sigmoid, 131);
  return all;
}

template <class Scalar>
class MlpKernel : public testing::Test {
 public:
  static constexpr double tolerance = sizeof(Scalar) == 4 ? 2e-5 : 1e-12;
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MlpKernel, Scalars);

TYPED_TEST(MlpKernel, AgreesWithTheOracle) {
  for (const MlpOracle& oracle : mlp_oracles) {
    const Case test(oracle.widths, oracle.activation, oracle.rows);
    std::vector<double> losses(test.labels.size());
    MlpPoint wanted = test.point(test.parameters);
    wanted.losses = losses.data();
    mlp_evaluate<TypeParam>(test.batch(), test.shape, std::span(&wanted, 1));
    const double sum = std::accumulate(losses.begin(), losses.end(), 0.0);
    EXPECT_NEAR(sum, oracle.loss, this->tolerance * oracle.loss);
    const VectorXd expected = vector_of(oracle.gradient);
    EXPECT_LE((test.gradient<TypeParam>(test.parameters) - expected).norm(),
              this->tolerance * expected.norm());

    VectorXd product = VectorXd::Constant(test.shape.size(), 99);
    const Index split = test.shape.feature_size();
    mlp_product<TypeParam>(test.batch(), test.shape,
                           {.features = test.parameters.data(),
                            .last = test.parameters.data() + split,
                            .feature_direction = test.direction.data(),
                            .last_direction = test.direction.data() + split,
                            .feature_product = product.data(),
                            .last_product = product.data() + split});
    const VectorXd expected_product = vector_of(oracle.product);
    EXPECT_LE((product - expected_product).norm(), 5 * this->tolerance * expected_product.norm());
  }
}

TYPED_TEST(MlpKernel, OutputsDoNotDependOnWhatElseIsWanted) {
  for (const Case& test : cases()) {
    const VectorXd& a = test.parameters;
    const VectorXd& b = test.direction;
    VectorXd at_a(a.size()), at_b(a.size()), last_only(test.shape.last_size()),
        features_only(a.size());
    std::vector<double> losses(test.labels.size()), losses_alone(test.labels.size());
    MlpPoint last = test.point(a);
    last.last_gradient = last_only.data();
    last.losses = losses.data();
    MlpPoint features = test.point(a);
    features.feature_gradient = features_only.data();
    const std::vector<MlpPoint> points{last, test.point(b, at_b), features, test.point(a, at_a)};
    mlp_evaluate<TypeParam>(test.batch(), test.shape, points);
    EXPECT_EQ(at_a, test.gradient<TypeParam>(a));
    EXPECT_EQ(at_b, test.gradient<TypeParam>(b));
    EXPECT_EQ(last_only, at_a.tail(last_only.size()));
    const Index split = test.shape.feature_size();
    EXPECT_EQ(features_only.head(split), at_a.head(split));
    MlpPoint alone = test.point(a);
    alone.losses = losses_alone.data();
    mlp_evaluate<TypeParam>(test.batch(), test.shape, std::span(&alone, 1));
    EXPECT_EQ(losses, losses_alone);
  }
}

TYPED_TEST(MlpKernel, SelectedRowsAgreeWithTheSameRowsStoredApart) {
  const Case test({6, 9, 5}, Activation::tanh, 200);
  std::vector<std::int64_t> rows;
  DenseData picked{.features = 6, .values = {}};
  std::vector<std::uint8_t> labels;
  for (std::int64_t k = 0; k < 150; ++k) {
    rows.push_back(37 * k % 200 / 2);
    const auto first = test.data.values.begin() + rows.back() * 6;
    picked.values.insert(picked.values.end(), first, first + 6);
    labels.push_back(test.labels[static_cast<std::size_t>(rows.back())]);
  }
  const DenseSamples apart(picked, 0, 150);
  VectorXd by_rows(test.shape.size()), expected(test.shape.size());
  const MlpPoint one = test.point(test.parameters, by_rows);
  mlp_evaluate<TypeParam>({test.samples, test.labels.data(), &rows}, test.shape,
                          std::span(&one, 1));
  const MlpPoint other = test.point(test.parameters, expected);
  mlp_evaluate<TypeParam>({apart, labels.data()}, test.shape, std::span(&other, 1));
  EXPECT_EQ(by_rows, expected);
}

/// 1-2-2 with the given biases of the last layer and all other numbers 0.
TYPED_TEST(MlpKernel, LossesAndPredictionsOfConstantScores) {
  Case test({1, 2, 2}, Activation::tanh, 3);
  VectorXd y = VectorXd::Zero(test.shape.size());
  y(y.size() - 1) = 2;  // score of class 1
  std::vector<double> losses(3);
  std::vector<std::uint8_t> predictions(3);
  MlpPoint wanted = test.point(y);
  wanted.losses = losses.data();
  wanted.predictions = predictions.data();
  mlp_evaluate<TypeParam>(test.batch(), test.shape, std::span(&wanted, 1));
  const double right = std::log(1 + std::exp(-2.0));
  EXPECT_NEAR(losses[0], 2 + right, this->tolerance);  // labels are 0, 1, 0
  EXPECT_NEAR(losses[1], right, this->tolerance);
  EXPECT_EQ(predictions, (std::vector<std::uint8_t>{1, 1, 1}));
  y(y.size() - 1) = 0;
  mlp_evaluate<TypeParam>(test.batch(), test.shape, std::span(&wanted, 1));
  EXPECT_EQ(predictions, (std::vector<std::uint8_t>{0, 0, 0}));  // the first of equals
}

TYPED_TEST(MlpKernel, LargeScoresStayFinite) {
  for (const Activation activation : {Activation::sigmoid, Activation::tanh, Activation::relu}) {
    const Case test({3, 4, 5}, activation, 90);
    const VectorXd large = 1e4 * test.parameters;
    EXPECT_TRUE(test.template gradient<TypeParam>(large).allFinite());
  }
}

TEST(MlpKernelGradient, MatchesFiniteDifferencesOfTheLoss) {
  for (const Case& test : cases()) {
    const double h = 1e-5;
    const auto along = [&](double t) {
      const VectorXd at = test.parameters + t * test.direction;
      std::vector<double> losses(test.labels.size());
      MlpPoint wanted = test.point(at);
      wanted.losses = losses.data();
      mlp_evaluate<double>(test.batch(), test.shape, std::span(&wanted, 1));
      return std::accumulate(losses.begin(), losses.end(), 0.0);
    };
    const double slope = test.gradient<double>(test.parameters).dot(test.direction);
    // The kinks of relu are crossed by few samples.
    const double tolerance = test.shape.activation == Activation::relu ? 1e-3 : 1e-7;
    EXPECT_NEAR((along(h) - along(-h)) / (2 * h), slope, tolerance * (1 + std::abs(slope)));
  }
}

TEST(MlpKernelProduct, MatchesDifferencesOfGradientsInEveryBlock) {
  for (const Case& test : cases()) {
    if (test.shape.activation == Activation::relu) continue;
    const Index split = test.shape.feature_size();
    const double h = 1e-5;
    for (const bool moves_features : {true, false}) {
      VectorXd v = test.direction;
      if (!moves_features) v.head(split).setZero();
      const VectorXd expected = (test.gradient<double>(test.parameters + h * v) -
                                 test.gradient<double>(test.parameters - h * v)) /
                                (2 * h);
      VectorXd product(v.size()), last(test.shape.last_size());
      MlpProduct wanted{.features = test.parameters.data(),
                        .last = test.parameters.data() + split,
                        .feature_direction = moves_features ? v.data() : nullptr,
                        .last_direction = v.data() + split,
                        .feature_product = product.data(),
                        .last_product = product.data() + split};
      mlp_product<double>(test.batch(), test.shape, wanted);
      EXPECT_LE((product - expected).norm(), 1e-7 * (1 + expected.norm()));
      wanted.feature_product = nullptr;
      wanted.last_product = last.data();
      mlp_product<double>(test.batch(), test.shape, wanted);
      EXPECT_EQ(last, product.tail(last.size()));
    }
  }
}

TEST(MlpShape, CountsItsNumbers) {
  const MlpShape shape{{784, 200, 64, 10}, Activation::tanh};
  EXPECT_EQ(shape.layers(), 3);
  EXPECT_EQ(shape.feature_size(), 785 * 200 + 201 * 64);
  EXPECT_EQ(shape.last_size(), 65 * 10);
  const VectorXd start = random_layers(shape, 1, 3, Draws(1, Purpose::start));
  ASSERT_EQ(start.size(), shape.size());
  const double bound = std::sqrt(6.0 / 984);
  EXPECT_LE(start.head(785 * 200).lpNorm<Eigen::Infinity>(), bound);
  EXPECT_GT(start.head(784).lpNorm<Eigen::Infinity>(), 0.9 * bound);
  EXPECT_EQ(start(784), 0);  // a bias
}

TEST(MlpShape, ReadsWidths) {
  EXPECT_EQ(parse_widths("problem.hidden", "200-64"), (std::vector<Index>{200, 64}));
  EXPECT_EQ(parse_widths("problem.hidden", "1"), (std::vector<Index>{1}));
  for (const char* text : {"", "-", "3-", "-3", "3--4", "0", "3-0", "3x4", "3.5", "100001",
                           "99999999999999999999", " 3"}) {
    try {
      parse_widths("problem.hidden", text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("problem.hidden"), std::string::npos);
    }
  }
  EXPECT_THROW(activation_of("softplus"), Error);
  EXPECT_EQ(activation_of("relu"), Activation::relu);
}

}  // namespace
}  // namespace echelon

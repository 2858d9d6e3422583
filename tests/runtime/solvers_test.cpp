#include "echelon/runtime/solvers.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

namespace echelon {
namespace {

TEST(Minimize, SolvesAnIllConditionedConvexFunction) {
  // sum c_i log cosh(y_i - i / 7) + c_i (y_i - i / 7)^2 / 2 with curvatures over five decades;
  // minimizer i / 7.
  constexpr Index size = 30;
  const auto gradient = [](const VectorXd& y, VectorXd& g) {
    for (Index i = 0; i < size; ++i) {
      const double c = std::pow(10.0, -5.0 * static_cast<double>(i) / (size - 1));
      const double d = y(i) - static_cast<double>(i) / 7;
      g(i) = c * (std::tanh(d) + d);
    }
  };
  VectorXd y = VectorXd::Constant(size, 50);
  VectorXd g(size);
  const auto result = minimize(gradient, y, {.tolerance = 1e-10});
  EXPECT_TRUE(result.converged);
  gradient(y, g);
  EXPECT_LT(g.norm(), 1e-8);
  EXPECT_NEAR(y(3), 3.0 / 7, 1e-6);
}

TEST(Minimize, SaysSoWhenThereIsNoMinimum) {
  VectorXd y = VectorXd::Zero(2);
  const auto result =
      minimize([](const VectorXd&, VectorXd& g) { g.setOnes(); }, y, {.iterations = 30});
  EXPECT_FALSE(result.converged);
  VectorXd z = VectorXd::Zero(2);
  const auto nan =
      minimize([](const VectorXd&, VectorXd& g) { g.setConstant(std::nan("")); }, z, {});
  EXPECT_FALSE(nan.converged);
}

TEST(ConjugateGradient, SolvesDefiniteSystemsAndRefusesOthers) {
  Eigen::MatrixXd root(12, 12);
  for (Index i = 0; i < 12; ++i) {
    for (Index j = 0; j < 12; ++j)
      root(i, j) = std::sin(1.0 + 3.0 * static_cast<double>(i) + 7.0 * static_cast<double>(j * j));
  }
  const Eigen::MatrixXd matrix = root * root.transpose() + 0.1 * Eigen::MatrixXd::Identity(12, 12);
  const VectorXd b = VectorXd::LinSpaced(12, -1, 2);
  VectorXd v = VectorXd::Zero(12);
  const auto result = conjugate_gradient(
      [&](const VectorXd& at, VectorXd& hv) { hv = matrix * at; }, b, v, {.tolerance = 1e-12});
  EXPECT_TRUE(result.converged);
  EXPECT_LT((matrix * v - b).norm(), 1e-10);
  v.setZero();
  const auto refused =
      conjugate_gradient([&](const VectorXd& at, VectorXd& hv) { hv = -at; }, b, v, {});
  EXPECT_FALSE(refused.converged);
}

}  // namespace
}  // namespace echelon

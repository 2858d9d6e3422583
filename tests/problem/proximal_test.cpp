#include "echelon/problem/proximal.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace echelon {
namespace {

using Eigen::VectorXd;

constexpr double spacing = 1e-3;

/// argmin of t r(u) + 1/2 (u - y)^2 over a grid.
double on_grid(double t, const std::function<double(double)>& r, double y) {
  double best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int i = -4000; i <= 4000; ++i) {
    const double u = i * spacing;
    const double value = t * r(u) + 0.5 * (u - y) * (u - y);
    if (value < least) {
      least = value;
      best = u;
    }
  }
  return best;
}

/// Calls check(t, weight, y) on a range of all three.
void for_each_case(const std::function<void(double, double, double)>& check) {
  for (const double t : {0.1, 0.5, 1.0}) {
    for (const double weight : {0.0, 0.3, 0.8}) {
      for (double y = -3.5; y <= 3.5; y += 0.17) check(t, weight, y);
    }
  }
}

TEST(Proximal, SoftThresholdIsTheMinimizer) {
  for_each_case([](double t, double weight, double y) {
    const auto r = [&](double u) { return weight * std::abs(u); };
    EXPECT_NEAR(soft_threshold(y, t * weight), on_grid(t, r, y), spacing);
  });
}

TEST(Proximal, ScadAndMcpAreTheMinimizers) {
  for_each_case([](double t, double weight, double y) {
    for (const double shape : {2.5, 3.7}) {
      const Scad scad{shape};
      EXPECT_NEAR(scad.prox(t, weight, y),
                  on_grid(
                      t, [&](double u) { return scad.value(weight, u); }, y),
                  spacing);
      const Mcp mcp{shape};
      EXPECT_NEAR(mcp.prox(t, weight, y),
                  on_grid(
                      t, [&](double u) { return mcp.value(weight, u); }, y),
                  spacing);
    }
  });
}

TEST(Proximal, DerivativesByTheWeightAreThoseOfTheValues) {
  const double h = 1e-6;
  const auto check = [&](const auto& penalty, double weight, double y) {
    const double difference =
        (penalty.value(weight + h, y) - penalty.value(weight - h, y)) / (2 * h);
    EXPECT_NEAR(penalty.by_weight(weight, y), difference, 1e-5);
  };
  for (double y = -3.5; y <= 3.5; y += 0.17) {
    check(Scad{3.7}, 0.6, y);
    check(Mcp{2.0}, 0.6, y);
  }
}

TEST(Proximal, AGroupShrinksAlongItself) {
  for (const double threshold : {0.0, 0.7, 1.3, 3.0}) {
    const VectorXd y{{1.2, -0.9}};  // of norm 1.5
    VectorXd shrunk = y;
    shrink_group(shrunk, threshold);
    const auto norm = [](double u) { return std::abs(u); };
    const double length = on_grid(threshold, norm, 1.5);
    EXPECT_LT((shrunk - y / 1.5 * length).norm(), spacing);
  }
  VectorXd zero = VectorXd::Zero(3);
  shrink_group(zero, 0);
  EXPECT_EQ(zero, VectorXd::Zero(3));
}

TEST(Proximal, StepsWithoutAUniqueMinimizerAreRefused) {
  EXPECT_THROW(Scad{2.5}.prox(1.5, 1, 1), Error);
  EXPECT_THROW(Mcp{1.0}.prox(1, 1, 1), Error);
}

}  // namespace
}  // namespace echelon

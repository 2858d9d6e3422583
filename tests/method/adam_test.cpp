#include "../../src/method/adam.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace echelon {
namespace {

TEST(Adam, StepsAlongCorrectedMomentsAndShrinksWeights) {
  detail::Adam adam({.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125}, {}, 2, 2);
  AgentMatrix mean(2, 2), value(2, 2);
  value.setConstant(3);
  const double seen[] = {1, -2, 4};
  double a = 0, b = 0;
  for (int k = 0; k < 3; ++k) {
    mean.setConstant(seen[k]);
    mean(1, 1) = 0;
    a = 0.5 * a + 0.5 * seen[k];
    b = 0.75 * b + 0.25 * seen[k] * seen[k];
    const double first = a / (1 - std::pow(0.5, k + 1));
    const double second = b / (1 - std::pow(0.75, k + 1));
    const AgentView& direction = adam.direction(static_cast<std::uint64_t>(k), mean, value, 0.01);
    EXPECT_NEAR(direction(0, 1), first / (std::sqrt(second) + 0.125) + 0.03, 1e-14);
    EXPECT_NEAR(direction(1, 1), 0.03, 1e-16);
  }
}

TEST(Adam, FirstStepIsTheSign) {
  detail::Adam adam({}, {}, 2, 1);
  AgentMatrix mean(2, 1), value(2, 1);
  mean << 1e-3, -1e3;
  const AgentView& direction = adam.direction(0, mean, value);
  EXPECT_NEAR(direction(0, 0), 1, 1e-4);
  EXPECT_NEAR(direction(1, 0), -1, 1e-10);
}

// Steps by entry would pull this point along the circle.
TEST(Adam, RestsOnASphereWhereTheDirectionIsNormalToIt) {
  const FeasibleSet ball = FeasibleSet::ball(VectorXd::Zero(2), 1);
  AgentMatrix value(2, 1);
  value << 0.6, 0.8;
  AgentMatrix mean(2, 1);
  mean = -5 * value;
  detail::Adam adam({}, ball, 2, 1);
  detail::Adam boxed({}, FeasibleSet::box(-VectorXd::Ones(2), VectorXd::Ones(2)), 2, 1);
  VectorXd moved = value.col(0) - 0.1 * adam.direction(0, mean, value).col(0);
  EXPECT_GT(moved.norm(), 1.05);
  ball.project(moved);
  EXPECT_LT((moved - value.col(0)).norm(), 1e-15);
  moved = value.col(0) - 0.1 * boxed.direction(0, mean, value).col(0);
  EXPECT_NEAR(moved(0), 0.7, 1e-8);
  EXPECT_NEAR(moved(1), 0.9, 1e-8);
}

}  // namespace
}  // namespace echelon

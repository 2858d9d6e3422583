#include "../../src/method/adam.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace echelon {
namespace {

TEST(Adam, StepsAlongCorrectedMomentsAndShrinksWeights) {
  detail::Adam adam({.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125}, 2, 2);
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
  detail::Adam adam({}, 2, 1);
  AgentMatrix mean(2, 1), value(2, 1);
  mean << 1e-3, -1e3;
  const AgentView& direction = adam.direction(0, mean, value);
  EXPECT_NEAR(direction(0, 0), 1, 1e-4);
  EXPECT_NEAR(direction(1, 0), -1, 1e-10);
}

}  // namespace
}  // namespace echelon

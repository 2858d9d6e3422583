#include "../../src/method/quadratic_programs.hpp"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <cmath>

#include "echelon/core/random.hpp"

namespace echelon::detail {
namespace {

using Eigen::Vector2d;

InnerProducts products(const Vector2d& a, const Vector2d& b) {
  return {.aa = a.squaredNorm(), .ab = a.dot(b), .bb = b.squaredNorm()};
}

/// The nearest point to -a of a fine grid around it that satisfies `allowed`.
template <class Allowed>
Vector2d nearest_on_grid(const Vector2d& a, double reach, double spacing, const Allowed& allowed) {
  Vector2d best = Vector2d::Constant(1e9);
  const int steps = static_cast<int>(reach / spacing);
  for (int i = -steps; i <= steps; ++i) {
    for (int j = -steps; j <= steps; ++j) {
      const Vector2d d = -a + spacing * Vector2d(i, j);
      if (allowed(d) && (d + a).norm() < (best + a).norm()) best = d;
    }
  }
  return best;
}

TEST(LinearConstraint, StepIsTheNearestPointOfTheHalfPlane) {
  Draws draws(1, Purpose::problem_data);
  for (int trial = 0; trial < 20; ++trial) {
    const Vector2d a(draws.normal(), draws.normal());
    const Vector2d b(draws.normal(), draws.normal());
    const double r = draws.normal();
    const Vector2d d = -a - linear_constraint_multiplier(products(a, b), r) * b;
    EXPECT_LE(b.dot(d), -r + 1e-12);
    const double reach = (d + a).norm() + 0.1;
    const Vector2d found =
        nearest_on_grid(a, reach, reach / 300, [&](const Vector2d& at) { return b.dot(at) <= -r; });
    EXPECT_LE((d + a).norm(), (found + a).norm() + 1e-12) << trial;
    EXPECT_GT((d + a).norm(), (found + a).norm() - 0.02 * reach) << trial;
  }
}

TEST(LinearConstraint, IsLeftOutWhereItsGradientIsRoundOff) {
  EXPECT_EQ(linear_constraint_multiplier({.aa = 1, .ab = 0, .bb = 1e-25}, 1), 0);
  EXPECT_GT(linear_constraint_multiplier({.aa = 1, .ab = 0, .bb = 1e-23}, 1), 0);
}

TEST(QuadraticConstraint, StepIsTheNearestPointOfTheBall) {
  Draws draws(2, Purpose::problem_data);
  int active = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const Vector2d a(draws.normal(), draws.normal());
    const Vector2d b(draws.normal(), draws.normal());
    const double w = 0.1 + draws.uniform();
    const double c = draws.normal();
    const Combination step = quadratic_constraint_step(products(a, b), w, c);
    EXPECT_EQ(step.feasible, c >= -b.squaredNorm() / (4 * w));
    const Vector2d d = step.of_a * a + step.of_b * b;
    if (!step.feasible) {
      EXPECT_NEAR(b.dot(d), c, 1e-12);  // toward the constraint
      continue;
    }
    EXPECT_LE(b.dot(d) + w * d.squaredNorm(), c + 1e-12);
    active += step.of_a != -1;
    const double reach = (d + a).norm() + 0.1;
    const Vector2d found = nearest_on_grid(a, reach, reach / 300, [&](const Vector2d& at) {
      return b.dot(at) + w * at.squaredNorm() <= c;
    });
    EXPECT_LE((d + a).norm(), (found + a).norm() + 1e-12) << trial;
    EXPECT_GT((d + a).norm(), (found + a).norm() - 0.02 * reach) << trial;
  }
  EXPECT_GT(active, 10);
}

TEST(QuadraticConstraint, BecomesTheLinearOneAsTheWeightVanishes) {
  const Vector2d a(1, 2);
  const Vector2d b(-3, 0.5);
  const InnerProducts at = products(a, b);
  const Combination step = quadratic_constraint_step(at, 1e-14, -0.7);
  EXPECT_NEAR(step.of_a, -1, 1e-12);
  EXPECT_NEAR(step.of_b, -linear_constraint_multiplier(at, 0.7), 1e-12);
}

TEST(QuadraticConstraint, StaysPutWhereNothingIsKnown) {
  const Combination step = quadratic_constraint_step({.aa = 1, .ab = 0, .bb = 0}, 0.01, -1);
  EXPECT_FALSE(step.feasible);
  EXPECT_EQ(step.of_a, 0);
  EXPECT_EQ(step.of_b, 0);
}

}  // namespace
}  // namespace echelon::detail

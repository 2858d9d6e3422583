#include "echelon/core/feasible_set.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"

namespace echelon {
namespace {

constexpr Index d = 6;
constexpr double infinity = std::numeric_limits<double>::infinity();

VectorXd random_point(std::uint64_t stream, double scale = 2) {
  Draws draws(1, Purpose::start, 0, 0, stream);
  VectorXd point(d);
  for (Index i = 0; i < d; ++i) point(i) = scale * draws.normal();
  return point;
}

VectorXd projection(const FeasibleSet& set, VectorXd point) {
  set.project(point);
  return point;
}

Eigen::MatrixXd rows_of_affine() {
  Eigen::MatrixXd B(2, d);
  B << 1, 1, 1, 1, 1, 1, 0, 2, -1, 0, 3, 0.5;
  return B;
}

VectorXd right_of_affine() {
  return VectorXd{{1.0, -2.0}};
}

std::vector<FeasibleSet> every_kind() {
  VectorXd low = VectorXd::Constant(d, -0.5);
  VectorXd high = VectorXd::Constant(d, 1);
  low(0) = -infinity;
  high(1) = infinity;
  high(2) = low(2);
  return {FeasibleSet(), FeasibleSet::box(low, high),
          FeasibleSet::ball(VectorXd::Constant(d, 0.3), 1.5), FeasibleSet::simplex(),
          FeasibleSet::affine(rows_of_affine(), right_of_affine())};
}

TEST(FeasibleSet, DerivativesOfProjectionsAreThoseOfDifferences) {
  for (const FeasibleSet& set : every_kind()) {
    for (std::uint64_t k = 0; k < 50; ++k) {
      const VectorXd point = random_point(2 * k, k % 2 == 0 ? 2 : 0.3);
      const VectorXd along = random_point(2 * k + 1);
      constexpr double width = 1e-7;
      const VectorXd difference =
          (projection(set, point + width * along) - projection(set, point - width * along)) /
          (2 * width);
      VectorXd derivative = along;
      set.apply_derivative(point, derivative);
      EXPECT_LT((derivative - difference).norm(), 1e-5) << set.text();
    }
  }
}

TEST(FeasibleSet, ProjectionsAreIdempotentAndNonExpansive) {
  for (const FeasibleSet& set : every_kind()) {
    for (std::uint64_t k = 0; k < 50; ++k) {
      const VectorXd u = random_point(2 * k), v = random_point(2 * k + 1);
      const VectorXd pu = projection(set, u), pv = projection(set, v);
      EXPECT_LT((projection(set, pu) - pu).norm(), 1e-14) << set.text();
      EXPECT_LE((pu - pv).norm(), (u - v).norm() * (1 + 1e-14)) << set.text();
      // u - P(u) makes an obtuse angle with every direction into the set.
      EXPECT_LE((u - pu).dot(pv - pu), 1e-12) << set.text();
    }
  }
}

TEST(FeasibleSet, TheWholeSpaceLeavesPointsAlone) {
  const VectorXd u = random_point(1);
  EXPECT_TRUE(FeasibleSet().is_whole_space());
  EXPECT_EQ(projection(FeasibleSet(), u), u);
}

TEST(FeasibleSet, BoxesClampAndMayBeUnbounded) {
  const FeasibleSet set = every_kind()[1];
  EXPECT_FALSE(set.is_whole_space());
  const VectorXd far = VectorXd::Constant(d, 100);
  const VectorXd expected{{1.0, 100.0, -0.5, 1.0, 1.0, 1.0}};
  EXPECT_EQ(projection(set, far), expected);
  const VectorXd other{{-100.0, -0.5, -0.5, -0.5, -0.5, -0.5}};
  EXPECT_EQ(projection(set, -far), other);
}

TEST(FeasibleSet, BallsShortenTowardsTheirCenter) {
  const VectorXd center = VectorXd::Constant(d, 0.3);
  const FeasibleSet set = FeasibleSet::ball(center, 1.5);
  const VectorXd outside = center + 10 * VectorXd::Unit(d, 2);
  EXPECT_LT((projection(set, outside) - center - 1.5 * VectorXd::Unit(d, 2)).norm(), 1e-15);
  const VectorXd inside = center + 1.4 * VectorXd::Unit(d, 2);
  EXPECT_EQ(projection(set, inside), inside);
  EXPECT_EQ(projection(set, center), center);
}

/// max(v - threshold, 0), with the threshold that makes the entries add up to 1 by bisection.
VectorXd simplex_by_bisection(const VectorXd& v) {
  double low = v.minCoeff() - 1, high = v.maxCoeff();
  for (int halving = 0; halving < 200; ++halving) {
    const double middle = (low + high) / 2;
    double total = 0;
    for (Index i = 0; i < v.size(); ++i) total += std::max(v(i) - middle, 0.0);
    (total > 1 ? low : high) = middle;
  }
  return (v.array() - low).max(0.0).matrix();
}

TEST(FeasibleSet, SimplexAgreesWithBisection) {
  const FeasibleSet set = FeasibleSet::simplex();
  for (std::uint64_t k = 0; k < 200; ++k) {
    const VectorXd v = random_point(k, k % 2 == 0 ? 0.3 : 5);
    const VectorXd moved = projection(set, v);
    EXPECT_LT((moved - simplex_by_bisection(v)).norm(), 1e-13);
    EXPECT_NEAR(moved.dot(VectorXd::Ones(d)), 1, 1e-14);
    EXPECT_GE(moved.minCoeff(), 0);
  }
  EXPECT_EQ(projection(set, VectorXd::Constant(1, -7)), VectorXd::Ones(1));
  EXPECT_LT((projection(set, VectorXd::Zero(d)) - VectorXd::Constant(d, 1.0 / d)).norm(), 1e-15);
  EXPECT_EQ(projection(set, VectorXd::Unit(d, 3)), VectorXd::Unit(d, 3));
}

TEST(FeasibleSet, AffineProjectionsMoveAlongTheRowsOnly) {
  const Eigen::MatrixXd B = rows_of_affine();
  const FeasibleSet set = FeasibleSet::affine(B, right_of_affine());
  for (std::uint64_t k = 0; k < 20; ++k) {
    const VectorXd u = random_point(k);
    const VectorXd moved = projection(set, u);
    EXPECT_LT((B * moved - right_of_affine()).norm(), 1e-14);
    const VectorXd step = u - moved;
    const VectorXd in_rows = B.transpose() * (B * B.transpose()).inverse() * (B * step);
    EXPECT_LT((step - in_rows).norm(), 1e-14);
  }
}

TEST(FeasibleSet, RefusesBadInput) {
  const auto message = [](auto make) -> std::string {
    try {
      make();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.what();
    }
    return "";
  };
  const VectorXd zero = VectorXd::Zero(2);
  const VectorXd one = VectorXd::Ones(2);
  EXPECT_NE(message([&] { FeasibleSet::box(one, zero); }).find("a box"), std::string::npos);
  EXPECT_NE(message([&] { FeasibleSet::box(zero, VectorXd::Ones(3)); }).find("a box"),
            std::string::npos);
  VectorXd not_a_number = zero;
  not_a_number(1) = std::nan("");
  EXPECT_NE(message([&] { FeasibleSet::box(not_a_number, one); }).find("a box"), std::string::npos);
  EXPECT_EQ(message([&] { FeasibleSet::ball(zero, 0); }), "a ball needs a radius above 0, not 0");
  EXPECT_NE(message([&] { FeasibleSet::ball(zero, std::nan("")); }), "");
  EXPECT_NE(message([&] {
              FeasibleSet::affine(Eigen::MatrixXd::Ones(1, 2), zero);
            }).find("needs 1 numbers"),
            std::string::npos);
  EXPECT_NE(message([&] {
              FeasibleSet::affine(Eigen::MatrixXd::Ones(2, 2), one);
            }).find("linearly independent"),
            std::string::npos);
}

TEST(FeasibleSet, SaysWhatItIs) {
  std::vector<std::string> words;
  for (const FeasibleSet& set : every_kind()) words.push_back(set.text());
  EXPECT_EQ(words, (std::vector<std::string>{"the whole space", "a box", "a ball", "the simplex",
                                             "an affine subspace"}));
}

}  // namespace
}  // namespace echelon

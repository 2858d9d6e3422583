#include "../../src/method/quasi_newton.hpp"

#include <gtest/gtest.h>

#include "echelon/core/random.hpp"

namespace echelon::detail {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr Eigen::Index q = 5;

VectorXd random_vector(Draws& draws) {
  VectorXd v(q);
  for (double& entry : v) entry = draws.normal();
  return v;
}

MatrixXd random_hessian(Draws& draws) {
  MatrixXd root(q, q);
  for (double& entry : root.reshaped()) entry = draws.normal();
  return MatrixXd::Identity(q, q) + root * root.transpose();
}

/// The matrix B.
MatrixXd matrix_of(const QuasiNewton& inverse) {
  MatrixXd b = MatrixXd::Identity(q, q);
  for (Eigen::Index j = 0; j < q; ++j) inverse.apply(b.col(j));
  return b;
}

TEST(QuasiNewton, IsTheGivenStepBeforeAnyPair) {
  for (const auto kind : {QuasiNewton::Kind::bfgs, QuasiNewton::Kind::sr1}) {
    const QuasiNewton inverse(kind, 0.3, 4);
    EXPECT_LT((matrix_of(inverse) - 0.3 * MatrixXd::Identity(q, q)).norm(), 1e-15);
  }
}

TEST(QuasiNewton, BfgsIsTheTextbookUpdate) {
  Draws draws(1, Purpose::start);
  const MatrixXd hessian = random_hessian(draws);
  QuasiNewton inverse(QuasiNewton::Kind::bfgs, 0.3, 10);
  std::vector<std::pair<VectorXd, VectorXd>> pairs;
  for (int k = 0; k < 3; ++k) {
    const VectorXd s = random_vector(draws);
    const VectorXd r = hessian * s;
    inverse.add(s, r);
    pairs.emplace_back(s, r);
  }
  const auto& [last_s, last_r] = pairs.back();
  MatrixXd b = last_s.dot(last_r) / last_r.squaredNorm() * MatrixXd::Identity(q, q);
  for (const auto& [s, r] : pairs) {
    const MatrixXd v = MatrixXd::Identity(q, q) - r * s.transpose() / s.dot(r);
    b = v.transpose() * b * v + s * s.transpose() / s.dot(r);
  }
  EXPECT_LT((matrix_of(inverse) - b).norm(), 1e-13 * b.norm());
  VectorXd image = last_r;
  inverse.apply(image);
  EXPECT_LT((image - last_s).norm(), 1e-13);  // the secant equation
}

TEST(QuasiNewton, Sr1IsTheInverseOnceTheSpaceIsExplored) {
  Draws draws(2, Purpose::start);
  const MatrixXd hessian = random_hessian(draws);
  QuasiNewton inverse(QuasiNewton::Kind::sr1, 0.3, 10);
  for (int k = 0; k < q; ++k) {
    const VectorXd s = random_vector(draws);
    inverse.add(s, hessian * s);
  }
  EXPECT_LT((matrix_of(inverse) * hessian - MatrixXd::Identity(q, q)).norm(), 1e-10);
}

TEST(QuasiNewton, LeavesOutPairsThatWouldSpoilIt) {
  const VectorXd s = VectorXd::Unit(q, 0);
  QuasiNewton bfgs(QuasiNewton::Kind::bfgs, 1, 10);
  bfgs.add(s, -s);                    // negative curvature
  bfgs.add(s, VectorXd::Unit(q, 1));  // none
  bfgs.add(1e-13 * s, 1e-13 * s);     // rounding
  EXPECT_EQ(bfgs.size(), 0u);
  QuasiNewton sr1(QuasiNewton::Kind::sr1, 1, 10);
  sr1.add(s, s);  // B r = s already
  EXPECT_EQ(sr1.size(), 0u);
  sr1.add(s, -s);  // may be indefinite
  EXPECT_EQ(sr1.size(), 1u);
}

TEST(QuasiNewton, KeepsTheNewestPairs) {
  Draws draws(3, Purpose::start);
  const MatrixXd hessian = random_hessian(draws);
  QuasiNewton inverse(QuasiNewton::Kind::bfgs, 1, 2);
  QuasiNewton newest(QuasiNewton::Kind::bfgs, 1, 2);
  for (int k = 0; k < 4; ++k) {
    const VectorXd s = random_vector(draws);
    inverse.add(s, hessian * s);
    if (k >= 2) newest.add(s, hessian * s);
  }
  EXPECT_EQ(inverse.size(), 2u);
  EXPECT_EQ(matrix_of(inverse), matrix_of(newest));
  inverse.clear();
  EXPECT_EQ(inverse.size(), 0u);
}

}  // namespace
}  // namespace echelon::detail

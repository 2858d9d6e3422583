#include "../../src/method/lower_quadratic.hpp"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <limits>

#include "echelon/core/random.hpp"

namespace echelon::detail {
namespace {

using Status = QuadraticSolution::Status;

Eigen::MatrixXd random_matrix(std::uint64_t stream, Index rows, Index columns) {
  Draws draws(7, Purpose::probe, 0, 0, stream);
  Eigen::MatrixXd matrix(rows, columns);
  for (Index j = 0; j < columns; ++j) {
    for (Index i = 0; i < rows; ++i) matrix(i, j) = draws.normal();
  }
  return matrix;
}

/// q = 4 unknowns, 7 rows that 0 satisfies; H of rank `rank`.
QuadraticProgram random_program(std::uint64_t stream, Index rank) {
  const Eigen::MatrixXd factor = random_matrix(4 * stream, 4, rank);
  QuadraticProgram program{factor * factor.transpose(), 3 * random_matrix(4 * stream + 1, 4, 1),
                           random_matrix(4 * stream + 2, 7, 4),
                           random_matrix(4 * stream + 3, 7, 1).cwiseAbs()};
  return program;
}

/// The same with y in [-2, 2]^4, so that there is a solution for any H.
QuadraticProgram bounded(QuadraticProgram program) {
  const Index rows = program.C.rows();
  program.C.conservativeResize(rows + 8, Eigen::NoChange);
  program.C.middleRows(rows, 4) = Eigen::MatrixXd::Identity(4, 4);
  program.C.bottomRows(4) = -Eigen::MatrixXd::Identity(4, 4);
  program.c.conservativeResize(rows + 8);
  program.c.tail(8).setConstant(2);
  return program;
}

void expect_optimal(const QuadraticProgram& program, const QuadraticSolution& solution) {
  ASSERT_EQ(solution.status, Status::solved);
  const VectorXd slack = program.c - program.C * solution.y;
  EXPECT_GT(slack.minCoeff(), -1e-9);
  const Eigen::MatrixXd N = rows_of(program.C, solution.active);
  const VectorXd gradient = program.H * solution.y + program.a;
  EXPECT_LT((gradient + N.transpose() * solution.multipliers).norm(), 1e-7);
  for (std::size_t j = 0; j < solution.active.size(); ++j) {
    EXPECT_LT(std::abs(slack(solution.active[j])), 1e-9);
    EXPECT_GE(solution.multipliers(static_cast<Index>(j)), -1e-9);
  }
}

TEST(QuadraticProgram, SolutionsSatisfyTheOptimalityConditions) {
  for (std::uint64_t stream = 0; stream < 60; ++stream) {
    for (const Index rank : {4, 2, 1}) {
      const QuadraticProgram program = bounded(random_program(stream, rank));
      expect_optimal(program, solve(program, VectorXd::Zero(4)));
    }
    QuadraticProgram linear = bounded(random_program(stream, 4));
    linear.H.setZero();
    const QuadraticSolution vertex = solve(linear, random_matrix(stream, 4, 1));
    expect_optimal(linear, vertex);
    EXPECT_EQ(vertex.active.size(), 4);  // almost surely a vertex
  }
}

TEST(QuadraticProgram, WithoutRowsItIsALinearSystem) {
  QuadraticProgram program = random_program(3, 4);
  program.C.resize(0, 4);
  program.c.resize(0);
  const QuadraticSolution solution = solve(program, VectorXd::Zero(4));
  ASSERT_EQ(solution.status, Status::solved);
  EXPECT_LT((solution.y + program.H.llt().solve(program.a)).norm(), 1e-9);
  EXPECT_TRUE(solution.active.empty());
}

TEST(QuadraticProgram, SaysWhatHasNoSolution) {
  QuadraticProgram program = random_program(5, 4);
  program.C.row(0) << 1, 0, 0, 0;
  program.C.row(1) << -1, 0, 0, 0;
  program.c(0) = -1;
  program.c(1) = -1;  // y1 <= -1 and y1 >= 1
  EXPECT_EQ(solve(program, VectorXd::Zero(4)).status, Status::infeasible);
  QuadraticProgram falling{Eigen::MatrixXd::Zero(1, 1), VectorXd::Constant(1, -1),
                           Eigen::MatrixXd::Constant(1, 1, -1), VectorXd::Zero(1)};
  EXPECT_EQ(solve(falling, VectorXd::Zero(1)).status, Status::unbounded);
}

TEST(QuadraticProgram, RowsThatRepeatAreNoObstacle) {
  // y <= 1 twice, and 2 y <= 2.
  QuadraticProgram program{Eigen::MatrixXd::Identity(1, 1), VectorXd::Constant(1, -5),
                           Eigen::MatrixXd::Ones(3, 1), VectorXd::Ones(3)};
  program.C(2, 0) = 2;
  program.c(2) = 2;
  const QuadraticSolution solution = solve(program, VectorXd::Zero(1));
  ASSERT_EQ(solution.status, Status::solved);
  EXPECT_NEAR(solution.y(0), 1, 1e-12);
  EXPECT_EQ(solution.active.size(), 1);
}

// With J = d2g/dydx and rows C y + E x <= c, the solution moves by [H N'; N 0] (dy, dlambda) =
// -(J, E_N).
TEST(OptimalitySystem, GivesTheDerivativeOfTheSolution) {
  for (std::uint64_t stream = 0; stream < 30; ++stream) {
    const QuadraticProgram program = random_program(stream, 4);
    const Eigen::MatrixXd J = random_matrix(1000 + stream, 4, 2);
    const Eigen::MatrixXd E = random_matrix(2000 + stream, 7, 2);
    const auto solution_at = [&](const VectorXd& x) {
      return solve({program.H, program.a + J * x, program.C, program.c - E * x}, VectorXd::Zero(4));
    };
    const QuadraticSolution at = solution_at(VectorXd::Zero(2));
    ASSERT_EQ(at.status, Status::solved);
    const Eigen::MatrixXd N = rows_of(program.C, at.active), E_N = rows_of(E, at.active);
    const OptimalitySystem system(program.H, N);
    const VectorXd fy = random_matrix(3000 + stream, 4, 1);
    const auto [v, w] = system.solve(fy, VectorXd::Zero(N.rows()));
    for (Index j = 0; j < 2; ++j) {
      const VectorXd dy = system.solve(-J.col(j), -E_N.col(j)).u;
      EXPECT_LT((N * dy + E_N.col(j)).norm(), 1e-9);
      const double d = 1e-7;
      const auto ahead = solution_at(d * VectorXd::Unit(2, j));
      const auto behind = solution_at(-d * VectorXd::Unit(2, j));
      if (ahead.active == at.active && behind.active == at.active) {
        EXPECT_LT((dy - (ahead.y - behind.y) / (2 * d)).norm(), 1e-4 * (1 + dy.norm()));
      }
      EXPECT_NEAR(dy.dot(fy), -J.col(j).dot(v) - E_N.col(j).dot(w), 1e-8 * (1 + dy.norm()));
    }
  }
}

TEST(OptimalitySystem, WithoutActiveRowsItIsTheImplicitFunctionTheorem) {
  const QuadraticProgram program = random_program(11, 4);
  const VectorXd J = random_matrix(12, 4, 1);
  const VectorXd dy = OptimalitySystem(program.H, Eigen::MatrixXd(0, 4)).solve(-J, VectorXd(0)).u;
  EXPECT_LT((dy + program.H.llt().solve(J)).norm(), 1e-9);
}

// H = 0, as in a linear lower level at a vertex: rows decide alone.
TEST(OptimalitySystem, IsRegularWhereRowsMakeUpForTheHessian) {
  const Eigen::MatrixXd N = random_matrix(20, 3, 3);
  const VectorXd b = random_matrix(21, 3, 1);
  const VectorXd dy =
      OptimalitySystem(Eigen::MatrixXd::Zero(3, 3), N).solve(VectorXd::Ones(3), b).u;
  EXPECT_LT((N * dy - b).norm(), 1e-10);
}

}  // namespace
}  // namespace echelon::detail

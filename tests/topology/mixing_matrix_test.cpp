#include "echelon/topology/mixing_matrix.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "echelon/core/error.hpp"
#include "topology/matrices.hpp"

namespace echelon {
namespace {

using Rows = std::vector<std::vector<MixingMatrix::Entry>>;

double weight(const MixingMatrix& matrix, AgentId i, AgentId j) {
  for (const auto& entry : matrix.row(i)) {
    if (entry.sender == j) return entry.weight;
  }
  return 0;
}

const Graph path_of_three(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}});

TEST(MixingMatrix, SortsRowsAndStoresNoZeros) {
  const MixingMatrix matrix(Rows{{{1, 1.0}, {0, 0.0}}, {{1, 0.75}, {0, 0.25}}});
  ASSERT_EQ(matrix.row(0).size(), 1u);
  EXPECT_EQ(matrix.row(0)[0].sender, 1);
  EXPECT_EQ(matrix.row(1)[0].sender, 0);
  EXPECT_EQ(matrix.row(1)[0].weight, 0.25);
}

TEST(MixingMatrix, RejectsBadRows) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Rows& rows : {Rows{}, Rows{{{0, 0.5}}}, Rows{{{1, 1.0}}}, Rows{{{-1, 1.0}}},
                           Rows{{{0, 0.5}, {0, 0.5}}}, Rows{{{0, nan}}}, Rows{{{0, 1 + 1e-11}}}}) {
    try {
      const MixingMatrix matrix(rows);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_data);
    }
  }
  EXPECT_NO_THROW(MixingMatrix(Rows{{{0, 1 + 1e-13}}}));
}

TEST(MixingMatrix, MetropolisWeightsOfAPath) {
  const auto matrix = metropolis_weights(path_of_three);
  EXPECT_DOUBLE_EQ(weight(matrix, 0, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(weight(matrix, 0, 0), 2.0 / 3);
  EXPECT_DOUBLE_EQ(weight(matrix, 1, 1), 1.0 / 3);
  EXPECT_TRUE(matrix.is_symmetric());
}

TEST(MixingMatrix, MetropolisRejectsDirectedGraphsAndNamesUniform) {
  try {
    metropolis_weights(Graph(2, {{0, 1}}));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("`uniform`"), std::string::npos);
  }
}

TEST(MixingMatrix, UniformWeightsFollowTheInDegree) {
  const auto matrix = uniform_weights(path_of_three);
  EXPECT_DOUBLE_EQ(weight(matrix, 0, 1), 0.5);
  EXPECT_DOUBLE_EQ(weight(matrix, 1, 0), 1.0 / 3);
  EXPECT_FALSE(matrix.is_symmetric());
  EXPECT_EQ(weight(uniform_weights(Graph(2, {{0, 1}})), 1, 1), 1.0);
}

TEST(MixingMatrix, LazyIsTheMeanWithTheIdentity) {
  const auto plain = MixingMatrix(Rows{{{1, 1.0}}, {{0, 0.25}, {1, 0.75}}});
  const auto matrix = lazy(plain);
  EXPECT_EQ(weight(matrix, 0, 0), 0.5);
  EXPECT_EQ(weight(matrix, 0, 1), 0.5);
  EXPECT_EQ(weight(matrix, 1, 0), 0.125);
  EXPECT_EQ(weight(matrix, 1, 1), 0.875);
}

TEST(MixingMatrix, SymmetryIsToTheLastBit) {
  EXPECT_TRUE(MixingMatrix(Rows{{{0, 0.9}, {1, 0.1}}, {{0, 0.1}, {1, 0.9}}}).is_symmetric());
  const double next = std::nextafter(0.1, 1);
  EXPECT_FALSE(MixingMatrix(Rows{{{0, 0.9}, {1, next}}, {{0, 0.1}, {1, 0.9}}}).is_symmetric());
  EXPECT_FALSE(MixingMatrix(Rows{{{0, 1.0}}, {{0, 0.5}, {1, 0.5}}}).is_symmetric());
  EXPECT_FALSE(MixingMatrix(Rows{{{0, 0.5}, {1, 0.5}}, {{1, 1.0}}}).is_symmetric());
}

TEST(MixingMatrix, ChecksTheColumnsIfAsked) {
  const Rows splits = {{{0, 0.5}}, {{0, 0.5}, {1, 1.0}}};
  EXPECT_THROW(MixingMatrix{splits}, Error);
  const MixingMatrix matrix(splits, Sums::columns);
  EXPECT_TRUE(matrix.sums_to_one(Sums::columns));
  EXPECT_FALSE(matrix.sums_to_one(Sums::rows));
  try {
    MixingMatrix(Rows{{{0, 0.5}, {1, 0.5}}, {{1, 1.0}}}, Sums::columns);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_data);
    EXPECT_TRUE(contains(error.what(), "column 0 sums to 1 + -0.5")) << error.what();
  }
}

TEST(MixingMatrix, SumsAreComparedWithinTheTolerance) {
  EXPECT_TRUE(MixingMatrix(Rows{{{0, 1 + 1e-13}}}).sums_to_one(Sums::columns));
  const MixingMatrix off(Rows{{{0, 0.5 + 1e-11}, {1, 0.5 - 1e-11}}, {{0, 0.5}, {1, 0.5}}});
  EXPECT_TRUE(off.sums_to_one(Sums::rows));
  EXPECT_FALSE(off.sums_to_one(Sums::columns));
}

TEST(MixingMatrix, GraphHasTheEdgesOfItsNonZeroWeights) {
  const MixingMatrix matrix(
      Rows{{{0, 0.5}, {2, 0.5}}, {{1, 1.0}, {0, 0.0}}, {{1, 1.5}, {0, -0.5}}});
  EXPECT_TRUE(same_graph(matrix.graph(), Graph(3, {{0, 2}, {2, 0}, {2, 1}})));
}

TEST(MixingMatrix, ColumnWeightsSplitEvenlyByTheOutDegree) {
  const auto matrix = column_weights(Graph(3, {{0, 1}, {2, 1}, {1, 0}}));
  EXPECT_DOUBLE_EQ(weight(matrix, 0, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(weight(matrix, 1, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(weight(matrix, 2, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(weight(matrix, 1, 0), 0.5);
  EXPECT_DOUBLE_EQ(weight(matrix, 2, 2), 1.0);
  EXPECT_FALSE(matrix.sums_to_one(Sums::rows));
}

TEST(MixingMatrix, MaxDegreeWeightsAreTheSameOnAllEdges) {
  const auto matrix = max_degree_weights(graph_of("star", 5));
  EXPECT_DOUBLE_EQ(weight(matrix, 0, 3), 0.2);
  EXPECT_DOUBLE_EQ(weight(matrix, 3, 0), 0.2);
  EXPECT_DOUBLE_EQ(weight(matrix, 0, 0), 0.2);
  EXPECT_DOUBLE_EQ(weight(matrix, 3, 3), 0.8);
  EXPECT_TRUE(matrix.is_symmetric());
}

// Eigenvalues of the Laplacian: a star of n agents has 1 and n, a hypercube of d dimensions 2 and
// 2d, a complete graph n and n, a circle 2 - 2 cos(2 pi j / n), a path 2 - 2 cos(pi j / n).
TEST(MixingMatrix, BestConstantWeightsOfKnownSpectra) {
  EXPECT_NEAR(weight(best_constant_weights(graph_of("star", 7)), 0, 3), 2.0 / 8, 1e-14);
  EXPECT_NEAR(weight(best_constant_weights(graph_of("hypercube", 16)), 0, 1), 2.0 / 10, 1e-14);
  EXPECT_NEAR(weight(best_constant_weights(graph_of("complete", 9)), 0, 1), 1.0 / 9, 1e-14);
  EXPECT_NEAR(weight(best_constant_weights(graph_of("path", 2)), 0, 1), 0.5, 1e-15);
  const auto one = best_constant_weights(graph_of("ring", 1));
  ASSERT_EQ(one.row(0).size(), 1u);
  EXPECT_EQ(one.row(0)[0].weight, 1.0);
  EXPECT_TRUE(best_constant_weights(graph_of("grid", 12)).is_symmetric());
}

TEST(MixingMatrix, BestConstantWeightsOfManyAgents) {
  const auto circle_ends = [](double n) {
    return 2 / (4 + 2 - 2 * std::cos(2 * std::numbers::pi / n));
  };
  EXPECT_NEAR(weight(best_constant_weights(graph_of("ring", 600)), 0, 1), circle_ends(600), 1e-11);
  EXPECT_NEAR(weight(best_constant_weights(graph_of("ring", 50000)), 0, 1), circle_ends(50000),
              1e-11);
  const double torus = 2 / (8 + 2 - 2 * std::cos(2 * std::numbers::pi / 40));
  EXPECT_NEAR(weight(best_constant_weights(graph_of("torus", 1600)), 0, 1), torus, 1e-11);
  EXPECT_NEAR(weight(best_constant_weights(graph_of("hypercube", 4096)), 0, 1), 2.0 / 26, 1e-11);
  EXPECT_NEAR(weight(best_constant_weights(graph_of("star", 700)), 0, 1), 2.0 / 701, 1e-12);
}

TEST(MixingMatrix, BestConstantIsTheFastestConstant) {
  const Graph graph = graph_of("watts-strogatz", 40);
  const auto rate = [](const Eigen::MatrixXd& w) {
    const Eigen::MatrixXd rest = w - exact_mean(static_cast<AgentId>(w.rows()));
    return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(rest).eigenvalues().cwiseAbs().maxCoeff();
  };
  const Eigen::MatrixXd best = dense(best_constant_weights(graph));
  const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(40, 40);
  EXPECT_LT(rate(best), rate(identity + 0.99 * (best - identity)));
  EXPECT_LT(rate(best), rate(identity + 1.01 * (best - identity)));
  EXPECT_LT(rate(best), rate(dense(max_degree_weights(graph))));
}

TEST(MixingMatrix, WeightsRefuseGraphsThatTheyDoNotFit) {
  const Graph directed = graph_of("directed-ring", 4);
  EXPECT_TRUE(contains(usage_message([&] { max_degree_weights(directed); }), "`column`"));
  EXPECT_TRUE(contains(usage_message([&] { best_constant_weights(directed); }), "directed"));
  const Graph apart(4, {{0, 1}, {1, 0}, {2, 3}, {3, 2}});
  EXPECT_TRUE(contains(usage_message([&] { best_constant_weights(apart); }), "2 of 4 agents"));
}

TEST(MixingMatrix, LazyKeepsColumnSums) {
  const auto matrix = lazy(column_weights(Graph(3, {{0, 1}, {2, 1}, {1, 0}})));
  EXPECT_TRUE(matrix.sums_to_one(Sums::columns));
  EXPECT_DOUBLE_EQ(weight(matrix, 2, 1), 1.0 / 6);
  EXPECT_DOUBLE_EQ(weight(matrix, 1, 1), 2.0 / 3);
}

}  // namespace
}  // namespace echelon

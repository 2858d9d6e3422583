#include "echelon/topology/mixing_matrix.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "echelon/core/error.hpp"

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

}  // namespace
}  // namespace echelon

#include "echelon/core/agent_matrix.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace echelon {
namespace {

TEST(AgentMatrix, ColumnsAreAlignedAndPadded) {
  for (const Index rows : {0, 1, 7, 8, 9, 100}) {
    const AgentMatrix block(rows, 3);
    EXPECT_EQ(block.rows(), rows);
    EXPECT_EQ(block.outerStride() % 8, 0);
    for (Index i = 0; i < 3; ++i) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data() + i * block.outerStride()) % 64, 0U);
    }
    EXPECT_EQ(block.squaredNorm(), 0);
  }
}

TEST(AgentMatrix, SwapMovesMemoryAndKeepsReferencesValid) {
  AgentMatrix a(3, 2);
  AgentMatrix b(3, 2);
  a.setConstant(1);
  b.setConstant(2);
  const AgentView& view_of_a = a;
  const double* const data_of_b = b.data();
  swap(a, b);
  EXPECT_EQ(view_of_a.data(), data_of_b);
  EXPECT_EQ(view_of_a(2, 1), 2);
  EXPECT_EQ(b(0, 0), 1);
}

TEST(AgentMatrix, MovesAndTakesExpressions) {
  AgentMatrix a(2, 2);
  a = Eigen::MatrixXd::Constant(2, 2, 3.0) * 2;
  AgentMatrix b = std::move(a);
  EXPECT_EQ(b(1, 1), 6);
  AgentMatrix c(5, 1);
  c = std::move(b);
  EXPECT_EQ(c.rows(), 2);
  EXPECT_EQ(c(0, 1), 6);
}

}  // namespace
}  // namespace echelon

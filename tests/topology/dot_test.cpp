#include <gtest/gtest.h>

#include "echelon/topology/pictures.hpp"

namespace echelon {
namespace {

MixingMatrix ring(AgentId agents) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (AgentId i = 0; i < agents; ++i) {
    edges.emplace_back(i, (i + 1) % agents);
    edges.emplace_back((i + 1) % agents, i);
  }
  return metropolis_weights(Graph(agents, edges));
}

TEST(Dot, DrawsSymmetricMatricesUndirected) {
  EXPECT_EQ(to_dot(ring(2)),
            "graph mixing {\n  0 [label=\"0 (0.5)\"];\n  1 [label=\"1 (0.5)\"];\n"
            "  0 -- 1 [label=\"0.5\"];\n}\n");
}

TEST(Dot, ArrowsGoFromSenderToReceiver) {
  EXPECT_EQ(to_dot(uniform_weights(Graph(2, {{1, 0}}))),
            "digraph mixing {\n  0 [label=\"0 (1)\"];\n  1 [label=\"1 (0.5)\"];\n"
            "  0 -> 1 [label=\"0.5\"];\n}\n");
}

TEST(Dot, LabelsEndAt64Agents) {
  EXPECT_NE(to_dot(ring(64)).find("label"), std::string::npos);
  EXPECT_EQ(to_dot(ring(65)).find("label"), std::string::npos);
}

}  // namespace
}  // namespace echelon

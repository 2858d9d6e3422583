#include <gtest/gtest.h>

#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

TEST(Dot, DrawsSymmetricMatricesUndirected) {
  TopologyOptions options;
  options.agents = 2;
  EXPECT_EQ(to_dot(make_mixing_matrix(options)),
            "graph mixing {\n  0 [label=\"0 (0.5)\"];\n  1 [label=\"1 (0.5)\"];\n"
            "  0 -- 1 [label=\"0.5\"];\n}\n");
}

TEST(Dot, ArrowsGoFromSenderToReceiver) {
  EXPECT_EQ(to_dot(uniform_weights(Graph(2, {{1, 0}}))),
            "digraph mixing {\n  0 [label=\"0 (1)\"];\n  1 [label=\"1 (0.5)\"];\n"
            "  0 -> 1 [label=\"0.5\"];\n}\n");
}

TEST(Dot, LabelsEndAt64Agents) {
  TopologyOptions options;
  options.agents = 64;
  EXPECT_NE(to_dot(make_mixing_matrix(options)).find("label"), std::string::npos);
  options.agents = 65;
  EXPECT_EQ(to_dot(make_mixing_matrix(options)).find("label"), std::string::npos);
}

}  // namespace
}  // namespace echelon

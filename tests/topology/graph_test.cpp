#include "echelon/topology/graph.hpp"

#include <gtest/gtest.h>

#include "echelon/core/error.hpp"

namespace echelon {
namespace {

TEST(Graph, MergesParallelEdgesDropsSelfLoopsAndSorts) {
  const Graph graph(3, {{0, 2}, {0, 1}, {0, 2}, {1, 1}, {2, 0}});
  EXPECT_EQ(graph.agents(), 3);
  EXPECT_EQ(graph.edges(), 3u);
  const auto senders = graph.senders(0);
  EXPECT_EQ(std::vector<AgentId>(senders.begin(), senders.end()), (std::vector<AgentId>{1, 2}));
  EXPECT_TRUE(graph.senders(1).empty());
}

TEST(Graph, IsUndirectedOnlyWithBothDirections) {
  EXPECT_TRUE(Graph(2, {{0, 1}, {1, 0}}).is_undirected());
  EXPECT_FALSE(Graph(3, {{0, 1}, {1, 0}, {2, 0}}).is_undirected());
  EXPECT_TRUE(Graph(1, {}).is_undirected());
}

TEST(Graph, RejectsIdsOutOfRange) {
  EXPECT_THROW(Graph(2, {{0, 2}}), Error);
  EXPECT_THROW(Graph(2, {{-1, 0}}), Error);
  EXPECT_THROW(Graph(0, {}), Error);
}

}  // namespace
}  // namespace echelon

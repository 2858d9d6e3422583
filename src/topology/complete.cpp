// Everyone in one hop or two.

#include "generators.hpp"

namespace echelon::detail {

namespace {

Graph complete(AgentId n) {
  require_memory("complete", n, static_cast<double>(n) * (n - 1));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId j = 0; j < i; ++j) connect(edges, i, j);
  }
  return Graph(n, std::move(edges));
}

Graph star(AgentId n) {
  Edges edges;
  for (AgentId i = 1; i < n; ++i) connect(edges, 0, i);
  return Graph(n, std::move(edges));
}

}  // namespace

std::vector<TopologyEntry> complete_parts() {
  return {
      {.name = "complete",
       .aliases = {"full", "clique", "fully-connected", "all-to-all"},
       .summary = "everyone hears everyone",
       .formula = "i <-> j for all i, j",
       .make = always(complete)},
      {.name = "star",
       .aliases = {"hub", "hub-and-spoke"},
       .summary = "agent 0 hears everyone, everyone hears agent 0",
       .formula = "0 <-> i",
       .make = always(star)},
  };
}

}  // namespace echelon::detail

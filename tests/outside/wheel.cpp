#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct WheelOptions {
  std::int64_t spokes_apart = 1;

  void visit(OptionVisitor& visitor) {
    visitor("spokes_apart", spokes_apart, at_least(1), "every so many agents of the rim have one");
  }
};

/// Agent 0 in the middle of a ring of the others.
TopologyRound make_wheel(AgentId agents, const PartOptions& options, std::uint64_t) {
  const auto apart = static_cast<AgentId>(options.as<WheelOptions>().spokes_apart);
  std::vector<std::pair<AgentId, AgentId>> edges;
  const auto connect = [&](AgentId i, AgentId j) {
    edges.emplace_back(i, j);
    edges.emplace_back(j, i);
  };
  for (AgentId i = 1; i < agents; ++i) {
    if ((i - 1) % apart == 0) connect(0, i);
    connect(i, i + 1 < agents ? i + 1 : 1);
  }
  return {Graph(agents, std::move(edges))};
}

}  // namespace

TopologyEntry wheel() {
  return {.name = "wheel",
          .summary = "a ring around agent 0, joined to it by spokes",
          .formula = "0 <-> i for some i; i <-> i + 1",
          .options = WheelOptions{},
          .make = make_wheel};
}

}  // namespace outside

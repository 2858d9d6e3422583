#include "echelon/core/random.hpp"
#include "random_graphs.hpp"

namespace echelon::detail {

namespace {

struct RandomMatchingOptions {
  std::int64_t graph_seed = 1;

  void visit(OptionVisitor& visitor) { visit_graph_seed(visitor, graph_seed); }
};

std::uint64_t anew(AgentId, const PartOptions&) {
  return 0;
}

TopologyRound random_matching(AgentId n, const PartOptions& options, std::uint64_t round) {
  const auto seed = static_cast<std::uint64_t>(options.as<RandomMatchingOptions>().graph_seed);
  Draws draws(seed, Purpose::matching, 0, round);
  const std::vector<std::int64_t> order = draws.permutation(n);
  Edges edges;
  for (std::size_t i = 1; i < order.size(); i += 2) {
    connect(edges, static_cast<AgentId>(order[i - 1]), static_cast<AgentId>(order[i]));
  }
  return {Graph(n, std::move(edges))};
}

}  // namespace

std::vector<TopologyEntry> random_matching_parts() {
  return {
      {.name = "random-matching",
       .aliases = {"matching"},
       .summary = "drawn anew at every round: random pairs; one agent is idle if n is odd",
       .formula = "a uniformly random perfect matching, from graph_seed and the round; weights 1/2",
       .reference = "S. Boyd, A. Ghosh, B. Prabhakar, D. Shah, IEEE Transactions on Information "
                    "Theory 52, 2006",
       .options = RandomMatchingOptions{},
       .period = anew,
       .make = random_matching}};
}

}  // namespace echelon::detail

// Hops of powers of two, all at once or one after the other.

#include <algorithm>

#include "generators.hpp"

namespace echelon::detail {

namespace {

constexpr const char* paper =
    "B. Ying, K. Yuan, Y. Chen, H. Hu, P. Pan, W. Yin, NeurIPS 2021, arXiv:2110.13363";

Graph exponential(AgentId n) {
  require_memory("exponential", n, static_cast<double>(n) * binary_digits(n));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) {
    for (AgentId hop = 1; hop < n; hop *= 2) edges.emplace_back(i, (i - hop + n) % n);
  }
  return Graph(n, std::move(edges));
}

std::uint64_t one_peer_period(AgentId n, const PartOptions&) {
  return static_cast<std::uint64_t>(std::max(1, binary_digits(n)));
}

TopologyRound one_peer(AgentId n, const PartOptions& options, std::uint64_t round) {
  const std::uint64_t period = one_peer_period(n, options);
  require_memory("one-peer-exponential", n, static_cast<double>(n) * static_cast<double>(period));
  const auto hop = static_cast<AgentId>(std::int64_t{1} << (round % period));
  Edges edges;
  for (AgentId i = 0; i < n; ++i) edges.emplace_back(i, (i - hop % n + n) % n);
  return {Graph(n, std::move(edges))};
}

}  // namespace

std::vector<TopologyEntry> exponential_parts() {
  return {
      {.name = "exponential",
       .aliases = {"static-exponential"},
       .summary = "directed; hops of all powers of two, so news travels in log2 n rounds",
       .formula = "i <- i - 2^k mod n, k = 0 .. ceil(log2 n) - 1",
       .reference = paper,
       .is_directed = directed_above(3),
       .make = always(exponential)},
      {.name = "one-peer-exponential",
       .aliases = {"one-peer"},
       .summary = "directed, changes; one hop of a power of two per round, exact after log2 n "
                  "rounds if n is a power of two",
       .formula = "at round k: i <- i - 2^(k mod ceil(log2 n)) mod n, weights 1/2",
       .reference = paper,
       .is_directed = directed_above(2),
       .period = one_peer_period,
       .make = one_peer},
  };
}

}  // namespace echelon::detail

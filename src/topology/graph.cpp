#include "echelon/topology/graph.hpp"

#include <algorithm>

#include "echelon/core/error.hpp"

namespace echelon {

Graph::Graph(AgentId agents, std::vector<std::pair<AgentId, AgentId>> edges) {
  require(agents >= 1, ErrorKind::bad_data, "graph: there are ", agents,
          " agents; at least one is needed");
  for (const auto& [receiver, sender] : edges) {
    require(std::min(receiver, sender) >= 0 && std::max(receiver, sender) < agents,
            ErrorKind::bad_data, "graph: edge ", receiver, " <- ", sender,
            " leaves the range of agents; ids are 0 to ", agents - 1);
  }
  std::erase_if(edges, [](const auto& edge) { return edge.first == edge.second; });
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());

  offsets_.assign(static_cast<std::size_t>(agents) + 1, 0);
  senders_.reserve(edges.size());
  for (const auto& [receiver, sender] : edges) {
    ++offsets_[static_cast<std::size_t>(receiver) + 1];
    senders_.push_back(sender);
  }
  for (std::size_t i = 1; i < offsets_.size(); ++i) offsets_[i] += offsets_[i - 1];
}

std::span<const AgentId> Graph::senders(AgentId agent) const {
  ECHELON_ASSERT(agent >= 0 && agent < agents());
  const auto i = static_cast<std::size_t>(agent);
  return {senders_.data() + offsets_[i], offsets_[i + 1] - offsets_[i]};
}

bool Graph::is_undirected() const {
  for (AgentId i = 0; i < agents(); ++i) {
    for (const AgentId j : senders(i)) {
      const auto back = senders(j);
      if (!std::binary_search(back.begin(), back.end(), i)) return false;
    }
  }
  return true;
}

}  // namespace echelon

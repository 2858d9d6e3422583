#include "echelon/comm/exchange_plan.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace echelon {

namespace {

int position_of(const std::vector<AgentId>& sorted, AgentId agent) {
  return static_cast<int>(std::lower_bound(sorted.begin(), sorted.end(), agent) - sorted.begin());
}

using Neighbors = std::vector<std::vector<int>>;

/// Both directions of all terms between own agents.
Neighbors own_neighbors(const ExchangePlan& plan) {
  Neighbors neighbors(static_cast<std::size_t>(plan.local));
  for (int i = 0; i < plan.local; ++i) {
    for (auto t = plan.offsets[static_cast<std::size_t>(i)];
         t < plan.offsets[static_cast<std::size_t>(i) + 1]; ++t) {
      const int j = plan.terms[t].slot;
      if (j >= plan.local || j == i) continue;
      neighbors[static_cast<std::size_t>(i)].push_back(j);
      neighbors[static_cast<std::size_t>(j)].push_back(i);
    }
  }
  return neighbors;
}

/// Breadth-first from `start`, neighbors by ascending degree; appends what it reaches.
void visit_from(int start, const Neighbors& neighbors, std::vector<char>& seen,
                std::vector<int>& order) {
  const auto degree = [&](int i) { return neighbors[static_cast<std::size_t>(i)].size(); };
  std::size_t next = order.size();
  order.push_back(start);
  seen[static_cast<std::size_t>(start)] = 1;
  std::vector<int> fresh;
  for (; next < order.size(); ++next) {
    fresh.clear();
    for (const int j : neighbors[static_cast<std::size_t>(order[next])]) {
      if (seen[static_cast<std::size_t>(j)] != 0) continue;
      seen[static_cast<std::size_t>(j)] = 1;
      fresh.push_back(j);
    }
    std::sort(fresh.begin(), fresh.end(),
              [&](int a, int b) { return degree(a) != degree(b) ? degree(a) < degree(b) : a < b; });
    order.insert(order.end(), fresh.begin(), fresh.end());
  }
}

/// E. Cuthill, J. McKee, ACM National Conference 1969, from the far end of a first sweep.
std::vector<int> cuthill_mckee(const Neighbors& neighbors) {
  std::vector<char> swept(neighbors.size(), 0);
  std::vector<char> seen(neighbors.size(), 0);
  std::vector<int> order;
  std::vector<int> sweep;
  order.reserve(neighbors.size());
  for (std::size_t i = 0; i < neighbors.size(); ++i) {
    if (seen[i] != 0) continue;
    sweep.clear();
    visit_from(static_cast<int>(i), neighbors, swept, sweep);
    visit_from(sweep.back(), neighbors, seen, order);
  }
  return order;
}

}  // namespace

ExchangePlan::ExchangePlan(const MixingMatrix& matrix, const AgentSet& agents,
                           const std::vector<int>& owner, int rank, bool find_order)
    : local(agents.count()), place(agents.local.size(), -1) {
  const auto owner_of = [&](AgentId agent) { return owner[static_cast<std::size_t>(agent)]; };
  std::map<int, std::set<AgentId>> sent;             // to rank
  std::map<int, std::set<AgentId>> received;         // from rank
  std::map<int, std::vector<AgentId>> their_public;  // of ranks that own agents hear
  for (AgentId receiver = 0; receiver < agents.total; ++receiver) {
    const int to = owner_of(receiver);
    for (const auto& entry : matrix.row(receiver)) {
      const int from = owner_of(entry.sender);
      if (from == rank && entry.sender != receiver) ++edges_from_own;
      if (from == to) continue;
      if (from == rank) sent[to].insert(entry.sender);
      if (to == rank) received[from].insert(entry.sender);
    }
  }
  if (!received.empty()) {
    for (AgentId receiver = 0; receiver < agents.total; ++receiver) {
      for (const auto& entry : matrix.row(receiver)) {
        const int from = owner_of(entry.sender);
        if (from != owner_of(receiver) && received.count(from) > 0) {
          their_public[from].push_back(entry.sender);
        }
      }
    }
  }
  for (auto& [from, list] : their_public) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  std::set<AgentId> published_agents;
  for (const auto& [to, list] : sent) published_agents.insert(list.begin(), list.end());
  for (const AgentId agent : published_agents) {
    const int slot = position_of(agents.local, agent);
    place[static_cast<std::size_t>(slot)] = static_cast<int>(published.size());
    published.push_back(slot);
  }
  std::vector<AgentId> heard;
  for (const auto& [from, list] : received) heard.insert(heard.end(), list.begin(), list.end());
  std::sort(heard.begin(), heard.end());
  foreign = static_cast<int>(heard.size());

  std::set<int> ranks;
  for (const auto& [to, list] : sent) ranks.insert(to);
  for (const auto& [from, list] : received) ranks.insert(from);
  for (const int other : ranks) {
    Peer peer;
    peer.rank = other;
    for (const AgentId agent : sent[other]) {
      peer.send.push_back(place[static_cast<std::size_t>(position_of(agents.local, agent))]);
    }
    for (const AgentId agent : received[other]) {
      peer.receive.push_back(position_of(heard, agent));
      peer.theirs.push_back(position_of(their_public[other], agent));
    }
    peer.first_agent = received[other].empty() ? *sent[other].begin() : *received[other].begin();
    peers.push_back(std::move(peer));
  }
  offsets.push_back(0);
  for (const AgentId receiver : agents.local) {
    for (const auto& entry : matrix.row(receiver)) {
      const bool own = owner_of(entry.sender) == rank;
      const int slot =
          own ? position_of(agents.local, entry.sender) : local + position_of(heard, entry.sender);
      terms.push_back({slot, entry.sender, entry.weight});
    }
    offsets.push_back(terms.size());
  }
  if (find_order && local > 0) find_narrow_order();
}

void ExchangePlan::find_narrow_order() {
  std::vector<int> natural(static_cast<std::size_t>(local));
  std::iota(natural.begin(), natural.end(), 0);
  sweep = sweep_in(natural);
  Sweep narrow = sweep_in(cuthill_mckee(own_neighbors(*this)));
  // Memory is read fastest from one end to the other.
  if (sweep.window > 2 * narrow.window) sweep = std::move(narrow);
}

ExchangePlan::Sweep ExchangePlan::sweep_in(std::vector<int> order) const {
  const auto agents = static_cast<std::size_t>(local);
  const auto each_operand = [&](int agent, const auto& body) {
    body(agent);  // its result may overwrite what its column is made of
    for (auto t = offsets[static_cast<std::size_t>(agent)];
         t < offsets[static_cast<std::size_t>(agent) + 1]; ++t) {
      if (terms[t].slot < local) body(terms[t].slot);
    }
  };
  std::vector<int> last_use(agents, 0);
  for (int t = 0; t < local; ++t) {
    each_operand(order[static_cast<std::size_t>(t)],
                 [&](int slot) { last_use[static_cast<std::size_t>(slot)] = t; });
  }
  Sweep result;
  result.needed.resize(agents);
  result.ring_place.assign(agents, 0);
  std::vector<char> seen(agents, 0);
  std::vector<int> free_places;
  std::vector<std::vector<int>> freed_after(agents);  // places, by the step of their last use
  for (int t = 0; t < local; ++t) {
    if (t > 0) {
      const auto& freed = freed_after[static_cast<std::size_t>(t) - 1];
      free_places.insert(free_places.end(), freed.begin(), freed.end());
    }
    each_operand(order[static_cast<std::size_t>(t)], [&](int slot) {
      const auto at = static_cast<std::size_t>(slot);
      if (seen[at] != 0) return;
      seen[at] = 1;
      result.evaluated.push_back(slot);
      if (place[at] >= 0) return;
      if (free_places.empty()) free_places.push_back(result.window++);
      result.ring_place[at] = free_places.back();
      free_places.pop_back();
      freed_after[static_cast<std::size_t>(last_use[at])].push_back(result.ring_place[at]);
    });
    result.needed[static_cast<std::size_t>(t)] = static_cast<int>(result.evaluated.size());
  }
  result.window = std::max(result.window, 1);
  result.order = std::move(order);
  return result;
}

}  // namespace echelon

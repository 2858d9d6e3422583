#include "sweeps.hpp"

#include <algorithm>
#include <iterator>

namespace echelon::detail {

namespace {

/// A breadth-first search along one direction of the edges.
struct Sweep {
  std::vector<int> distance;  ///< -1 where not reached
  AgentId reached = 0;
  AgentId farthest = 0;  ///< the last one reached
  int eccentricity = 0;
  AgentId width = 1;  ///< agents on the largest level
};

Sweep sweep_from(const Neighbors& neighbors, AgentId start) {
  Sweep sweep;
  const AgentId agents = neighbors.agents();
  sweep.distance.assign(static_cast<std::size_t>(agents), -1);
  std::vector<AgentId> level = {start};
  std::vector<AgentId> next;
  sweep.distance[static_cast<std::size_t>(start)] = 0;
  for (int depth = 0; !level.empty(); ++depth) {
    sweep.eccentricity = depth;
    sweep.farthest = level.back();
    sweep.reached += static_cast<AgentId>(level.size());
    sweep.width = std::max(sweep.width, static_cast<AgentId>(level.size()));
    if (sweep.reached == agents) break;
    next.clear();
    for (std::size_t k = 0; k < level.size(); ++k) {
      if (sweep.reached + static_cast<AgentId>(next.size()) == agents) break;  // dense graphs
      for (const AgentId neighbor : neighbors.of(level[k])) {
        int& distance = sweep.distance[static_cast<std::size_t>(neighbor)];
        if (distance >= 0) continue;
        distance = depth + 1;
        next.push_back(neighbor);
      }
    }
    std::swap(level, next);
  }
  return sweep;
}

void find_exact_diameter(const Neighbors& neighbors, Reach& reach) {
  for (AgentId i = 0; i < neighbors.agents(); ++i) {
    reach.diameter_low = std::max(reach.diameter_low, sweep_from(neighbors, i).eccentricity);
  }
  reach.diameter_high = reach.diameter_low;
}

/// An agent half-way between the ends of the two sweeps.
AgentId middle(const Sweep& from_start, const Sweep& from_end) {
  const int half = from_end.eccentricity / 2;
  for (std::size_t i = 0; i < from_start.distance.size(); ++i) {
    if (from_end.distance[i] == half && from_start.distance[i] == from_end.eccentricity - half) {
      return static_cast<AgentId>(i);
    }
  }
  return from_end.farthest;
}

/// `first` is a sweep from agent 0 along the edges.
void bound_diameter(const Neighbors& forward, const Neighbors& backward, bool undirected,
                    const Sweep& first, Reach& reach) {
  reach.diameter_high = forward.agents() - 1;
  const auto use = [&](AgentId agent) {
    Sweep out = sweep_from(forward, agent);
    const int in = undirected ? out.eccentricity : sweep_from(backward, agent).eccentricity;
    reach.diameter_low = std::max({reach.diameter_low, out.eccentricity, in});
    reach.diameter_high = std::min(reach.diameter_high, out.eccentricity + in);
    return out;
  };
  const Sweep from_first = use(first.farthest);
  reach.width = from_first.width;
  const Sweep from_second = use(from_first.farthest);
  use(middle(from_first, from_second));
}

}  // namespace

Neighbors senders_of(const MixingMatrix& matrix) {
  Neighbors result;
  result.offsets.reserve(static_cast<std::size_t>(matrix.agents()) + 1);
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& entry : matrix.row(i)) {
      if (entry.sender != i) result.ids.push_back(entry.sender);
    }
    result.offsets.push_back(result.ids.size());
  }
  return result;
}

Neighbors union_of(const Neighbors& a, const Neighbors& b) {
  Neighbors result;
  result.offsets.reserve(a.offsets.size());
  for (AgentId i = 0; i < a.agents(); ++i) {
    std::ranges::set_union(a.of(i), b.of(i), std::back_inserter(result.ids));
    result.offsets.push_back(result.ids.size());
  }
  return result;
}

Neighbors reversed(const Neighbors& neighbors) {
  Neighbors result;
  result.offsets.assign(neighbors.offsets.size(), 0);
  result.ids.resize(neighbors.ids.size());
  for (const AgentId id : neighbors.ids) ++result.offsets[static_cast<std::size_t>(id) + 1];
  for (std::size_t i = 1; i < result.offsets.size(); ++i) {
    result.offsets[i] += result.offsets[i - 1];
  }
  std::vector<std::size_t> next(result.offsets.begin(), result.offsets.end() - 1);
  for (AgentId i = 0; i < neighbors.agents(); ++i) {
    for (const AgentId id : neighbors.of(i)) result.ids[next[static_cast<std::size_t>(id)]++] = i;
  }
  return result;
}

Reach reach(const Neighbors& senders) {
  constexpr AgentId largest_exact = 2000;
  const Neighbors forward = reversed(senders);
  const bool undirected = forward.ids == senders.ids && forward.offsets == senders.offsets;
  const AgentId agents = senders.agents();
  const Sweep first = sweep_from(forward, 0);
  Reach result;
  result.connected =
      first.reached == agents && (undirected || sweep_from(senders, 0).reached == agents);
  if (!result.connected) return result;
  if (agents <= largest_exact) {
    find_exact_diameter(forward, result);
    result.width = sweep_from(forward, first.farthest).width;
  } else {
    bound_diameter(forward, senders, undirected, first, result);
  }
  return result;
}

}  // namespace echelon::detail

#pragma once
/// Breadth-first searches: who is reached, and how far everybody is apart.

#include <cstddef>
#include <span>
#include <vector>

#include "echelon/topology/mixing_matrix.hpp"

namespace echelon::detail {

/// For every agent the others at one end of its edges, ascending; flat, without self-loops.
struct Neighbors {
  std::vector<std::size_t> offsets = {0};
  std::vector<AgentId> ids{};

  AgentId agents() const { return static_cast<AgentId>(offsets.size() - 1); }
  std::span<const AgentId> of(AgentId agent) const {
    const auto i = static_cast<std::size_t>(agent);
    return {ids.data() + offsets[i], offsets[i + 1] - offsets[i]};
  }
};

/// Whom each agent hears.
Neighbors senders_of(const MixingMatrix& matrix);
/// The edges of either.
Neighbors union_of(const Neighbors& a, const Neighbors& b);
/// The same edges seen from their other ends.
Neighbors reversed(const Neighbors& neighbors);

struct Reach {
  bool connected = false;  ///< strongly
  int diameter_low = -1;
  int diameter_high = -1;
  AgentId width = 1;  ///< agents on the largest level of a search from the rim
};

/// The diameter is exact up to 2000 agents; beyond, every eccentricity that a few sweeps find is a
/// lower bound, and a way through any agent gives an upper one.
Reach reach(const Neighbors& senders);

}  // namespace echelon::detail

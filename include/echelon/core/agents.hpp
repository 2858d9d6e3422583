#pragma once
/// Who takes part: agents are numbered 0 .. total-1 over the whole run, and are never ranks.

#include <cstdint>
#include <vector>

namespace echelon {

using AgentId = std::int32_t;

/// The agents that live in this process. `local` is ascending; a process may hold none.
struct AgentSet {
  AgentId total = 0;
  std::vector<AgentId> local;

  int count() const { return static_cast<int>(local.size()); }
};

}  // namespace echelon

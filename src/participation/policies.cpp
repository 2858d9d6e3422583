#include "policies.hpp"

#include <algorithm>

#include "echelon/core/error.hpp"

namespace echelon {

PartList<PolicyEntry>& policy_catalog() {
  static PartList<PolicyEntry> parts("participation policy", detail::built_in_policies());
  return parts;
}

namespace detail {

RoundEnd after_all(const std::vector<double>& responses, double lost) {
  return {responses.size(), responses.empty() ? lost : std::max(lost, responses.back())};
}

void visit_wait_for(OptionVisitor& visitor, std::int64_t& wait_for) {
  visitor("wait_for", wait_for, at_least(0), "number of responses that the server waits for");
}

void check_wait_for(const char* policy, std::int64_t wait_for, AgentId slots) {
  require(wait_for >= 1 && wait_for <= slots, ErrorKind::usage,
          "participation.wait_for = ", wait_for, ": policy ", policy,
          " waits for 1 to network.agents = ", slots, " answers; choose a number in between");
}

}  // namespace detail
}  // namespace echelon

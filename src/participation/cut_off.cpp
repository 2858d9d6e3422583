#include <algorithm>

#include "echelon/core/error.hpp"
#include "policies.hpp"

namespace echelon::detail {

namespace {

struct CutOffOptions {
  double deadline_seconds = 0;

  void visit(OptionVisitor& visitor) {
    visitor("deadline_seconds", deadline_seconds, at_least(0),
            "simulated seconds after which the server goes on");
  }
};

RoundEnd end_round(const PartOptions& options, const std::vector<double>& responses, double lost) {
  const double deadline = options.as<CutOffOptions>().deadline_seconds;
  const auto late = std::upper_bound(responses.begin(), responses.end(), deadline);
  if (late == responses.end() && lost == 0) return after_all(responses, lost);
  return {static_cast<std::size_t>(late - responses.begin()), deadline};
}

void check(const PartOptions& options, AgentId) {
  require(options.as<CutOffOptions>().deadline_seconds > 0, ErrorKind::usage,
          "participation.policy = cut-off with participation.deadline_seconds = 0: no answer could "
          "arrive; give the seconds that a round may take");
}

}  // namespace

std::vector<PolicyEntry> cut_off_parts() {
  return {{.name = "cut-off",
           .aliases = {"deadline"},
           .summary = "the server goes on at a deadline; responses that come later are lost",
           .formula = "round ends at min(deadline_seconds, time of the last response)",
           .options = CutOffOptions{},
           .end_round = end_round,
           .check = check}};
}

}  // namespace echelon::detail

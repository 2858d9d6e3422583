#include <algorithm>

#include "policies.hpp"

namespace echelon::detail {

namespace {

struct OverCommitOptions {
  std::int64_t wait_for = 0;

  void visit(OptionVisitor& visitor) { visit_wait_for(visitor, wait_for); }
};

RoundEnd end_round(const PartOptions& options, const std::vector<double>& responses, double lost) {
  const auto enough = static_cast<std::size_t>(options.as<OverCommitOptions>().wait_for);
  if (responses.size() < enough) return after_all(responses, lost);
  return {enough, responses[enough - 1]};
}

}  // namespace

std::vector<PolicyEntry> over_commit_parts() {
  return {
      {.name = "over-commit",
       .aliases = {"over-selection"},
       .summary = "the server goes on after the first `wait_for` responses; the others are lost",
       .formula = "round ends at the time of response number wait_for",
       .reference = "K. Bonawitz et al., MLSys 2019, arXiv:1902.01046",
       .options = OverCommitOptions{},
       .end_round = end_round,
       .check = [](const PartOptions& options, AgentId slots) {
         check_wait_for("over-commit", options.as<OverCommitOptions>().wait_for, slots);
       }}};
}

}  // namespace echelon::detail

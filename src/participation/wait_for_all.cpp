#include "policies.hpp"

namespace echelon::detail {

std::vector<PolicyEntry> wait_for_all_parts() {
  return {{.name = "wait-for-all",
           .aliases = {"synchronous", "wait"},
           .summary = "the server waits for the response of every client that does not drop out",
           .formula = "round ends at max over clients of (compute + 2 x link)",
           .uses_all_responses = true,
           .end_round = [](const PartOptions&, const std::vector<double>& responses, double lost) {
             return after_all(responses, lost);
           }}};
}

}  // namespace echelon::detail

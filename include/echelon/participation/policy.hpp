#pragma once
/// When a server goes on: the parts that `participation.policy` names.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "echelon/core/agents.hpp"
#include "echelon/core/part.hpp"

namespace echelon {

/// How a round ends. Times are simulated seconds since it began.
struct RoundEnd {
  std::size_t used;  ///< the first so many responses; later ones are lost
  double seconds;
};

/// The report that an agent works on, under an asynchronous policy.
struct Report {
  double done;       ///< simulated seconds at which the server has it
  std::int64_t age;  ///< steps of the server since the agent began
};

/// A part of the kind `participation policy`. Either `end_round` or `next_step` is there.
struct PolicyEntry {
  std::string name;
  std::vector<std::string> aliases{};
  std::string summary;  ///< one line
  std::string formula;  ///< when the server goes on
  std::string reference{};
  PartOptions options{};
  bool uses_all_responses = false;  ///< nothing that a client sends is lost
  /// Synchronous. `responses`: when they reach the server, ascending; `lost`: when it learns that
  /// the others will not come, 0 if there are no others.
  std::function<RoundEnd(const PartOptions&, const std::vector<double>& responses, double lost)>
      end_round{};
  /// Asynchronous, one report per agent: when the server makes its next step, at `now` or later. It
  /// uses the reports that it has then.
  std::function<double(const PartOptions&, const std::vector<Report>&, double now)> next_step{};
  /// Throws a usage error for options with which no round could end, with that many slots for
  /// clients in a round.
  std::function<void(const PartOptions&, AgentId slots)> check = [](const PartOptions&, AgentId) {};

  bool is_asynchronous() const { return next_step != nullptr; }
};

namespace detail {
std::vector<PolicyEntry> built_in_policies();  ///< the build writes this from the files
}  // namespace detail

PartList<PolicyEntry>& policy_catalog();

}  // namespace echelon

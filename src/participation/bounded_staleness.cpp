#include <algorithm>

#include "echelon/core/error.hpp"
#include "policies.hpp"

namespace echelon::detail {

namespace {

struct BoundedStalenessOptions {
  std::int64_t wait_for = 0;
  std::int64_t staleness = 0;

  void visit(OptionVisitor& visitor) {
    visit_wait_for(visitor, wait_for);
    visitor("staleness", staleness, at_least(0),
            "largest number of steps of the server that a report may be behind");
  }
};

// Every agent works all the time; a step of the server takes the reports that are there once
// `wait_for` of them are, and those of agents whose last report would become too old.
double next_step(const PartOptions& options, const std::vector<Report>& reports, double now) {
  const auto& own = options.as<BoundedStalenessOptions>();
  std::vector<double> done;
  for (const Report& report : reports) done.push_back(report.done);
  const auto last = done.begin() + (own.wait_for - 1);
  std::nth_element(done.begin(), last, done.end());
  now = std::max(now, *last);
  for (const Report& report : reports) {
    if (report.age >= own.staleness) now = std::max(now, report.done);
  }
  return now;
}

void check(const PartOptions& options, AgentId slots) {
  const auto& own = options.as<BoundedStalenessOptions>();
  check_wait_for("bounded-staleness", own.wait_for, slots);
  require(own.staleness >= 1, ErrorKind::usage,
          "participation.staleness = 0: every report would have to be of the server's newest "
          "value, which is policy wait-for-all; choose 1 or more");
}

}  // namespace

std::vector<PolicyEntry> bounded_staleness_parts() {
  return {{.name = "bounded-staleness",
           .aliases = {"stale-synchronous", "asynchronous"},
           .summary = "asynchronous: the server steps with `wait_for` reports, none older than "
                      "`staleness`; agents never wait",
           .formula = "step at the time of report number wait_for, later if a report would become "
                      "older than staleness",
           .options = BoundedStalenessOptions{},
           .next_step = next_step,
           .check = check}};
}

}  // namespace echelon::detail

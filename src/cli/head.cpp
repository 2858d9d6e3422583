#include "head.hpp"

#include <cstdio>
#include <thread>

#include "echelon/core/options.hpp"
#include "echelon/problem/partition.hpp"

namespace echelon::cli {

void print_head(Experiment& experiment, const MemoryEstimate& memory) {
  const auto& network = experiment.network();
  const auto& consensus = experiment.consensus();
  std::printf("problem    %s: x in R^%td, y in R^%td, %s lower level\n",
              experiment.problem_entry().name.c_str(), experiment.problem().upper_dimension(),
              experiment.problem().lower_dimension(), consensus.personal() ? "personal" : "shared");
  std::printf("method     %s: %s\n", experiment.method_entry().name.c_str(),
              experiment.method_entry().summary.c_str());
  std::printf("consensus  x by %s, y by %s, auxiliaries by %s\n",
              consensus.entry(Role::upper).name.c_str(), consensus.entry(Role::lower).name.c_str(),
              consensus.entry(Role::auxiliary).name.c_str());
  if (experiment.method_entry().means_first) {
    const bool exact = experiment.method_entry().always_exact || consensus.all_reduced();
    std::printf("means      %s\n",
                exact
                    ? "exact; all agents take the same step"
                    : "by dynamic average consensus, whatever the strategies' names; x and y then "
                      "mix their steps (adapt-then-combine)");
  }
  std::printf("network    %s on %d rank%s\n%s\n", experiment.topology().topology->name.c_str(),
              network.communicator().size(), network.communicator().size() == 1 ? "" : "s",
              network.certificate().summary().c_str());
  for (const auto& [role, own] : experiment.networks()) {
    std::printf("network of %s\n%s\n", role_name(role).c_str(),
                own->certificate().summary().c_str());
  }
  if (const auto* samples = experiment.problem().facet<PartitionedSamples>()) {
    std::printf("partition  %s\n", samples->partition_report().summary().c_str());
  }
  std::printf("memory     %s on the fullest rank, which may take %s\n", memory.text().c_str(),
              scaled_text(memory.limit, "B").c_str());
  std::fflush(stdout);
}

void warn_if_crowded(const Communicator& communicator) {
  const unsigned cores = std::thread::hardware_concurrency();
  if (cores > 0 && static_cast<unsigned>(communicator.size()) > cores) {
    std::printf(
        "note: %d ranks; if they share this machine's %u cores, more agents per rank are faster "
        "than more ranks\n",
        communicator.size(), cores);
  }
}

}  // namespace echelon::cli

#include "plan.hpp"

#include <algorithm>
#include <cstdio>

#include "echelon/core/options.hpp"
#include "echelon/experiment/cost.hpp"
#include "echelon/participation/participation.hpp"
#include "head.hpp"

namespace echelon::cli {

namespace {

/// Rounds over which the edges of a network that changes are counted.
constexpr std::uint64_t most_rounds_counted = 64;
constexpr std::int64_t rounds_shown = 5;

/// Directed edges that carry a message in a round: the mean over a period, or over the first
/// rounds of one that is long or does not repeat.
double edges_per_round(const MixingSchedule& schedule) {
  const std::uint64_t period = schedule.period();
  const std::uint64_t rounds =
      period == 0 ? most_rounds_counted : std::min(period, most_rounds_counted);
  double edges = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto matrix = schedule.at(round);
    for (AgentId receiver = 0; receiver < matrix->agents(); ++receiver) {
      for (const auto& entry : matrix->row(receiver)) edges += entry.sender != receiver ? 1 : 0;
    }
  }
  return edges / static_cast<double>(rounds);
}

/// Agents that send to the server and hear from it, in the mean over the first rounds.
double speakers_per_round(const Participation& participation, std::int64_t rounds) {
  return rounds == 0
             ? 0
             : static_cast<double>(participation.answers_in_all()) / static_cast<double>(rounds);
}

/// Prints the first rounds and returns how many agents speak in one.
double print_rounds(const Experiment& experiment) {
  const auto plan = experiment.make_participation();
  const std::int64_t steps = plan->shape().local_steps;
  const std::int64_t rounds = plan->shape().rounds;
  std::printf("rounds     %lld of %lld iteration%s: %d seats for %lld client%s\n",
              static_cast<long long>(rounds), static_cast<long long>(steps), steps == 1 ? "" : "s",
              plan->seats(), static_cast<long long>(plan->clients()),
              plan->clients() == 1 ? "" : "s");
  const std::int64_t shown = std::min(rounds, rounds_shown);
  for (std::int64_t round = 0; round < shown; ++round) {
    plan->replay(static_cast<std::uint64_t>(round * steps));
    int sitting = 0;
    for (AgentId seat = 0; seat < plan->seats(); ++seat) sitting += plan->place(seat) >= 0 ? 1 : 0;
    std::printf(
        "           round %lld: %d participants, %lld answers%s, ends at %.4g s simulated\n",
        static_cast<long long>(round), sitting, static_cast<long long>(plan->answering()),
        plan->is_skipped() ? " (too few: skipped)" : "", plan->seconds());
  }
  return speakers_per_round(*plan, shown);
}

/// What agents send each other; `speaking` < 0: all of them speak to the server.
void print_traffic_plan(Experiment& experiment, double speaking) {
  const Index p = experiment.problem().upper_dimension();
  const Index q = experiment.problem().lower_dimension();
  const CompositionCost cost = cost_of(experiment.general(), p, q);
  const double agents = experiment.network().size();
  // A mean costs each agent but one a partial sum and an answer; a round, those who are heard.
  const double reduced = speaking < 0 ? agents - 1 : speaking;
  const bool mixes = cost.bytes(false, p, q) > 0;
  const double to_neighbors =
      mixes ? edges_per_round(experiment.network().schedule()) * cost.bytes(false, p, q) : 0;
  const double per_iteration = to_neighbors + 2 * reduced * cost.bytes(true, p, q);
  const auto iterations = static_cast<double>(experiment.run_options().iterations);
  const auto line = [&](const char* what, double bytes) {
    std::printf("%s %s between agents (%s by each)\n", what, scaled_text(bytes, "B").c_str(),
                scaled_text(bytes / agents, "B").c_str());
  };
  std::printf("traffic    per agent and iteration: %s; p = %td, q = %td\n",
              cost.traffic_text().c_str(), p, q);
  line("           per iteration", per_iteration);
  line("           for the run  ", per_iteration * iterations);
  std::printf("calls      %s gradients by each agent, %s exact products; per iteration %s and %s\n",
              scaled_text(iterations * cost.gradients(p, q), "").c_str(),
              scaled_text(iterations * cost.products(p, q), "").c_str(),
              number_text(cost.gradients(p, q)).c_str(), number_text(cost.products(p, q)).c_str());
  if (!experiment.networks().empty()) {
    std::printf("           (networks of single variables are counted as section network)\n");
  }
}

}  // namespace

void print_plan(Experiment& experiment, const MemoryEstimate& memory,
                const std::filesystem::path& folder) {
  print_head(experiment, memory);
  std::printf("           free on its machine: %s, for %d rank%s\n",
              scaled_text(memory.free, "B").c_str(), memory.ranks, memory.ranks == 1 ? "" : "s");
  double speaking = -1;
  if (experiment.participation() != nullptr) speaking = print_rounds(experiment);
  print_traffic_plan(experiment, speaking);
  const bool taken = std::filesystem::exists(folder / "config.ini");
  std::printf("directory  %s%s\n", folder.c_str(),
              taken ? ", which holds a run already: `echelon run` would refuse it" : "");
  std::printf("\n%s", experiment.configuration().resolved().c_str());
  std::fflush(stdout);
}

}  // namespace echelon::cli

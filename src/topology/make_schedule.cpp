#include <algorithm>
#include <numeric>

#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "generators.hpp"
#include "round_cache.hpp"

namespace echelon {

namespace {

using SharedMatrix = std::shared_ptr<const MixingMatrix>;

/// A topology that is drawn anew at every round.
class Drawn final : public MixingSchedule {
 public:
  Drawn(const TopologyEntry& entry, const TopologyOptions& options)
      : entry_(entry), options_(options), cache_(0) {}
  AgentId agents() const override { return detail::agent_count(options_); }
  std::uint64_t period() const override { return 0; }
  SharedMatrix at(std::uint64_t round, Weights weights) const override {
    const SharedMatrix given = cache_.at(round, Weights::given, [&](std::uint64_t) {
      return std::make_shared<const MixingMatrix>(weigh(entry_.make(options_, round), options_));
    });
    if (weights == Weights::given) return given;
    return cache_.at(round, weights,
                     [&](std::uint64_t) { return detail::shared_reweighted(given, weights); });
  }

 private:
  TopologyEntry entry_;
  TopologyOptions options_;
  mutable detail::RoundCache cache_;
};

/// At round k, part k mod m is at its round floor(k / m).
class TakingTurns final : public MixingSchedule {
 public:
  explicit TakingTurns(std::vector<SharedSchedule> parts) : parts_(std::move(parts)) {}
  AgentId agents() const override { return parts_.front()->agents(); }
  std::uint64_t period() const override {
    std::uint64_t common = 1;
    for (const auto& part : parts_) common = std::lcm(common, part->period());
    return common * parts_.size();
  }
  SharedMatrix at(std::uint64_t round, Weights weights) const override {
    return parts_[round % parts_.size()]->at(round / parts_.size(), weights);
  }

 private:
  std::vector<SharedSchedule> parts_;
};

SharedSchedule one_topology(const TopologyEntry& entry, const TopologyOptions& options) {
  const std::uint64_t period = entry.period(options);
  if (period == 0) return std::make_shared<Drawn>(entry, options);
  std::vector<MixingMatrix> matrices;
  for (std::uint64_t round = 0; round < period; ++round) {
    matrices.push_back(weigh(entry.make(options, round), options));
  }
  return periodic(std::move(matrices));
}

/// Splits at commas, without blanks around the names.
std::vector<std::string> names_of(const std::string& cycle) {
  std::vector<std::string> names;
  std::size_t start = 0;
  while (start <= cycle.size()) {
    const std::size_t end = std::min(cycle.find(',', start), cycle.size());
    const std::string part = cycle.substr(start, end - start);
    const std::size_t first = part.find_first_not_of(" \t");
    const std::size_t last = part.find_last_not_of(" \t");
    names.push_back(first == std::string::npos ? "" : part.substr(first, last - first + 1));
    start = end + 1;
  }
  return names;
}

const TopologyEntry& entry_in_cycle(const std::string& name, const TopologyOptions& options) {
  std::vector<std::string> names;
  for (const auto& entry : topology_catalog()) {
    names.push_back(entry.name);
    if (entry.name != name) continue;
    require(entry.period(options) > 0, ErrorKind::usage, "network.cycle = ", options.cycle, ": `",
            name,
            "` is drawn anew at every round (it has no turns); leave it out, or let it be the "
            "only topology");
    return entry;
  }
  fail(ErrorKind::usage, "network.cycle = ", options.cycle, ": there is no topology called `", name,
       "` (names are separated by commas); the nearest is `", nearest_name(name, names), "`");
}

void check_range(const TopologyOptions& options) {
  const Range failure{.low = 0, .high = 1, .high_open = true};
  require(options.agents >= 1 && options.agents <= most_agents, ErrorKind::usage,
          "network.agents = ", options.agents, ": out of range; choose 1 to ", most_agents);
  require(failure.contains(options.link_failure), ErrorKind::usage,
          "network.link_failure = ", options.link_failure, ": out of range; choose one in [0, 1)");
  require(failure.contains(options.agent_failure), ErrorKind::usage,
          "network.agent_failure = ", options.agent_failure,
          ": out of range; choose one in [0, 1)");
}

}  // namespace

const std::vector<std::string>& detail::weight_names() {
  static const std::vector<std::string> names = {"automatic", "metropolis", "max-degree",
                                                 "uniform",   "column",     "best-constant"};
  return names;
}

MixingMatrix weigh(const TopologyRound& round, const TopologyOptions& options) {
  const std::string& weights = options.weights;
  if (weights == "automatic") {
    if (round.weights) return *round.weights;
    return round.graph.is_undirected() ? metropolis_weights(round.graph)
                                       : uniform_weights(round.graph);
  }
  if (weights == "metropolis") return metropolis_weights(round.graph);
  if (weights == "max-degree") return max_degree_weights(round.graph);
  if (weights == "uniform") return uniform_weights(round.graph);
  if (weights == "column") return column_weights(round.graph);
  if (weights == "best-constant") return best_constant_weights(round.graph);
  fail(ErrorKind::usage, "network.weights = ", weights,
       ": there are no such weights; the nearest are `",
       nearest_name(weights, detail::weight_names()), "`");
}

SharedSchedule make_schedule(const TopologyOptions& options) {
  require(options.topology != "file", ErrorKind::usage,
          "network.topology = file: only generated graphs are known here (files are read "
          "elsewhere); choose a generator or read the file with read_or_make");
  check_range(options);
  const auto& first = find_entry(topology_catalog(), options.topology, "topology");
  if (options.cycle.empty()) return finish_schedule(one_topology(first, options), options);

  std::vector<const TopologyEntry*> entries = {&entry_in_cycle(options.topology, options)};
  for (const auto& name : names_of(options.cycle)) {
    entries.push_back(&entry_in_cycle(name, options));
  }
  std::vector<SharedSchedule> parts;
  for (const auto* entry : entries) {
    TopologyOptions own = options;  // so that messages name the right topology
    own.topology = entry->name;
    parts.push_back(one_topology(*entry, own));
  }
  return finish_schedule(std::make_shared<TakingTurns>(std::move(parts)), options);
}

SharedSchedule finish_schedule(SharedSchedule schedule, const TopologyOptions& options) {
  check_range(options);
  if (options.lazy) schedule = lazy(std::move(schedule));
  return with_failures(std::move(schedule),
                       {.link = options.link_failure,
                        .agent = options.agent_failure,
                        .seed = static_cast<std::uint64_t>(options.graph_seed)});
}

}  // namespace echelon

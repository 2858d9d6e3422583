#include <numeric>

#include "echelon/core/error.hpp"
#include "echelon/topology/topologies.hpp"
#include "round_cache.hpp"

namespace echelon {

namespace {

using SharedMatrix = std::shared_ptr<const MixingMatrix>;
using Topology = Chosen<TopologyEntry>;
using Weighting = Chosen<WeightsEntry>;

MixingMatrix matrix_at(const Topology& topology, AgentId agents, const Weighting& weights,
                       std::uint64_t round) {
  return weights->make(topology->make(agents, topology.options(), round), weights.options());
}

/// A topology that is drawn anew at every round.
class Drawn final : public MixingSchedule {
 public:
  Drawn(Topology topology, AgentId agents, Weighting weights)
      : topology_(std::move(topology)), agents_(agents), weights_(std::move(weights)), cache_(0) {}
  AgentId agents() const override { return agents_; }
  std::uint64_t period() const override { return 0; }
  SharedMatrix at(std::uint64_t round, Weights weights) const override {
    const SharedMatrix given = cache_.at(round, Weights::given, [&](std::uint64_t) {
      return std::make_shared<const MixingMatrix>(matrix_at(topology_, agents_, weights_, round));
    });
    if (weights == Weights::given) return given;
    return cache_.at(round, weights,
                     [&](std::uint64_t) { return detail::shared_reweighted(given, weights); });
  }

 private:
  Topology topology_;
  AgentId agents_;
  Weighting weights_;
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

AgentId agents_of(const TopologyOptions& options) {
  return static_cast<AgentId>(options.agents);
}

SharedSchedule generated(const Topology& topology, const TopologyOptions& options) {
  const AgentId agents = agents_of(options);
  const std::uint64_t period = topology->period(agents, topology.options());
  if (period == 0) return std::make_shared<Drawn>(topology, agents, options.weights);
  std::vector<MixingMatrix> matrices;
  for (std::uint64_t round = 0; round < period; ++round) {
    matrices.push_back(matrix_at(topology, agents, options.weights, round));
  }
  return periodic(std::move(matrices));
}

const WeightsEntry& keeper_of(Sums sums) {
  for (const WeightsEntry& entry : weights_catalog()) {
    if (entry.keeps == sums) return entry;
  }
  fail(ErrorKind::internal, "no weights are taken from files");
}

void check_given_weights(const TopologyRound& round, const TopologyOptions& options) {
  const WeightsEntry& weights = *options.weights;
  require(!options.lazy, ErrorKind::usage, round.file,
          ": network.lazy = yes meets weights from a file (those are used as they are); set "
          "network.lazy = no");
  require(weights.keeps.has_value(), ErrorKind::usage, round.file,
          ": network.weights = ", weights.name,
          " meets weights from a file (those are used as they are); leave network.weights out");
  if (*weights.keeps == Sums::columns) {
    require(round.weights->sums_to_one(Sums::columns), ErrorKind::usage, round.file,
            ": network.weights = ", weights.name,
            " meets weights whose columns do not sum to 1; leave network.weights out");
  } else {
    require(round.weights->sums_to_one(Sums::rows), ErrorKind::usage, round.file,
            ": the columns of the weights sum to 1, but not the rows (agents split what they "
            "send); set network.weights = ",
            keeper_of(Sums::columns).name, ", or transpose the matrix if this is not meant");
  }
}

SharedSchedule from_file(const TopologyOptions& options, bool agents_given) {
  TopologyRound round = options.topology->read(options.topology.options());
  require(!agents_given || agents_of(options) == round.graph.agents(), ErrorKind::usage, round.file,
          ": the sizes do not match (the file has ", round.graph.agents(),
          " agents, network.agents = ", options.agents,
          "); set network.agents = ", round.graph.agents());
  std::vector<MixingMatrix> matrices;
  if (round.weights) {
    check_given_weights(round, options);
    matrices.push_back(*std::move(round.weights));
  } else {
    matrices.push_back(options.weights->make(round, options.weights.options()));
  }
  return periodic(std::move(matrices));
}

std::vector<Topology> all_of(const TopologyOptions& options) {
  std::vector<Topology> all = {options.topology};
  all.insert(all.end(), options.cycle.begin(), options.cycle.end());
  return all;
}

/// Names of weights that directed graphs can have.
std::string directed_weights() {
  std::string names;
  for (const WeightsEntry& entry : weights_catalog()) {
    if (!entry.undirected_only) names += (names.empty() ? "`" : ", `") + entry.name + "`";
  }
  return names;
}

void judge_turns(const Topology& topology, const TopologyOptions& options) {
  if (options.cycle.empty()) return;
  require(!topology->read, ErrorKind::usage, "network.cycle: topologies do not take turns with a ",
          topology->name, "; leave network.cycle out");
  require(topology->period(agents_of(options), topology.options()) > 0, ErrorKind::usage,
          "network.cycle: `", topology->name,
          "` is drawn anew at every round (it has no turns); leave it out, or let it be the only "
          "topology");
}

}  // namespace

void judge(const TopologyOptions& options) {
  require_in_range("network",
                   [own = options](OptionVisitor& visitor) mutable { own.visit(visitor); });
  for (const Topology& topology : all_of(options)) {
    judge_turns(topology, options);
    const bool is_directed = topology->is_directed && topology->is_directed(agents_of(options));
    require(!is_directed || !options.weights->undirected_only, ErrorKind::usage,
            "network.weights = ", options.weights->name, " are for undirected graphs, and ",
            topology->name, " is directed; choose one of ", directed_weights());
  }
}

SharedSchedule make_schedule(const TopologyOptions& options, bool agents_given) {
  judge(options);
  SharedSchedule schedule;
  if (options.topology->read) {
    schedule = from_file(options, agents_given);
  } else {
    std::vector<SharedSchedule> turns;
    for (const Topology& topology : all_of(options)) turns.push_back(generated(topology, options));
    schedule =
        turns.size() == 1 ? turns.front() : std::make_shared<const TakingTurns>(std::move(turns));
  }
  if (options.lazy) schedule = lazy(std::move(schedule));
  return with_failures(std::move(schedule),
                       {.link = options.link_failure,
                        .agent = options.agent_failure,
                        .seed = static_cast<std::uint64_t>(options.failure_seed)});
}

}  // namespace echelon

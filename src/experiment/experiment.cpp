#include "echelon/experiment/experiment.hpp"

#include <algorithm>
#include <utility>

#include "echelon/core/catalog.hpp"
#include "echelon/core/process_memory.hpp"
#include "echelon/experiment/cost.hpp"
#include "echelon/experiment/judge.hpp"
#include "echelon/experiment/preset.hpp"
#include "echelon/io/client_files.hpp"
#include "echelon/problem/client_problem.hpp"
#include "trial.hpp"

namespace echelon {

namespace {

struct PluginOption {
  std::string plugin;

  void visit(OptionVisitor& visitor) { visitor("plugin", plugin, ""); }
};

constexpr Role roles[] = {Role::upper, Role::lower, Role::auxiliary};

class SizeCounter final : public StateVisitor {
 public:
  std::int64_t bytes = 0;
  std::int64_t client_bytes = 0;          ///< part of `bytes`, as is the next
  std::int64_t client_bytes_in_file = 0;  ///< in a mapped file, not in memory

 private:
  void visit(const std::string& name, AgentMatrix& block) override {
    const std::int64_t size =
        static_cast<std::int64_t>(sizeof(double)) * block.outerStride() * block.cols();
    bytes += size;
    if (!name.ends_with("/clients")) return;
    (block.is_in_file() ? client_bytes_in_file : client_bytes) += size;
  }
  void visit(const std::string&, double&) override {}
  void visit(const std::string&, std::int64_t&) override {}
  void visit(const std::string&, Eigen::MatrixXd&) override {}
};

}  // namespace

void ExperimentOptions::visit(OptionVisitor& visitor) {
  visitor("preset", preset, "a published composition to start from (`echelon list presets`)");
  visitor("seed", seed, at_least(0), "of all random draws");
  visitor.operational(true);
  visitor("plugin", plugin,
          "shared libraries with more parts, separated by commas; `--plugin FILE` adds one");
  visitor("output", output, "the run directory; empty: results/<name of the configuration>");
  visitor("threads", threads, between(1, 1024), "threads per rank, over agents");
  visitor("keep_checkpoints", keep_checkpoints, at_least(1), "how many checkpoints are kept");
  visitor.choice("progress", progress, {"auto", "bar", "lines", "none"}, "how progress is shown");
  visitor.operational(false);
}

void CommOptions::visit(OptionVisitor& visitor) {
  visitor.operational(true);
  visitor("stall_seconds", stall_seconds, at_least(0),
          "give up on a silent peer after this long (exit code 76); 0 = wait for ever");
  visitor("share_memory", share_memory,
          "ranks of one node exchange through shared memory; no: by messages, as between nodes");
  visitor.operational(false);
}

std::string plugins_of(Configuration configuration) {
  PluginOption option;  // declared with the others of its section
  configuration.read("run", option);
  return option.plugin;
}

void GeneralOptions::read_from(Configuration& configuration) {
  plugins = load_plugins(plugins_of(configuration));
  apply_preset(configuration);
  configuration.read("run", experiment);
  configuration.read("run", run);
  configuration.read("network", network);
  for (const Role role : roles) {
    const std::string section = "network-" + role_name(role);
    if (!configuration.has_section(section)) continue;
    configuration.read(section, networks[role], "network");
  }
  configuration.choose("problem", "name", problem, "the problem (`echelon list problems`)");
  configuration.read("problem", tikhonov);
  configuration.choose("method", "name", method, "the method (`echelon list methods`)");
  consensus.read_from(configuration, *method, detail::roles_of(method));
  estimator = method->estimator;
  configuration.choose("estimator", "name", estimator, "how gradient noise is reduced");
  configuration.choose("steps", "rule", steps, "how step sizes adapt to the directions so far");
  configuration.read("participation", participation);
  configuration.choose("attack", "kind", attack, "what attacking agents send");
  configuration.read("metrics", metrics);
  configuration.read("comm", comm);
}

std::vector<PartAxis> part_axes(const GeneralOptions& general) {
  std::vector<PartAxis> axes{
      echelon::axis_of(problem_catalog(), "problem", "name"),
      echelon::axis_of(method_catalog(), "method", "name"),
      echelon::axis_of(estimator_catalog(), "estimator", "name"),
      echelon::axis_of(step_rule_catalog(), "steps", "rule"),
      echelon::axis_of(attack_catalog(), "attack", "kind"),
  };
  const MethodEntry& method = *general.method;
  const auto add = [&](const std::string& section, const std::vector<std::string>& chosen) {
    axes.push_back(echelon::axis_of(compressor_catalog(), section, "compressor"));
    axes.push_back(echelon::axis_of(aggregation_catalog(), section, "aggregation"));
    axes.push_back(echelon::axis_of(strategy_catalog(), section, "strategy", chosen));
  };
  std::vector<std::string> all;
  for (const Role role : roles) {
    const bool moved = general.consensus.moved.count(role) > 0;
    std::string name = general.consensus.entry(role).name;
    if (!moved && method.means_first && role != Role::auxiliary) {
      const bool exact = method.always_exact || general.consensus.all_reduced();
      name = text(exact ? "exact means" : "dynamic average consensus", ", since ", method.name,
                  " combines means");
    } else if (!moved) {
      name = text("no strategy for ", role_name(role), " with ", method.name);
    }
    const bool is_new = std::find(all.begin(), all.end(), name) == all.end();
    if (is_new && (moved || role != Role::auxiliary)) all.push_back(name);
    add("consensus-" + role_name(role), {name});
  }
  add("consensus", all);
  const auto add_network = [&](const TopologyOptions& network, const std::string& section) {
    for (PartAxis& axis : echelon::part_axes(network, section)) axes.push_back(std::move(axis));
  };
  axes.push_back(echelon::axis_of(policy_catalog(), "participation", "policy"));
  add_network(general.network, "network");
  for (const auto& [role, own] : general.networks) add_network(own, "network-" + role_name(role));
  return axes;
}

const std::vector<std::string>& configuration_sections() {
  static const std::vector<std::string> sections = {
      "run",           "network", "network-x", "network-y",   "network-auxiliary",
      "problem",       "method",  "consensus", "consensus-x", "consensus-y",
      "estimator",     "steps",   "metrics",   "comm",        "consensus-auxiliary",
      "participation", "attack",
  };
  return sections;
}

Experiment::Experiment(Communicator communicator, Configuration configuration,
                       const DataSource& data)
    : configuration_(std::move(configuration)) {
  communicator.together([&] {
    general_.read_from(configuration_);
    configuration_.require_all_read(part_axes(general_));
  });
  communicator.set_stall_seconds(general_.comm.stall_seconds);
  measure_machine(communicator);
  make_networks(std::move(communicator));
  network_->communicator().together([&] { compose(data); });
  const std::string first = network_->communicator().broadcast(configuration_.resolved(), 0);
  network_->communicator().require_on_all(
      first == configuration_.resolved(), ErrorKind::usage,
      "the ranks were given different configurations; give all of them what rank 0 has");
  const std::string plugins = network_->communicator().broadcast(plugins_text(), 0);
  network_->communicator().require_on_all(
      plugins == plugins_text(), ErrorKind::usage,
      text("run.plugin: files of the same name differ between ranks; give all machines those of "
           "rank 0, ",
           plugins));
}

std::string Experiment::plugins_text() const {
  std::string all;
  for (const Plugin& plugin : general_.plugins) {
    all += (all.empty() ? "plug-in " : ", plug-in ") + plugin.text();
  }
  return all;
}

/// Before this run takes anything. Nobody goes on before all have looked, so that ranks of one
/// machine see the same.
void Experiment::measure_machine(const Communicator& communicator) {
  machine_.free = free_memory_bytes();
  allocated_before_ = allocated_bytes();
  const std::string own = machine_id();
  machine_.ranks = 0;
  for (const std::string& machine : communicator.gather_all(own)) {
    machine_.ranks += machine == own ? 1 : 0;
  }
  machine_.rank = communicator.rank();
  const double allowed = general_.participation.memory;
  machine_.limit = allowed > 0 ? allowed * 1e9 : machine_.free / machine_.ranks;
}

void Experiment::make_networks(Communicator communicator) {
  SharedSchedule schedule;
  std::map<Role, SharedSchedule> own;
  communicator.together([&] {
    schedule = make_schedule(general_.network, configuration_.has("network.agents"));
    // A graph from a file brings its own number of agents; the resolved configuration names it.
    configuration_.set("network.agents", std::to_string(schedule->agents()), "the graph");
    configuration_.read("network", general_.network);
    for (auto& [role, options] : general_.networks) {
      const std::string section = "network-" + role_name(role);
      options.agents = schedule->agents();
      own[role] = make_schedule(options);
      require(own[role]->agents() == schedule->agents(), ErrorKind::usage, section, " has ",
              own[role]->agents(), " agents, network has ", schedule->agents(),
              "; all networks of a run have the same agents");
      configuration_.set(section + ".agents", std::to_string(schedule->agents()), "the graph");
      configuration_.read(section, options);
    }
  });
  const NetworkLayout layout{.owner = {}, .share_memory = general_.comm.share_memory};
  network_ = std::make_unique<Network>(std::move(communicator), std::move(schedule), layout);
  for (auto& [role, its_schedule] : own) {
    networks_[role] = std::make_unique<Network>(*network_, std::move(its_schedule));
  }
}

std::shared_ptr<Participation> Experiment::make_participation() const {
  const AgentId seats = network_->size();
  if (!general_.participation.is_on(seats)) return nullptr;
  const ConsensusOptions& consensus = general_.consensus;
  const bool asynchronous = general_.participation.is_asynchronous();
  RoundShape shape;
  if (!asynchronous) shape.local_steps = consensus.local_steps();
  shape.message_bytes = bytes_per_step_ * static_cast<double>(shape.local_steps);
  shape.rounds = (general_.run.iterations + shape.local_steps - 1) / shape.local_steps;
  Availability availability;
  ClientSpeeds speeds;
  if (!general_.participation.availability.empty()) {
    availability = read_availability(general_.participation.availability);
  }
  if (!general_.participation.speeds.empty()) {
    speeds = read_client_speeds(general_.participation.speeds);
  }
  ParticipationOptions options = general_.participation;
  options.memory = machine_.limit / 1e9;
  return std::make_shared<Participation>(options, seats, shape,
                                         static_cast<std::uint64_t>(general_.experiment.seed),
                                         std::move(availability), std::move(speeds));
}

std::unique_ptr<BilevelProblem> Experiment::make_problem(const DataSource& data) {
  const AgentSet& seats = network_->agents();
  const ProblemContext context{participation_ ? clients_of(*participation_, seats) : seats, data,
                               static_cast<std::uint64_t>(general_.experiment.seed),
                               method_entry().uses_products};
  auto problem = general_.problem->make(context, general_.problem.options());
  if (!participation_) return problem;
  // How long messages take on a slow link depends on the lengths of x and y.
  bytes_per_step_ =
      cost_of(general_).bytes(true, problem->upper_dimension(), problem->lower_dimension());
  participation_ = make_participation();
  return std::make_unique<ClientProblem>(seats, std::move(problem), participation_);
}

void Experiment::compose(const DataSource& data) {
  JudgedNetworks judged{network_->shared_schedule(), {}};
  for (const auto& [role, network] : networks_) judged.of_role[role] = network->shared_schedule();
  require_sound(judge(general_, judged));
  participation_ = make_participation();
  problem_ = make_problem(data);
  require_served(method_entry(), *problem_);
  problem_->regularize(general_.tikhonov);
  const bool personal = general_.consensus.personal();
  std::map<Role, Network*> networks;
  for (const auto& [role, network] : networks_) networks[role] = network.get();
  const auto seed = static_cast<std::uint64_t>(general_.experiment.seed);
  method_ = method_entry().make({.problem = *problem_,
                                 .network = *network_,
                                 .consensus = general_.consensus,
                                 .estimator = general_.estimator,
                                 .seed = seed,
                                 .networks = std::move(networks),
                                 .steps = general_.steps,
                                 .participation = participation_.get(),
                                 .attack = make_attack(general_.attack, network_->size(), seed)},
                                general_.method.options());
  evaluator_ = std::make_unique<Evaluator>(*problem_, *network_, general_.metrics, personal);
  runner_ = std::make_unique<Runner>(*method_, *problem_, *network_, *evaluator_, general_.run,
                                     general_.metrics, participation_.get());
}

std::int64_t Experiment::state_bytes() {
  SizeCounter counter;
  method_->visit_state(counter);
  return counter.bytes;
}

MemoryEstimate Experiment::memory() {
  SizeCounter counter;
  method_->visit_state(counter);
  MemoryEstimate estimate = machine_;
  const auto* data = problem_->facet<HeldData>();
  estimate.data = data == nullptr ? 0 : static_cast<double>(data->data_bytes());
  estimate.clients = static_cast<double>(counter.client_bytes);
  estimate.clients_in_file = static_cast<double>(counter.client_bytes_in_file);
  estimate.state = static_cast<double>(counter.bytes) - estimate.clients - estimate.clients_in_file;
  estimate.buffers = 0;
  estimate.buffers = std::max(0.0, allocated_bytes() - allocated_before_ - estimate.total());
  return estimate;
}

}  // namespace echelon

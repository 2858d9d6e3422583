#pragma once
/// A whole run, composed from a configuration.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/core/configuration.hpp"
#include "echelon/experiment/memory.hpp"
#include "echelon/io/plugin_file.hpp"
#include "echelon/method/method.hpp"
#include "echelon/participation/participation.hpp"
#include "echelon/problem/catalog.hpp"
#include "echelon/runtime/evaluator.hpp"
#include "echelon/runtime/runner.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {

/// Options of section `run` that are not the runner's.
struct ExperimentOptions {
  std::string preset;
  std::int64_t seed = 1;
  std::string plugin;
  std::string output;
  std::int64_t threads = 1;
  std::int64_t keep_checkpoints = 3;
  std::string progress = "auto";

  void visit(OptionVisitor& visitor);
};

/// Section `comm`.
struct CommOptions {
  double stall_seconds = 300;
  bool share_memory = true;

  void visit(OptionVisitor& visitor);
};

/// The options that every run has, whatever is composed.
struct GeneralOptions {
  std::vector<Plugin> plugins;  ///< in the order of `run.plugin`
  ExperimentOptions experiment;
  RunOptions run;
  MetricsOptions metrics;
  TopologyOptions network;
  std::map<Role, TopologyOptions> networks;  ///< of variables with a section of their own
  ConsensusOptions consensus;
  Chosen<EstimatorEntry> estimator{estimator_catalog(), "plain"};
  Chosen<StepRuleEntry> steps{step_rule_catalog(), "constant"};
  ParticipationOptions participation;
  Chosen<AttackEntry> attack{attack_catalog(), "none"};
  CommOptions comm;
  TikhonovOptions tikhonov;
  Chosen<ProblemEntry> problem{problem_catalog(), "quadratic"};
  Chosen<MethodEntry> method{method_catalog(), "f2sa"};

  /// Loads the plug-ins first, so that all that follows may name their parts.
  void read_from(Configuration& configuration);
};

/// Problem, method, network, evaluator and runner of one configuration. Construction is collective;
/// a usage or data error on any rank is thrown on all of them.
class Experiment {
 public:
  Experiment(Communicator communicator, Configuration configuration, const DataSource& data);

  const ExperimentOptions& options() const { return general_.experiment; }
  const RunOptions& run_options() const { return general_.run; }
  const MetricsOptions& metrics_options() const { return general_.metrics; }
  const Configuration& configuration() const { return configuration_; }
  const ProblemEntry& problem_entry() const { return *general_.problem; }
  const MethodEntry& method_entry() const { return *general_.method; }
  const ConsensusOptions& consensus() const { return general_.consensus; }
  const TopologyOptions& topology() const { return general_.network; }
  const GeneralOptions& general() const { return general_; }

  Network& network() { return *network_; }
  /// nullptr if all agents take part at every iteration.
  const Participation* participation() const { return participation_.get(); }
  /// Networks of variables that have one of their own.
  const std::map<Role, std::unique_ptr<Network>>& networks() const { return networks_; }
  BilevelProblem& problem() { return *problem_; }
  Method& method() { return *method_; }
  /// For loops other than the runner's: who takes part in iteration k. Before method().iterate(k).
  void begin_iteration(std::uint64_t k) {
    if (participation_) participation_->begin(k);
  }
  Evaluator& evaluator() { return *evaluator_; }
  Runner& runner() { return *runner_; }

  /// The part of the configuration that decides what is computed.
  std::string identity() const { return configuration_.resolved(false); }
  /// Names and digests of the plug-ins, in one line; empty if there are none.
  std::string plugins_text() const;
  /// Bytes of everything `visit_state` of the method visits on this rank.
  std::int64_t state_bytes();
  /// What this rank takes. Not collective.
  MemoryEstimate memory();
  /// The same rounds once more, from their beginning; nullptr if all agents take part at every
  /// iteration.
  std::shared_ptr<Participation> make_participation() const;

 private:
  void compose(const DataSource& data);
  void measure_machine(const Communicator& communicator);
  std::unique_ptr<BilevelProblem> make_problem(const DataSource& data);
  void make_networks(Communicator communicator);

  Configuration configuration_;
  GeneralOptions general_;
  MemoryEstimate machine_;  ///< limit, free, ranks and rank
  double allocated_before_ = 0;
  double bytes_per_step_ =
      0;  ///< of a participant's messages, one way; 0 before there is a problem
  std::unique_ptr<Network> network_;
  std::map<Role, std::unique_ptr<Network>> networks_;
  std::shared_ptr<Participation> participation_;
  std::unique_ptr<BilevelProblem> problem_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<Runner> runner_;
};

/// The choices between parts that `general` makes, for Configuration::require_all_read.
std::vector<PartAxis> part_axes(const GeneralOptions& general);

/// The value of `run.plugin`, which is read before anything else.
std::string plugins_of(Configuration configuration);

/// Sections that a configuration may have.
const std::vector<std::string>& configuration_sections();

}  // namespace echelon

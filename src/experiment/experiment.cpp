#include "echelon/experiment/experiment.hpp"

#include <utility>

#include "echelon/core/catalog.hpp"
#include "echelon/io/edge_list.hpp"

namespace echelon {

namespace {

/// The options that name an entry of a catalog.
struct NameOption {
  std::string name;
  std::string help;

  void visit(OptionVisitor& visitor) { visitor("name", name, help); }
};

struct CommOptions {
  double stall_seconds = 300;

  void visit(OptionVisitor& visitor) {
    visitor.operational(true);
    visitor("stall_seconds", stall_seconds, at_least(0),
            "give up on a silent peer after this long (exit code 76); 0 = wait for ever");
    visitor.operational(false);
  }
};

class SizeCounter final : public StateVisitor {
 public:
  std::int64_t bytes = 0;

 private:
  void visit(const std::string&, AgentMatrix& block) override {
    bytes += static_cast<std::int64_t>(sizeof(double)) * block.outerStride() * block.cols();
  }
  void visit(const std::string&, double&) override {}
  void visit(const std::string&, std::int64_t&) override {}
  void visit(const std::string&, Eigen::MatrixXd&) override {}
};

}  // namespace

void ExperimentOptions::visit(OptionVisitor& visitor) {
  visitor("seed", seed, at_least(0), "of all random draws");
  visitor.operational(true);
  visitor("output", output, "the run directory; empty: results/<name of the configuration>");
  visitor("threads", threads, between(1, 1024), "threads per rank, over agents");
  visitor("keep_checkpoints", keep_checkpoints, at_least(1), "how many checkpoints are kept");
  visitor.choice("progress", progress, {"auto", "bar", "lines", "none"}, "how progress is shown");
  visitor.operational(false);
}

const std::vector<std::string>& configuration_sections() {
  static const std::vector<std::string> sections = {"run",       "network",   "problem", "method",
                                                    "consensus", "estimator", "metrics", "comm"};
  return sections;
}

Experiment::Experiment(Communicator communicator, Configuration configuration,
                       const DataSource& data)
    : configuration_(std::move(configuration)) {
  CommOptions comm;
  std::unique_ptr<MixingMatrix> matrix;
  communicator.together([&] {
    read_general();
    configuration_.read("comm", comm);
    matrix = std::make_unique<MixingMatrix>(
        read_or_make(topology_, configuration_.has("network.agents")));
    topology_.agents = matrix->agents();
  });
  communicator.set_stall_seconds(comm.stall_seconds);
  network_ = std::make_unique<Network>(std::move(communicator), std::move(*matrix));
  network_->communicator().together([&] { compose(data); });
}

void Experiment::read_general() {
  configuration_.read("run", options_);
  configuration_.read("run", run_options_);
  configuration_.read("network", topology_);
  NameOption problem{"quadratic", "the problem (`echelon list problems`)"};
  NameOption method{"f2sa", "the method (`echelon list methods`)"};
  configuration_.read("problem", problem);
  configuration_.read("method", method);
  configuration_.read("consensus", consensus_);
  configuration_.read("estimator", estimator_);
  configuration_.read("metrics", metrics_options_);
  problem_entry_ = &find_entry(problem_catalog(), problem.name, "problem");
  method_entry_ = &find_entry(method_catalog(), method.name, "method");
}

void Experiment::compose(const DataSource& data) {
  const ProblemContext context{network_->agents(), data, static_cast<std::uint64_t>(options_.seed),
                               method_entry_->uses_products};
  problem_ = problem_entry_->make(context, configuration_);
  const bool personal = consensus_.personal();
  method_ = method_entry_->make({*problem_, *network_, consensus_, estimator_}, configuration_);
  configuration_.require_all_read();
  evaluator_ = std::make_unique<Evaluator>(*problem_, *network_, metrics_options_, personal);
  runner_ = std::make_unique<Runner>(*method_, *problem_, *network_, *evaluator_, run_options_,
                                     metrics_options_);
}

std::int64_t Experiment::state_bytes() {
  SizeCounter counter;
  method_->visit_state(counter);
  return counter.bytes;
}

}  // namespace echelon

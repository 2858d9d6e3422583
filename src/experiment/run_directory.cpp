#include "echelon/experiment/run_directory.hpp"

#include <Eigen/Core>
#include <fstream>

#include "echelon/core/error.hpp"
#include "echelon/io/folder_lock.hpp"
#include "echelon/io/result_file.hpp"
#include "echelon/io/run_status.hpp"
#include "echelon/problem/partition.hpp"

namespace echelon {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t seconds_column = 1;

std::vector<std::string> names_of(const std::vector<Column>& columns) {
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  return names;
}

/// On rank 0.
void note(Experiment& experiment, const fs::path& folder, RunState state,
          const std::string& detail) {
  const Communicator& communicator = experiment.network().communicator();
  if (communicator.rank() != 0) return;
  write_note(folder, {.state = state,
                      .iteration = experiment.runner().iteration(),
                      .iterations = experiment.run_options().iterations,
                      .ranks = communicator.size(),
                      .detail = detail});
}

/// Another plug-in may change bits, as another build may.
std::string build_of(const Experiment& experiment) {
  const std::string plugins = experiment.plugins_text();
  return build_description() + (plugins.empty() ? "" : ", " + plugins);
}

/// A comment of a configuration; nothing without plug-ins.
std::string plugins_line(const Experiment& experiment) {
  const std::string plugins = experiment.plugins_text();
  return plugins.empty() ? "" : "\n# " + plugins + "\n";
}

}  // namespace

RunDirectory::RunDirectory(Experiment& experiment, fs::path folder)
    : experiment_(experiment),
      folder_(std::move(folder)),
      store_(experiment.network().communicator(), experiment.network().agents(),
             folder_ / run_files::checkpoints,
             static_cast<int>(experiment.options().keep_checkpoints),
             {experiment.identity(), build_of(experiment)}) {}

RunDirectory::~RunDirectory() = default;

void RunDirectory::write_config(const Experiment& experiment, const fs::path& folder) {
  const fs::path path = folder / run_files::config;
  fs::path temporary = path;
  temporary += ".tmp";
  std::ofstream file(temporary);
  file << "# Resolved configuration; `echelon run` with this file computes the same results.\n"
       << experiment.configuration().resolved() << plugins_line(experiment);
  file.close();
  std::error_code problem;
  if (file.good()) fs::rename(temporary, path, problem);
  require(file.good() && !problem, ErrorKind::cannot_create, path.string(), ": cannot be written");
}

void RunDirectory::write_partition(Experiment& experiment, const fs::path& folder) {
  const auto* samples = experiment.problem().facet<PartitionedSamples>();
  if (samples == nullptr) return;
  const fs::path path = folder / run_files::partition;
  std::ofstream file(path);
  file << samples->partition_report().csv() << std::flush;
  require(file.good(), ErrorKind::input_output, path.string(), ": cannot be written");
}

std::unique_ptr<RunDirectory> RunDirectory::create(Experiment& experiment, const fs::path& folder) {
  const Communicator& communicator = experiment.network().communicator();
  std::unique_ptr<FolderLock> lock;
  communicator.together([&] {
    if (communicator.rank() != 0) return;
    require_new_run(run_status(folder, Examine::manifests));
    std::error_code problem;
    fs::create_directories(folder, problem);
    require(!problem, ErrorKind::cannot_create, folder.string(), ": cannot be made (",
            problem.message(), "); name a folder that can be written with --run.output");
    lock = std::make_unique<FolderLock>(folder);
    require(!fs::exists(folder / run_files::config), ErrorKind::cannot_create, folder.string(),
            ": another process has just begun a run here; name another folder with --run.output");
    write_config(experiment, folder);
    write_partition(experiment, folder);
    const fs::path checkpoints = folder / run_files::checkpoints;
    fs::create_directory(checkpoints, problem);
    require(!problem, ErrorKind::cannot_create, checkpoints.string(), ": cannot be made (",
            problem.message(), ")");
  });
  std::unique_ptr<RunDirectory> directory(new RunDirectory(experiment, folder));
  directory->lock_ = std::move(lock);
  communicator.together([&] { note(experiment, folder, RunState::running, ""); });
  directory->start_metrics();
  return directory;
}

std::unique_ptr<RunDirectory> RunDirectory::open(Experiment& experiment, const fs::path& folder,
                                                 std::vector<std::string>& remarks) {
  const Communicator& communicator = experiment.network().communicator();
  std::unique_ptr<RunDirectory> directory(new RunDirectory(experiment, folder));
  communicator.together([&] {
    if (communicator.rank() == 0) directory->lock_ = std::make_unique<FolderLock>(folder);
  });
  Runner& runner = experiment.runner();
  const auto loaded =
      directory->store_.load_newest([&](StateVisitor& visitor) { runner.visit_state(visitor); });
  communicator.require_on_all(
      loaded.has_value(), ErrorKind::missing_input,
      text((folder / run_files::checkpoints).string(), ": there is no checkpoint to resume from"));
  remarks = loaded->remarks;
  runner.set_elapsed(loaded->seconds);
  const auto done = static_cast<std::int64_t>(runner.iteration());
  communicator.together([&] {
    require(done <= experiment.run_options().iterations, ErrorKind::usage, folder.string(), ": ",
            done, " iterations are made already, more than run.iterations = ",
            experiment.run_options().iterations, "; name a larger total with --run.iterations");
    // The limits of this invocation hold for the next one too.
    if (communicator.rank() == 0) write_config(experiment, folder);
    note(experiment, folder, RunState::running, "");
  });
  directory->start_metrics();
  return directory;
}

void RunDirectory::start_metrics() {
  const Communicator& communicator = experiment_.network().communicator();
  communicator.together([&] {
    if (communicator.rank() != 0) return;
    const Runner& runner = experiment_.runner();
    metrics_ = std::make_unique<MetricsCsv>(folder_ / run_files::metrics,
                                            names_of(runner.columns()), runner.table());
  });
}

void RunDirectory::append(const std::vector<double>& row) {
  experiment_.network().communicator().together([&] {
    if (metrics_) metrics_->append(row);
  });
}

void RunDirectory::save(std::uint64_t iteration, double seconds) {
  store_.save(iteration, seconds,
              [&](StateVisitor& visitor) { experiment_.runner().visit_state(visitor); });
}

void RunDirectory::write_result(const Outcome& outcome,
                                const std::vector<Evaluator::BaselineFigures>& baselines) {
  Network& network = experiment_.network();
  Method& method = experiment_.method();
  const AgentView& x = method.x();
  const AgentView& y = method.y();
  ResultContent content;
  content.configuration = experiment_.identity() + plugins_line(experiment_);
  content.problem = experiment_.problem_entry().name;
  content.method = experiment_.method_entry().name;
  content.iterations = static_cast<std::int64_t>(outcome.iteration);
  content.status = status_text(outcome.status);
  content.iterates = {{"x", &x, "upper variable, one row per agent"},
                      {"y", &y, "lower variable, one row per agent"}};
  content.means = {{"x", network.mean_for_report(x), "network mean of x"},
                   {"y", network.mean_for_report(y), "network mean of y"}};
  const auto& columns = experiment_.runner().columns();
  const Eigen::MatrixXd& table = experiment_.runner().table();
  content.metrics.resize(table.rows(), table.cols() - 1);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (c == seconds_column)
      continue;  // wall time is in metrics.csv; results are the same bits on any machine load
    content.metrics.col(static_cast<Index>(content.column_names.size())) =
        table.col(static_cast<Index>(c));
    content.column_names.push_back(columns[c].name);
    content.column_units.push_back(columns[c].unit);
    content.column_descriptions.push_back(columns[c].description);
  }
  const auto matrix = network.schedule().at(0);
  for (AgentId receiver = 0; receiver < matrix->agents(); ++receiver) {
    for (const auto& entry : matrix->row(receiver))
      content.edges.emplace_back(receiver, entry.sender, entry.weight);
  }
  content.baseline_columns = experiment_.evaluator().metric_names();
  for (const auto& baseline : baselines) {
    content.baselines.push_back({baseline.info.name, baseline.info.description, baseline.values});
  }
  echelon::write_result(network.communicator(), network.agents(), folder_ / run_files::result,
                        content);
}

bool has_result(Status status) {
  return status != Status::diverged && status != Status::interrupted;
}

void RunDirectory::finish(const Outcome& outcome,
                          const std::vector<Evaluator::BaselineFigures>& baselines) {
  if (has_result(outcome.status)) write_result(outcome, baselines);
  RunState state = RunState::done;
  if (outcome.status == Status::diverged) state = RunState::diverged;
  if (outcome.status == Status::interrupted) state = RunState::interrupted;
  const std::string detail =
      state == RunState::diverged ? outcome.detail : status_text(outcome.status);
  experiment_.network().communicator().together([&] { note(experiment_, folder_, state, detail); });
}

void RunDirectory::write_trace(const std::string& json) const {
  fs::path path = folder_ / "trace.json";
  for (int number = 2; fs::exists(path); ++number) path = folder_ / text("trace-", number, ".json");
  std::ofstream file(path);
  file << json << std::flush;
  require(file.good(), ErrorKind::input_output, path.string(), ": cannot be written");
}

std::string build_description() {
  std::string target = "generic";
#if defined(__AVX512F__)
  target = "avx512";
#elif defined(__AVX2__)
  target = "avx2";
#elif defined(__AVX__)
  target = "avx";
#endif
#if defined(__FMA__)
  target += "+fma";
#endif
  return text(target, ", Eigen ", EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".",
              EIGEN_MINOR_VERSION, ", compiler ", __VERSION__);
}

}  // namespace echelon

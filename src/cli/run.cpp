#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "commands.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/experiment/experiment.hpp"
#include "echelon/experiment/run_directory.hpp"
#include "echelon/io/file_data_source.hpp"
#include "echelon/io/run_status.hpp"
#include "head.hpp"
#include "plan.hpp"
#include "progress.hpp"
#include "run_folder.hpp"

namespace echelon::cli {

namespace {

namespace fs = std::filesystem;

std::string figure_text(double value) {
  if (std::isnan(value)) return "-";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.4f", value);
  return buffer;
}

/// The baselines' figures and those of this run, a column for each of the problem's figures. Every
/// column is as wide as what stands in it.
void print_comparison(const std::vector<std::string>& names,
                      const std::vector<Evaluator::BaselineFigures>& baselines,
                      const std::string& own_label, const std::vector<double>& own) {
  std::vector<std::pair<std::string, std::vector<double>>> rows;
  for (const auto& baseline : baselines) {
    rows.emplace_back(
        "baseline: " + baseline.info.name + (baseline.converged ? "" : " (not converged)"),
        baseline.values);
  }
  rows.emplace_back(own_label, own);
  std::size_t label_width = 34;
  for (const auto& row : rows) label_width = std::max(label_width, row.first.size());
  std::printf("\n%*s", static_cast<int>(label_width), "");
  std::vector<int> widths;
  for (std::size_t c = 0; c < names.size(); ++c) {
    std::size_t width = std::max<std::size_t>(14, names[c].size());
    for (const auto& row : rows) width = std::max(width, figure_text(row.second[c]).size());
    widths.push_back(static_cast<int>(width));
    std::printf("  %*s", widths[c], names[c].c_str());
  }
  std::printf("\n");
  for (const auto& [label, values] : rows) {
    std::printf("%-*s", static_cast<int>(label_width), label.c_str());
    for (std::size_t c = 0; c < names.size(); ++c)
      std::printf("  %*s", widths[c], figure_text(values[c]).c_str());
    std::printf("\n");
  }
}

void print_figures(Experiment& experiment,
                   const std::vector<Evaluator::BaselineFigures>& baselines) {
  const auto names = experiment.evaluator().metric_names();
  const auto& columns = experiment.runner().columns();
  const Eigen::MatrixXd& table = experiment.runner().table();
  if (table.rows() == 0) return;
  const auto last = table.row(table.rows() - 1);
  if (!names.empty()) {
    std::vector<double> own;
    for (std::size_t c = columns.size() - names.size(); c < columns.size(); ++c)
      own.push_back(last(static_cast<Index>(c)));
    print_comparison(names, baselines, "this run: " + experiment.method_entry().name, own);
  }
  std::printf("\n");
  for (std::size_t c = 2; columns[c].name != "gradient_calls"; ++c) {
    const double value = last(static_cast<Index>(c));
    if (!std::isnan(value)) std::printf("%-22s %.6g\n", columns[c].name.c_str(), value);
  }
}

/// Says where a strategy's known bias shows.
void print_bias_note(Experiment& experiment) {
  const auto& consensus = experiment.consensus();
  const auto& columns = experiment.runner().columns();
  const Eigen::MatrixXd& table = experiment.runner().table();
  if (table.rows() == 0 || experiment.network().size() == 1) return;
  if (experiment.method_entry().means_first) return;
  for (const Role role : {Role::upper, Role::lower}) {
    const std::string name = role_name(role);
    if (consensus.traits(role).exact_on_heterogeneous) continue;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].name != "consensus_error_" + name) continue;
      std::printf(
          "note: %s of %s keeps a bias in proportion to step x heterogeneity: agents still differ, "
          "consensus_error_%s = %.3g; "
          "gradient tracking (gt-atc) has no such bias\n",
          consensus.entry(role).name.c_str(), name.c_str(), name.c_str(),
          table(table.rows() - 1, static_cast<Index>(c)));
    }
  }
}

void print_traffic(Experiment& experiment, std::int64_t rank_bytes) {
  const Runner& runner = experiment.runner();
  const double agents = experiment.network().size();
  std::printf("%-22s %s between agents (%s by each), %s between ranks in this invocation\n",
              "traffic", scaled_text(static_cast<double>(runner.bytes_sent()), "B").c_str(),
              scaled_text(static_cast<double>(runner.bytes_sent()) / agents, "B").c_str(),
              scaled_text(static_cast<double>(rank_bytes), "B").c_str());
  std::printf("%-22s %s gradients (%s by each agent), %s exact second-order products, %s values\n",
              "oracle calls",
              scaled_text(static_cast<double>(runner.calls().gradients), "").c_str(),
              scaled_text(static_cast<double>(runner.calls().gradients) / agents, "").c_str(),
              scaled_text(static_cast<double>(runner.calls().products), "").c_str(),
              scaled_text(static_cast<double>(runner.calls().values), "").c_str());
}

int exit_code(Status status) {
  if (status == Status::interrupted) return exit_interrupted;
  return status == Status::diverged ? exit_diverged : exit_done;
}

int execute(Experiment& experiment, RunDirectory& directory, Requests& requests,
            const std::string& program, bool is_new) {
  const Communicator& communicator = experiment.network().communicator();
  const bool speaks = communicator.rank() == 0;
  std::vector<Evaluator::BaselineFigures> baselines;
  if (experiment.metrics_options().baselines) {
    if (speaks) std::printf("solving the baselines ...\n");
    std::fflush(stdout);
    baselines = experiment.evaluator().baselines();
  }
  if (speaks && is_new) std::printf("run directory: %s\n", directory.folder().c_str());
  Progress progress(
      speaks ? Progress::mode_from(experiment.options().progress) : Progress::Mode::none,
      experiment.runner().iteration(),
      static_cast<std::uint64_t>(experiment.run_options().iterations),
      experiment.runner().columns());
  const RunHooks hooks{
      .report =
          [&](const std::vector<double>& row) {
            directory.append(row);
            progress.report(row);
          },
      .progress = [&](std::uint64_t iteration) { progress.advance(iteration); },
      .checkpoint = [&](std::uint64_t iteration,
                        double seconds) { directory.save(iteration, seconds); },
      .trace = [&](const std::string& json) { directory.write_trace(json); },
  };
  const Outcome outcome = experiment.runner().run(hooks, requests);
  progress.finish(outcome.iteration);
  directory.finish(outcome, baselines);
  std::int64_t rank_bytes = experiment.network().traffic().rank_bytes;
  communicator.sum({&rank_bytes, 1}, "the counts at the end");
  if (speaks) {
    if (outcome.status == Status::diverged) {
      std::fprintf(stderr, "echelon: diverged: %s\n", outcome.detail.c_str());
    } else {
      print_figures(experiment, baselines);
      print_traffic(experiment, rank_bytes);
      print_bias_note(experiment);
    }
    const std::string folder = directory.folder().string();
    std::printf("\n%s after %llu iterations, %.3g s\n", status_text(outcome.status).c_str(),
                static_cast<unsigned long long>(outcome.iteration), experiment.runner().elapsed());
    if (outcome.status == Status::interrupted) {
      std::printf("continue with: %s resume %s\n", program.c_str(), folder.c_str());
    } else if (has_result(outcome.status)) {
      std::printf("results: %s/result.h5\nlook inside: %s inspect %s\n", folder.c_str(),
                  program.c_str(), folder.c_str());
    }
    std::fflush(stdout);
  }
  communicator.barrier(
      "all ranks to finish");  // mpirun ends everybody as soon as one leaves with a code
  return exit_code(outcome.status);
}

std::unique_ptr<Experiment> compose(const std::string& ini, const Arguments& arguments,
                                    const std::string& output) {
  Communicator communicator(MPI_COMM_WORLD);
  Configuration configuration;
  communicator.together([&] {
    if (communicator.rank() != 0) return;  // launchers do not hand the environment to every host
    read_ini(ini, configuration);
    read_environment(configuration);
    if (!output.empty()) configuration.set("run.output", output, "command line");
    read_options(arguments, configuration);
  });
  configuration = Configuration::unpacked(communicator.broadcast(configuration.packed(), 0));
  auto experiment = std::make_unique<Experiment>(std::move(communicator), std::move(configuration),
                                                 FileDataSource());
  set_thread_count(static_cast<int>(experiment->options().threads));
  return experiment;
}

/// Collective. Throws if a rank would take more memory than it may.
MemoryEstimate memory_of(Experiment& experiment) {
  const Communicator& communicator = experiment.network().communicator();
  const MemoryEstimate memory = tightest(communicator, experiment.memory());
  communicator.together([&] { require_fits(memory); });
  return memory;
}

const std::string& only_word(const Arguments& arguments, const char* what) {
  require(arguments.words.size() == 1, ErrorKind::usage, "`echelon ", arguments.command,
          "` takes one ", what, ", not ", arguments.words.size(), "; see `echelon ",
          arguments.command, " --help`");
  return arguments.words.front();
}

}  // namespace

int run(const Arguments& arguments, Requests& requests) {
  Communicator(MPI_COMM_WORLD).together([&] { only_word(arguments, "configuration file"); });
  const std::string& ini = arguments.words.front();
  const auto experiment = compose(ini, arguments, "");
  const fs::path folder = run_folder(experiment->options(), ini);
  const MemoryEstimate memory = memory_of(*experiment);
  const bool speaks = experiment->network().communicator().rank() == 0;
  if (arguments.has_switch("dry-run")) {
    if (speaks) print_plan(*experiment, memory, folder);
    return exit_done;
  }
  const auto directory = RunDirectory::create(*experiment, folder);
  if (speaks) {
    print_head(*experiment, memory);
    warn_if_crowded(experiment->network().communicator());
  }
  return execute(*experiment, *directory, requests, arguments.program, true);
}

int resume(const Arguments& arguments, Requests& requests) {
  const Communicator ranks(MPI_COMM_WORLD);
  ranks.together([&] {
    only_word(arguments, "run directory");
    if (ranks.rank() == 0)
      require_resumable(run_status(arguments.words.front(), Examine::manifests));
  });
  const fs::path folder = arguments.words.front();
  const auto experiment =
      compose((folder / run_files::config).string(), arguments, folder.string());
  experiment->network().communicator().together([&] {
    require(fs::path(experiment->options().output) == folder, ErrorKind::usage,
            "run.output: a run is resumed where it is, in ", folder.string(),
            "; leave the option out");
  });
  const MemoryEstimate memory = memory_of(*experiment);
  std::vector<std::string> remarks;
  const auto directory = RunDirectory::open(*experiment, folder, remarks);
  if (experiment->network().communicator().rank() == 0) {
    for (const auto& remark : remarks) std::printf("note: %s\n", remark.c_str());
    print_head(*experiment, memory);
    warn_if_crowded(experiment->network().communicator());
    std::printf("resuming at iteration %llu\n",
                static_cast<unsigned long long>(experiment->runner().iteration()));
  }
  return execute(*experiment, *directory, requests, arguments.program, false);
}

}  // namespace echelon::cli

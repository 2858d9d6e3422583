#pragma once
/// Writes the files of a run: config.ini, status.txt, partition.csv, metrics.csv, checkpoints/,
/// result.h5. What they say about a run is decided in io/run_status.hpp.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "echelon/experiment/experiment.hpp"
#include "echelon/io/checkpoint.hpp"
#include "echelon/io/metrics_csv.hpp"

namespace echelon {

class FolderLock;

/// Every function is collective; rank 0 writes what is not per rank.
class RunDirectory {
 public:
  /// Makes the folder and writes config.ini. Throws cannot_create if it holds a run already or
  /// cannot be made.
  static std::unique_ptr<RunDirectory> create(Experiment& experiment,
                                              const std::filesystem::path& folder);
  /// Loads the newest checkpoint that verifies into the experiment. Throws missing_input if there
  /// is none.
  static std::unique_ptr<RunDirectory> open(Experiment& experiment,
                                            const std::filesystem::path& folder,
                                            std::vector<std::string>& remarks);

  ~RunDirectory();

  const std::filesystem::path& folder() const { return folder_; }
  void append(const std::vector<double>& row);
  void save(std::uint64_t iteration, double seconds);
  void write_result(const Outcome& outcome,
                    const std::vector<Evaluator::BaselineFigures>& baselines);
  /// Writes the result, if the run has one, and notes how the run ended.
  void finish(const Outcome& outcome, const std::vector<Evaluator::BaselineFigures>& baselines);
  /// On one rank: trace.json, or trace-2.json and so on if there is one.
  void write_trace(const std::string& json) const;

 private:
  RunDirectory(Experiment& experiment, std::filesystem::path folder);
  void start_metrics();
  static void write_config(const Experiment& experiment, const std::filesystem::path& folder);
  static void write_partition(Experiment& experiment, const std::filesystem::path& folder);

  Experiment& experiment_;
  std::filesystem::path folder_;
  CheckpointStore store_;
  std::unique_ptr<FolderLock> lock_;  // rank 0 only, as is the next
  std::unique_ptr<MetricsCsv> metrics_;
};

/// Whether a run that ended so has a result.
bool has_result(Status status);

/// What the binary is built with: instruction set, precision-relevant library versions.
std::string build_description();

}  // namespace echelon

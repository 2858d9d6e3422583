#pragma once
/// The files of a run: config.ini, metrics.csv, checkpoints/, result.h5.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "echelon/experiment/experiment.hpp"
#include "echelon/io/checkpoint.hpp"
#include "echelon/io/metrics_csv.hpp"

namespace echelon {

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

  const std::filesystem::path& folder() const { return folder_; }
  void append(const std::vector<double>& row);
  void save(std::uint64_t iteration, double seconds);
  void write_result(const Outcome& outcome,
                    const std::vector<Evaluator::BaselineFigures>& baselines);

 private:
  RunDirectory(Experiment& experiment, std::filesystem::path folder);
  void start_metrics();

  Experiment& experiment_;
  std::filesystem::path folder_;
  CheckpointStore store_;
  std::unique_ptr<MetricsCsv> metrics_;  // rank 0 only
};

/// What the binary is built with: instruction set, precision-relevant library versions.
std::string build_description();

}  // namespace echelon

#pragma once
/// The files of a run: config.ini, partition.csv, metrics.csv, checkpoints/, result.h5.

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "echelon/experiment/experiment.hpp"
#include "echelon/io/checkpoint.hpp"
#include "echelon/io/metrics_csv.hpp"

namespace echelon {

/// Keeps other processes out of a folder for as long as it lives.
class FolderLock {
 public:
  FolderLock() = default;
  /// Throws cannot_create if another process holds it, or the folder cannot be written.
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~FolderLock();

 private:
  int file_ = -1;
};

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
  FolderLock lock_;  // rank 0 only, as is the next
  std::unique_ptr<MetricsCsv> metrics_;
};

/// What the binary is built with: instruction set, precision-relevant library versions.
std::string build_description();

}  // namespace echelon

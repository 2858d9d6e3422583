#pragma once
/// A grid of runs: every combination of some values, each in a run directory of its own.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"

namespace echelon::cli {

using Settings = std::vector<std::pair<std::string, std::string>>;  ///< section.key and value

/// One run of a sweep.
struct Combination {
  Settings settings;  ///< the varied keys; run.seed last, if there are several seeds
  std::string name;   ///< of its run directory, below that of the sweep
};

/// What a sweep runs. Stored as sweep.txt and sweep.ini in its folder.
struct Sweep {
  std::filesystem::path folder;
  std::string base;  ///< content of the configuration file
  std::vector<std::pair<std::string, std::vector<std::string>>> varied;
  std::int64_t first_seed = 1;
  std::int64_t seeds = 0;  ///< 0: the configuration's own
  Settings options;        ///< the same for all runs

  /// In the order of the options, the last varied fastest; seeds fastest of all.
  std::vector<Combination> combinations() const;
  /// Throws cannot_create if the folder holds runs of another configuration.
  void store() const;
  static Sweep stored(const std::filesystem::path& folder);
};

/// From the command line; checks what can be checked before a run. Throws usage errors.
Sweep parse_sweep(const Arguments& arguments);

/// How a run of a sweep stands: what its folder says, and the exit code where there is none.
struct RunOutcome {
  enum class Kind { waiting, unfinished, done, diverged, failed } kind = Kind::waiting;
  int code = 0;  ///< of its last process; 0 if there was none

  std::string text() const;
};
RunOutcome outcome_of(const std::filesystem::path& folder, const Combination& run);
/// Where the exit code and the output of a run's processes go.
std::filesystem::path status_file(const std::filesystem::path& folder, const Combination& run);
std::filesystem::path log_file(const std::filesystem::path& folder, const Combination& run);

/// Runs the given combinations, `jobs` at once; returns 75 if it was told to leave, otherwise 0.
int run_all(const Sweep& sweep, const std::vector<Combination>& runs, int jobs,
            const std::string& launcher);

/// Writes sweep.csv, prints the same for people, and returns the exit code: 0 if all are done, 75
/// if some are not finished, or else that of the first that failed.
int write_table(const Sweep& sweep);

}  // namespace echelon::cli

#pragma once
/// What a folder is, seen as a run directory. This file alone decides it: `echelon run`, `resume`,
/// `sweep`, `inspect`, `status` and the launch scripts ask here. Serial; nothing is changed.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace echelon {

/// Names of the files of a run, in its folder.
namespace run_files {
inline constexpr const char* config = "config.ini";
inline constexpr const char* note = "status.txt";
inline constexpr const char* metrics = "metrics.csv";
inline constexpr const char* partition = "partition.csv";
inline constexpr const char* result = "result.h5";
inline constexpr const char* checkpoints = "checkpoints";
inline constexpr const char* lock = ".lock";
}  // namespace run_files

enum class RunState {
  absent,       ///< there is no such folder
  empty,        ///< a folder without files
  not_a_run,    ///< it holds something else
  started,      ///< a run began and left no checkpoint
  interrupted,  ///< a run can be resumed from a checkpoint
  running,      ///< a process is at work
  done,         ///< a run ended and left its result
  diverged,     ///< a run ended because it diverged
  damaged       ///< a run that cannot be resumed: no checkpoint verifies, or config.ini is missing
};

/// The word for files and scripts, such as "not-a-run".
std::string state_name(RunState state);

/// status.txt: what the newest process of a run noted when it began and when it ended. Whole or
/// absent.
struct RunNote {
  RunState state = RunState::running;  ///< running, interrupted, done or diverged
  std::uint64_t iteration = 0;         ///< reached
  std::int64_t iterations = 0;         ///< wanted in total
  int ranks = 0;                       ///< of this process
  std::string detail;                  ///< one line, such as "time is up"; may be empty
};

/// Throws cannot_create or input_output.
void write_note(const std::filesystem::path& folder, const RunNote& note);
/// Nothing if there is none, or none that can be understood.
std::optional<RunNote> read_note(const std::filesystem::path& folder);

/// How a program that keeps a run going goes on.
enum class NextStep {
  run,        ///< nothing is in the way of `echelon run`
  run_again,  ///< move the folder away, then `echelon run`
  resume,     ///< `echelon resume`
  wait,       ///< until the process that is at work has ended
  nothing     ///< the run has ended, or a person has to repair it
};

struct RunStatus {
  std::filesystem::path folder;
  RunState state = RunState::absent;
  std::string reason;                       ///< one line, without the folder's name
  std::optional<std::uint64_t> checkpoint;  ///< iteration of the newest checkpoint that verifies
  std::optional<std::int64_t> iterations;   ///< wanted in total
  std::optional<int> ranks;                 ///< of the newest process, or that wrote `checkpoint`
  std::filesystem::path result;             ///< empty if there is none
  std::vector<std::string> damage;          ///< newer checkpoints that do not verify, and why
  NextStep next = NextStep::run;

  /// `echelon run` refuses to write into the folder.
  bool holds_run() const;
  /// Words after `echelon` that go on, such as {"resume", FOLDER}; empty if there are none.
  std::vector<std::string> command() const;
};

std::string next_name(NextStep next);

/// How far checkpoints are examined: manifests alone, or digests of all bytes as well.
enum class Examine { manifests, all_bytes };

/// Does not throw for what is wrong with a folder: that is what it says. While a process is at
/// work, manifests alone are read.
RunStatus run_status(const std::filesystem::path& folder, Examine examine);

/// Throws cannot_create, with the state in words, if `echelon run` may not write into the folder.
void require_new_run(const RunStatus& status);
/// Throws missing_input or cannot_create, with the state in words, if there is nothing to resume.
void require_resumable(const RunStatus& status);

}  // namespace echelon

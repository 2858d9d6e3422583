#include "echelon/io/run_status.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>
#include <system_error>

#include "durable_file.hpp"
#include "echelon/core/error.hpp"
#include "echelon/io/folder_lock.hpp"
#include "manifest.hpp"

namespace echelon {

using namespace detail;

namespace {

namespace fs = std::filesystem;

constexpr const char* note_title = "echelon run 1";
constexpr std::uint64_t longest_note = 1 << 20;
constexpr const char* holding_files[] = {run_files::config,      run_files::note,
                                         run_files::metrics,     run_files::result,
                                         run_files::checkpoints, run_files::partition};
constexpr RunState all_states[] = {RunState::absent,  RunState::empty,       RunState::not_a_run,
                                   RunState::started, RunState::interrupted, RunState::running,
                                   RunState::done,    RunState::diverged,    RunState::damaged};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool holds_files_of_a_run(const fs::path& folder) {
  return std::any_of(std::begin(holding_files), std::end(holding_files),
                     [&](const char* name) { return is_there(folder / name); });
}

/// Apart from what a run leaves that ended before its first file was complete.
bool holds_other_files(const fs::path& folder) {
  std::error_code code;
  fs::directory_iterator entry(folder, code);
  for (; !code && entry != fs::directory_iterator(); entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    const bool left_over =
        name == run_files::lock ||
        std::any_of(std::begin(holding_files), std::end(holding_files),
                    [&](const char* file) { return name == std::string(file) + ".tmp"; });
    if (!left_over) return true;
  }
  return static_cast<bool>(code);  // a folder that cannot be listed is not known to be empty
}

std::vector<CheckpointFolder> committed_checkpoints(const fs::path& folder, RunStatus& status) {
  try {
    auto found = list_checkpoints(folder);
    std::erase_if(found, [](const CheckpointFolder& one) { return !one.committed; });
    return found;
  } catch (const std::exception& error) {
    status.damage.emplace_back(error.what());
    return {};
  }
}

/// Finds the newest checkpoint that verifies.
void find_checkpoint(RunStatus& status, Examine examine) {
  const fs::path folder = status.folder / run_files::checkpoints;
  for (const CheckpointFolder& found : committed_checkpoints(folder, status)) {
    const fs::path here = iteration_folder(folder, found.iteration);
    std::string damage;
    try {
      const Manifest manifest = parse_manifest(read_manifest_text(here), manifest_name);
      if (examine == Examine::all_bytes) {
        for (const ShardEntry& shard : manifest.shards) {
          if (damage.empty()) damage = shard_damage(here, shard);
        }
      }
      if (damage.empty()) {
        status.checkpoint = found.iteration;
        if (!status.ranks) status.ranks = manifest.ranks;
        return;
      }
    } catch (const std::exception& error) {
      damage = error.what();
    }
    status.damage.push_back(
        text("checkpoint ", found.iteration, " does not verify (", damage, ")"));
  }
}

/// Such as " after iteration 300 of 1000 on 2 ranks"; parts that are not known are left out.
std::string progress_text(std::optional<std::uint64_t> iteration, const RunStatus& status) {
  std::string out;
  if (iteration) out += text(" after iteration ", *iteration);
  if (iteration && status.iterations) out += text(" of ", *status.iterations);
  if (status.ranks) out += text(" on ", *status.ranks, *status.ranks == 1 ? " rank" : " ranks");
  return out;
}

void set(RunStatus& status, RunState state, NextStep next, const std::string& reason) {
  status.state = state;
  status.next = next;
  status.reason = reason;
}

/// A run that no process is at work on.
void judge(RunStatus& status, const std::optional<RunNote>& note) {
  const bool has_result = !status.result.empty();
  const bool has_checkpoint = status.checkpoint.has_value();
  const auto reached = note ? std::optional(note->iteration) : status.checkpoint;
  const auto ended = [&](RunState state) { return note && note->state == state; };
  if (has_result &&
      (!note || ended(RunState::done) || (!has_checkpoint && status.damage.empty()))) {
    set(status, RunState::done, NextStep::nothing,
        (note && !note->detail.empty() ? note->detail : "the run has ended") +
            progress_text(reached, status));
  } else if (ended(RunState::diverged)) {
    set(status, RunState::diverged, NextStep::nothing,
        "the run diverged" + progress_text(reached, status) +
            (note->detail.empty() ? "" : ": " + note->detail));
  } else if (!is_there(status.folder / run_files::config) &&
             (has_checkpoint || !status.damage.empty())) {
    set(status, RunState::damaged, NextStep::nothing,
        "there are checkpoints, but config.ini is missing; restore it from a backup");
  } else if (has_checkpoint) {
    std::string how = "it has a checkpoint and no result:";
    if (ended(RunState::interrupted)) how = "the run was interrupted";
    if (ended(RunState::running))
      how = "its last process ended without a note (killed, or failed):";
    if (ended(RunState::done)) how = "its result.h5 is missing; resuming writes it again:";
    const bool checkpoint_matters = how.back() == ':';
    set(status, RunState::interrupted, NextStep::resume,
        checkpoint_matters
            ? how + " the newest checkpoint was saved" + progress_text(status.checkpoint, status)
            : how + progress_text(reached, status));
  } else if (!status.damage.empty()) {
    set(status, RunState::damaged, NextStep::nothing,
        text("no checkpoint verifies (", status.damage.size(),
             " are damaged); restore one from a backup, or start again in another folder"));
  } else {
    set(status, RunState::started, NextStep::run_again,
        "a run began here and ended before its first checkpoint");
  }
}

}  // namespace

std::string state_name(RunState state) {
  switch (state) {
    case RunState::absent:
      return "absent";
    case RunState::empty:
      return "empty";
    case RunState::not_a_run:
      return "not-a-run";
    case RunState::started:
      return "started";
    case RunState::interrupted:
      return "interrupted";
    case RunState::running:
      return "running";
    case RunState::done:
      return "done";
    case RunState::diverged:
      return "diverged";
    case RunState::damaged:
      return "damaged";
  }
  return "";
}

std::string next_name(NextStep next) {
  switch (next) {
    case NextStep::run:
      return "run";
    case NextStep::run_again:
      return "run-again";
    case NextStep::resume:
      return "resume";
    case NextStep::wait:
      return "wait";
    case NextStep::nothing:
      return "nothing";
  }
  return "";
}

void write_note(const fs::path& folder, const RunNote& note) {
  std::string detail = note.detail;
  std::replace(detail.begin(), detail.end(), '\n', ' ');
  write_durably(
      folder / run_files::note,
      text(note_title, "\nstate ", state_name(note.state), "\niteration ", note.iteration,
           "\niterations ", note.iterations, "\nranks ", note.ranks, "\ndetail ", detail, "\n"));
}

std::optional<RunNote> read_note(const fs::path& folder) {
  std::istringstream lines;
  try {
    lines.str(read_whole(folder / run_files::note, longest_note));
  } catch (const std::exception&) {
    return std::nullopt;
  }
  std::string line;
  bool good = std::getline(lines, line) && line == note_title;
  const auto value = [&](const std::string& key) {
    good = good && std::getline(lines, line) && line.starts_with(key + " ");
    return good ? line.substr(key.size() + 1) : std::string();
  };
  const auto number = [&](const std::string& key, auto& out) {
    const std::string word = value(key);
    const char* const end = word.data() + word.size();
    good = good && std::from_chars(word.data(), end, out).ptr == end && !word.empty();
  };
  RunNote note;
  const std::string state = value("state");
  const auto* const found = std::find_if(std::begin(all_states), std::end(all_states),
                                         [&](RunState one) { return state_name(one) == state; });
  good = good && found != std::end(all_states);
  if (good) note.state = *found;
  number("iteration", note.iteration);
  number("iterations", note.iterations);
  number("ranks", note.ranks);
  note.detail = value("detail");
  if (!good) return std::nullopt;
  return note;
}

bool RunStatus::holds_run() const {
  return state != RunState::absent && state != RunState::empty && state != RunState::not_a_run;
}

std::vector<std::string> RunStatus::command() const {
  const bool more = state == RunState::done && checkpoint && iterations &&
                    *checkpoint < static_cast<std::uint64_t>(*iterations);  // time was up, say
  if (next == NextStep::resume || more) return {"resume", folder.string()};
  const fs::path config = folder / run_files::config;
  if ((state == RunState::started || state == RunState::damaged) && is_there(config))
    return {"run", config.string(), "--run.output", "NEW_FOLDER"};
  return {};
}

RunStatus run_status(const fs::path& folder, Examine examine) {
  RunStatus status;
  status.folder = folder;
  std::error_code ignored;
  if (!is_there(folder)) {
    set(status, RunState::absent, NextStep::run, "there is no such folder");
    return status;
  }
  if (!fs::is_directory(folder, ignored)) {
    set(status, RunState::not_a_run, NextStep::run, "it is a file, not a folder");
    return status;
  }
  const bool held = FolderLock::is_held(folder);
  if (!held && !holds_files_of_a_run(folder)) {
    const bool other = holds_other_files(folder);
    set(status, other ? RunState::not_a_run : RunState::empty, NextStep::run,
        other ? "the folder holds files, but none of a run" : "the folder is empty");
    return status;
  }
  const auto note = read_note(folder);
  if (note) {
    status.iterations = note->iterations;
    status.ranks = note->ranks;
  }
  if (is_there(folder / run_files::result)) status.result = folder / run_files::result;
  find_checkpoint(status, held ? Examine::manifests : examine);
  if (held) {
    set(status, RunState::running, NextStep::wait,
        "a process is at work here" + progress_text(std::nullopt, status) +
            (status.iterations ? text(", ", *status.iterations, " iterations are wanted") : ""));
  } else {
    judge(status, note);
  }
  return status;
}

void require_new_run(const RunStatus& status) {
  if (!status.holds_run()) return;
  std::string otherwise = ", or remove this one";
  if (status.state == RunState::running) {
    otherwise = ", or wait for the process that is at work";
  } else if (status.checkpoint) {
    otherwise = text(", or continue this run with `echelon resume ", status.folder.string(), "`");
  }
  fail(ErrorKind::cannot_create, status.folder.string(), ": holds a run already (", status.reason,
       "); name another folder with --run.output", otherwise);
}

void require_resumable(const RunStatus& status) {
  const std::string folder = status.folder.string();
  require(status.state != RunState::absent, ErrorKind::missing_input, folder,
          ": there is no such run directory");
  const fs::path config = status.folder / run_files::config;
  require(status.holds_run(), ErrorKind::missing_input, folder, ": is not a run directory (",
          status.reason, "; ", config.string(), " is missing)");
  require(status.state != RunState::running, ErrorKind::cannot_create, folder,
          ": another process runs in this folder; wait for it");
  require(is_there(config), ErrorKind::missing_input, config.string(),
          ": is missing, so the run cannot be resumed; restore it from a backup");
  require(status.checkpoint || !status.damage.empty(), ErrorKind::missing_input,
          (status.folder / run_files::checkpoints).string(),
          ": there is no checkpoint to resume from; start again with `echelon run ",
          config.string(), " --run.output NEW_FOLDER`");
}

}  // namespace echelon

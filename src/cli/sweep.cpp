#include "sweep.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "commands.hpp"
#include "echelon/core/error.hpp"
#include "echelon/io/folder_lock.hpp"
#include "echelon/io/run_status.hpp"

extern char** environ;

namespace echelon::cli {

namespace {

namespace fs = std::filesystem;

volatile std::sig_atomic_t asked_to_leave = 0;
volatile std::sig_atomic_t asked_to_save = 0;
extern "C" void on_sweep_leave(int) {
  asked_to_leave = 1;
}
extern "C" void on_sweep_save(int) {
  asked_to_save = 1;
}

/// What a run left that ended before its first checkpoint; it starts again in an empty folder.
void set_aside(const fs::path& run) {
  { const FolderLock nobody_is_at_work(run); }
  int number = 1;
  const auto name = [&] { return fs::path(text(run.string(), ".unfinished-", number)); };
  while (fs::exists(name())) ++number;
  fs::rename(run, name());
}

std::vector<std::string> command_of(const Sweep& sweep, const Combination& run,
                                    const std::string& launcher) {
  std::vector<std::string> words;
  std::istringstream stream(launcher);
  for (std::string word; stream >> word;) words.push_back(word);
  words.push_back(fs::read_symlink("/proc/self/exe").string());
  const fs::path folder = sweep.folder / run.name;
  const auto add = [&words](const std::string& key, const std::string& value) {
    words.push_back("--" + key);
    words.push_back(value);
  };
  const NextStep next = run_status(folder, Examine::manifests).next;
  if (next == NextStep::run_again) set_aside(folder);
  if (next != NextStep::run && next != NextStep::run_again) {
    words.insert(words.end(), {"resume", folder.string()});  // or it says why it cannot be
  } else {
    words.insert(words.end(), {"run", (sweep.folder / "sweep.ini").string()});
    for (const auto& [key, value] : sweep.options) add(key, value);
    for (const auto& [key, value] : run.settings) add(key, value);
    add("run.output", folder.string());
  }
  add("run.progress", "lines");
  return words;
}

/// In a process group of its own, where Ctrl-C does not reach it; its output goes to `log`.
pid_t start(const std::vector<std::string>& words, const fs::path& log) {
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t child = 0;
  const int failure = posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  require(failure == 0, ErrorKind::missing_input, "--command: ", words[0], " cannot be started (",
          std::strerror(failure), "); give a launcher that exists, such as \"mpirun -n 4\"");
  return child;
}

/// Of a process that has ended; one that was told to leave before it could listen is interrupted.
int code_of(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return WTERMSIG(status) == SIGUSR2 ? exit_interrupted : 128 + WTERMSIG(status);
}

/// The last message of a run's log.
std::string last_message(const fs::path& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("echelon: ")) last = line.substr(9);
  }
  return last;
}

/// Children that run now.
class Jobs {
 public:
  Jobs(const Sweep& sweep, std::size_t total) : sweep_(sweep), total_(total) {}

  std::size_t count() const { return running_.size(); }

  void begin(const Combination& run, const std::string& launcher) {
    fs::remove(status_file(sweep_.folder, run));
    try {
      const auto words = command_of(sweep_, run, launcher);
      running_.emplace(start(words, log_file(sweep_.folder, run)), &run);
    } catch (const Error& error) {  // others are at work, and go on
      note(run, static_cast<int>(error.kind()), error.what());
    }
  }

  /// Notes what has ended.
  void collect() {
    for (auto it = running_.begin(); it != running_.end();) {
      int status = 0;
      if (waitpid(it->first, &status, WNOHANG) != it->first) {
        ++it;
        continue;
      }
      note(*it->second, code_of(status), last_message(log_file(sweep_.folder, *it->second)));
      it = running_.erase(it);
    }
  }

  /// mpirun hands USR1 and USR2 on to its ranks; on TERM it would kill them before they can save.
  void tell(int signal) const {
    for (const auto& [child, run] : running_) kill(child, signal);
  }

 private:
  void note(const Combination& run, int code, const std::string& said) {
    std::ofstream(status_file(sweep_.folder, run)) << code << "\n";
    const RunOutcome state = outcome_of(sweep_.folder, run);
    std::string message = state.text();
    const bool ended_well = code == exit_done || code == exit_interrupted;
    if (!ended_well && said.starts_with(message)) {
      message = said;
    } else if (!ended_well && !said.empty()) {
      message += ": " + said;
    }
    std::printf("%zu of %zu  %s  %s\n", ++ended_, total_, run.name.c_str(), message.c_str());
    std::fflush(stdout);
  }

  const Sweep& sweep_;
  std::size_t total_;
  std::size_t ended_ = 0;
  std::map<pid_t, const Combination*> running_;
};

void listen() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_sweep_leave;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR2}) sigaction(signal, &action, nullptr);
  action.sa_handler = on_sweep_save;
  sigaction(SIGUSR1, &action, nullptr);
}

int number_of(const Arguments& arguments, const std::string& name, int low, int high,
              int otherwise) {
  const std::string word = arguments.option(name, std::to_string(otherwise));
  int number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  require(parsed.ptr == word.data() + word.size() && number >= low && number <= high,
          ErrorKind::usage, "--", name, ": `", word, "` is not a whole number from ", low, " to ",
          high);
  return number;
}

/// A sweep starts its runs itself.
void refuse_launchers() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"}) {
    require(std::getenv(name) == nullptr, ErrorKind::usage, "`echelon sweep` is under a launcher (",
            name,
            " is set), but starts its runs itself; call it alone, with --command \"mpirun -n 4\" "
            "for 4 ranks in each run");
  }
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  require(
      tasks == nullptr || std::atoi(tasks) < 2, ErrorKind::usage,
      "`echelon sweep` is under srun with several tasks, but starts its runs itself; call it in "
      "the batch script, with --command \"srun\" for the ranks of each run");
}

}  // namespace

fs::path status_file(const fs::path& folder, const Combination& run) {
  return folder / (run.name + ".status");
}

fs::path log_file(const fs::path& folder, const Combination& run) {
  return folder / (run.name + ".log");
}

RunOutcome outcome_of(const fs::path& folder, const Combination& run) {
  const RunStatus status = run_status(folder / run.name, Examine::manifests);
  if (status.state == RunState::done) return {.kind = RunOutcome::Kind::done, .code = exit_done};
  if (status.state == RunState::diverged) {
    return {.kind = RunOutcome::Kind::diverged, .code = exit_diverged};
  }
  RunOutcome outcome;
  std::ifstream file(status_file(folder, run));
  if (!(file >> outcome.code)) outcome.code = 0;
  if (outcome.code != 0 && outcome.code != exit_interrupted) {
    outcome.kind = RunOutcome::Kind::failed;
  } else if (status.holds_run() || outcome.code == exit_interrupted) {
    outcome.kind = RunOutcome::Kind::unfinished;
  }
  return outcome;
}

std::string RunOutcome::text() const {
  switch (kind) {
    case Kind::waiting:
      return "not started";
    case Kind::unfinished:
      return "not finished";
    case Kind::done:
      return "done";
    case Kind::diverged:
      return "diverged";
    default:
      return "failed (exit code " + std::to_string(code) + ")";
  }
}

int run_all(const Sweep& sweep, const std::vector<Combination>& runs, int jobs,
            const std::string& launcher) {
  std::vector<const Combination*> waiting;
  for (const Combination& run : runs) {
    const auto kind = outcome_of(sweep.folder, run).kind;  // a diverged run would diverge again
    if (kind != RunOutcome::Kind::done && kind != RunOutcome::Kind::diverged)
      waiting.push_back(&run);
  }
  std::printf("%zu run%s in %s, %zu of them ended before\n", runs.size(),
              runs.size() == 1 ? "" : "s", sweep.folder.c_str(), runs.size() - waiting.size());
  std::fflush(stdout);
  listen();
  Jobs running(sweep, waiting.size());
  std::size_t next = 0;
  bool told = false;
  while (running.count() > 0 || (next < waiting.size() && asked_to_leave == 0)) {
    while (asked_to_leave == 0 && next < waiting.size() &&
           running.count() < static_cast<std::size_t>(jobs)) {
      running.begin(*waiting[next++], launcher);
    }
    if (asked_to_save != 0) {
      asked_to_save = 0;
      running.tell(SIGUSR1);
    }
    if (asked_to_leave != 0 && !told) {
      told = true;
      running.tell(SIGUSR2);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    running.collect();
  }
  return asked_to_leave != 0 ? exit_interrupted : exit_done;
}

int sweep(const Arguments& arguments) {
  refuse_launchers();
  const std::string shown = arguments.option("table", "");
  if (!shown.empty()) {
    require(arguments.words.empty() && arguments.options.size() == 1, ErrorKind::usage,
            "--table DIR stands alone: `echelon sweep --table ", shown, "`");
    return write_table(Sweep::stored(shown));
  }
  const Sweep sweep = parse_sweep(arguments);
  const int jobs = number_of(arguments, "jobs", 1, 1024, 1);
  const auto runs = sweep.combinations();
  const int last = static_cast<int>(runs.size()) - 1;
  const int task = number_of(arguments, "task", 0, last, 0);
  if (arguments.has_switch("dry-run")) {
    for (std::size_t i = 0; i < runs.size(); ++i) std::printf("%zu %s\n", i, runs[i].name.c_str());
    return exit_done;
  }
  sweep.store();
  const std::string launcher = arguments.option("command", "");
  if (!arguments.option("task", "").empty()) {
    const Combination& run = runs[static_cast<std::size_t>(task)];
    const int left = run_all(sweep, {run}, 1, launcher);
    const RunOutcome state = outcome_of(sweep.folder, run);
    return left != exit_done || state.kind == RunOutcome::Kind::unfinished ? exit_interrupted
                                                                           : state.code;
  }
  const int left = run_all(sweep, runs, jobs, launcher);
  const int code = write_table(sweep);
  if (left == exit_done) return code;
  std::printf("the same command continues the sweep\n");
  return left;
}

}  // namespace echelon::cli

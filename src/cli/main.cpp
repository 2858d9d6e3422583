#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>

#include "commands.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/version.h"
#include "echelon/experiment/experiment.hpp"
#include "echelon/io/plugin_file.hpp"
#include "echelon/main.hpp"

namespace {

using namespace echelon;
using namespace echelon::cli;

Requests requests;
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers set these");

extern "C" void on_save_signal(int) {
  requests.checkpoint.store(true);
}

// mpirun may deliver one signal twice within moments, so "a second one" counts from a second later.
volatile std::sig_atomic_t leave_alarm_passed = 0;
extern "C" void on_alarm(int) {
  leave_alarm_passed = 1;
}
extern "C" void on_leave_signal(int) {
  if (leave_alarm_passed != 0) _exit(exit_interrupted);
  if (!requests.leave.exchange(true)) alarm(1);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

void install_handlers() {
  handle(SIGUSR1, on_save_signal);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR2}) handle(signal, on_leave_signal);
  handle(SIGALRM, on_alarm);
}

void print_help() {
  std::printf("%s", help_text().c_str());
  Configuration configuration;
  GeneralOptions().read_from(configuration);
  for (const auto& option : configuration.declared()) {
    std::printf("  --%-28s %s%s%s, default %s\n      %s\n", option.name.c_str(),
                option.type.c_str(), option.range.empty() ? "" : " ", option.range.c_str(),
                option.value.empty() ? "empty" : option.value.c_str(), option.help.c_str());
  }
  std::printf(
      "\nOptions of other parts (methods, problems, strategies, ...): `echelon describe NAME`.\n");
}

constexpr const char* rank_variables[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK",
                                          "SLURM_PROCID"};

bool is_launched() {
  return std::any_of(std::begin(rank_variables), std::end(rank_variables),
                     [](const char* name) { return std::getenv(name) != nullptr; });
}

/// This process's rank before MPI is initialized, as launchers tell it.
int launched_rank() {
  for (const char* name : rank_variables) {
    if (const char* rank = std::getenv(name)) return std::atoi(rank);
  }
  return 0;
}

/// One line, from one rank if all of them know; otherwise the rank that knows ends the job.
int report(const char* message, int code, bool on_all_ranks) {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  int rank = launched_rank();
  int size = 1;
  if (initialized != 0 && finalized == 0) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
  }
  if (rank == 0 || !on_all_ranks) {
    std::fflush(stdout);
    std::fprintf(stderr, "echelon: %s\n", message);
    std::fflush(stderr);
  }
  if (size > 1 && !on_all_ranks) MPI_Abort(MPI_COMM_WORLD, code);
  return code;
}

int guarded(int (*command)(const Arguments&, Requests&), const Arguments& arguments) {
  try {
    return command(arguments, requests);
  } catch (const Error& error) {
    const int code = report(error.what(), static_cast<int>(error.kind()), error.on_all_ranks());
    MPI_Barrier(MPI_COMM_WORLD);  // so that mpirun does not cut anybody's message short
    return code;
  } catch (const std::bad_alloc&) {
    return report(
        "memory ran out; fewer agents per rank, or more ranks on other machines, need less here",
        static_cast<int>(ErrorKind::internal), false);
  } catch (const std::exception& error) {
    return report(error.what(), static_cast<int>(ErrorKind::internal), false);
  }
}

int with_mpi(int argc, char** argv, int (*command)(const Arguments&, Requests&),
             const Arguments& arguments) {
  if (!is_launched()) {
    // Alone, Open MPI would start a daemon of its own and look up host names first.
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    // All such processes would make and remove one and the same folder, and fail where they meet.
    setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
  }
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  install_handlers();
  const int code = guarded(command, arguments);
  MPI_Finalize();
  return code;
}

int dispatch(int argc, char** argv, const Arguments& arguments) {
  const std::string& command = arguments.command;
  const bool uses_mpi =
      !arguments.help && !arguments.version && (command == "run" || command == "resume");
  // What needs no ranks is done once; the others leave in peace, lest mpirun cut a message short.
  if (!uses_mpi && launched_rank() != 0) return exit_done;
  if (!uses_mpi) {  // the others load what their configuration names, on all ranks together
    for (const auto& plugin : arguments.plugins) load_plugin(plugin);
  }
  if (arguments.help || (command.empty() && !arguments.version)) {
    print_help();
    return command.empty() && !arguments.help ? static_cast<int>(ErrorKind::usage) : exit_done;
  }
  if (arguments.version) {
    std::printf("echelon %s\n", version());
    return exit_done;
  }
  require(!arguments.dry_run || command == "run" || command == "sweep", ErrorKind::usage,
          "`echelon ", command,
          "` has no option --dry-run; `echelon run` and `echelon sweep` have");
  if (command == "run") return with_mpi(argc, argv, run, arguments);
  if (command == "resume") return with_mpi(argc, argv, resume, arguments);
  if (command == "sweep") return sweep(arguments);
  if (command == "list") return list(arguments);
  if (command == "describe") return describe(arguments);
  if (command == "topology") return topology(arguments);
  if (command == "inspect") return inspect(arguments);
  fail(ErrorKind::usage, "there is no command `", command, "`; the nearest is `",
       nearest_name(command, {"run", "resume", "sweep", "list", "describe", "topology", "inspect"}),
       "`");
}

}  // namespace

int echelon::main(int argc, char** argv, void (*add_parts)()) {
  try {
    if (add_parts != nullptr) add_parts();
    return dispatch(argc, argv, parse_arguments(argc, argv));
  } catch (const Error& error) {
    if (launched_rank() != 0) return exit_done;  // MPI is not initialized; rank 0 says the same
    return report(error.what(), static_cast<int>(error.kind()), true);
  } catch (const std::exception& error) {
    return report(error.what(), static_cast<int>(ErrorKind::internal), true);
  }
}

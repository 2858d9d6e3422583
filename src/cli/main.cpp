#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>

#include "commands.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/version.h"
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

int dispatch(int argc, char** argv) {
  Arguments arguments = parse_arguments(argc, argv, all_switches());
  if (arguments.command == "help") {  // as many programs have it
    arguments.help = true;
    arguments.command = arguments.words.empty() ? "" : arguments.words.front();
  }
  const Command* const command =
      arguments.command.empty() ? nullptr : &find_command(arguments.command);
  const bool only_prints = arguments.help || arguments.version || command == nullptr;
  // What needs no ranks is done once; the others leave in peace, so that mpirun does not cut a
  // message short.
  if ((only_prints || command->collective == nullptr) && launched_rank() != 0) return exit_done;
  if (command == nullptr || command->collective == nullptr || only_prints) {
    // Collective commands load what their configuration names, on all ranks together.
    for (const auto& plugin : arguments.plugins) load_plugin(plugin);
  }
  if (arguments.version) {
    std::printf("echelon %s\n", version());
    return exit_done;
  }
  if (command == nullptr) {
    print_overview();
    return arguments.help ? exit_done : static_cast<int>(ErrorKind::usage);
  }
  if (arguments.help) {
    print_help(*command);
    return exit_done;
  }
  check_options(*command, arguments);
  if (command->collective != nullptr) return with_mpi(argc, argv, command->collective, arguments);
  return command->alone(arguments);
}

}  // namespace

int echelon::main(int argc, char** argv, void (*add_parts)()) {
  try {
    if (add_parts != nullptr) add_parts();
    return dispatch(argc, argv);
  } catch (const Error& error) {
    if (launched_rank() != 0) return exit_done;  // MPI is not initialized; rank 0 says the same
    return report(error.what(), static_cast<int>(error.kind()), true);
  } catch (const std::exception& error) {
    return report(error.what(), static_cast<int>(ErrorKind::internal), true);
  }
}

#pragma once
/// What the executable can do. Dispatch, help and the suggestion of near names follow from the
/// table `commands`.

#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "echelon/core/options.hpp"
#include "echelon/runtime/runner.hpp"

namespace echelon::cli {

constexpr int exit_done = 0;
constexpr int exit_diverged = 3;
constexpr int exit_damaged = 65;
constexpr int exit_missing = 66;
constexpr int exit_interrupted = 75;

/// An option of one command, besides the keys of a configuration.
struct CommandOption {
  std::string name;   ///< without dashes
  std::string value;  ///< what stands for its value in help; empty: a switch
  std::string help;
};

struct Command {
  std::string name;
  std::string synopsis;  ///< after the name
  std::string summary;   ///< one line
  std::string details;   ///< paragraphs; may be empty
  std::vector<CommandOption> options;
  bool takes_keys = false;  ///< --section.key VALUE
  bool lists_keys = false;  ///< its help lists the keys of every configuration
  std::string
      bare_section;  ///< options --key VALUE mean --SECTION.key VALUE; empty: no such options
  std::vector<std::string> examples;  ///< after `echelon `
  std::vector<std::pair<int, std::string>> exit_codes;
  /// One of the two. Each returns its exit code or throws an Error.
  int (*alone)(const Arguments& arguments) = nullptr;  ///< in one process, without MPI
  /// Collective over MPI_COMM_WORLD, which is initialized.
  int (*collective)(const Arguments& arguments, Requests& requests) = nullptr;
};

const std::vector<Command>& commands();
/// Throws a usage error that names the nearest, or what a file or folder in its place is for.
const Command& find_command(const std::string& name);
/// Throws a usage error for the first option that `command` does not have.
void check_options(const Command& command, const Arguments& arguments);

void print_overview();
void print_help(const Command& command);
/// An option with its type, range and default, and a line of help.
void print_option(const std::string& name, const OptionDescription& option);

/// What `echelon list` takes: problems, methods and so on.
const std::vector<std::string>& component_kinds();
/// Keys of every configuration, with their defaults.
std::vector<OptionDescription> general_keys();
/// Names of all keys that a configuration may have, those of all components included.
std::vector<std::string> all_keys();
/// Switches of all commands, such as `dry-run`.
std::vector<std::string> all_switches();

int run(const Arguments& arguments, Requests& requests);
int resume(const Arguments& arguments, Requests& requests);
int sweep(const Arguments& arguments);
int list(const Arguments& arguments);
int describe(const Arguments& arguments);
int topology(const Arguments& arguments);
int inspect(const Arguments& arguments);
int status(const Arguments& arguments);

}  // namespace echelon::cli

#include "commands.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "echelon/core/catalog.hpp"
#include "echelon/experiment/experiment.hpp"

namespace echelon::cli {

namespace {

const std::pair<int, std::string> done_code{0, "done"};
const std::pair<int, std::string> usage_code{
    2, "usage or configuration; the message says what is right"};
const std::pair<int, std::string> data_code{65, "bad data"};
const std::pair<int, std::string> missing_code{66, "missing input"};

std::vector<std::pair<int, std::string>> codes_of_a_run(const std::string& cannot_create) {
  return {{0, "done: all iterations made, time up, or target reached"},
          usage_code,
          {3, "diverged"},
          {65, "bad data, or no checkpoint that verifies"},
          missing_code,
          {70, "internal error, or out of memory"},
          {73, cannot_create},
          {74, "reading or writing failed"},
          {75, "interrupted after a checkpoint; `echelon resume` continues"},
          {76, "a rank has not answered for comm.stall_seconds"}};
}

Command run_command() {
  return {
      .name = "run",
      .synopsis = "CONFIG.ini [--dry-run] [--section.key VALUE ...]",
      .summary = "runs a configuration, alone or under mpirun or srun",
      .details =
          R"(Every key of a configuration is an option. The command line beats ECHELON_SECTION_KEY in the
environment, which beats the file, which beats the default. The results are in the run directory
run.output. The run refuses to start where its memory estimate exceeds what it may take
(participation.memory).

Signals: USR1 saves a checkpoint and goes on. USR2, TERM and INT save a checkpoint and leave with 75;
a second signal leaves at once.)",
      .options = {{"dry-run", "",
                   "print the composition, memory, traffic and the resolved configuration; run "
                   "nothing, write nothing"}},
      .takes_keys = true,
      .lists_keys = true,
      .examples = {"run examples/quadratic.ini --run.output results/first",
                   "run --dry-run examples/hyper-cleaning.ini",
                   "run examples/preset.ini --run.preset soba --method.alpha 0.01"},
      .exit_codes = codes_of_a_run("the run directory holds a run already, or cannot be created"),
      .collective = run};
}

Command resume_command() {
  return {
      .name = "resume",
      .synopsis = "RUN_DIR [--run.iterations TOTAL] [--section.key VALUE ...]",
      .summary = "continues a run from its newest good checkpoint, on any number of ranks",
      .details =
          R"(The configuration is RUN_DIR/config.ini. Options that do not change the computed iterates may
change: sections metrics and comm, section run without run.seed and run.preset, and
participation.memory. All others are refused. Damaged checkpoints are skipped with a note.)",
      .takes_keys = true,
      .examples = {"resume results/first", "resume results/first --run.iterations 2000"},
      .exit_codes = codes_of_a_run("another process runs in this folder"),
      .collective = resume};
}

Command sweep_command() {
  return {
      .name = "sweep",
      .synopsis =
          "CONFIG.ini --vary section.key=a,b,c [--vary ...] [--seeds N] [--section.key "
          "VALUE ...]",
      .summary = "runs every combination of some values, and tabulates the results",
      .details =
          R"(Each combination has a run directory of its own below the folder of the sweep. The same command again
skips runs that are done or diverged, resumes those with a checkpoint, and starts the others again.
A sweep starts its runs itself: call it without mpirun.)",
      .options = {{"vary", "KEY=A,B,C",
                   "a key and its values; separated by semicolons if values contain commas; may be "
                   "repeated"},
                  {"seeds", "N", "N seeds: run.seed of the configuration and the N - 1 after it"},
                  {"jobs", "J", "number of runs at a time (default 1)"},
                  {"output", "DIR", "folder of the sweep (default results/NAME-sweep)"},
                  {"command", "LAUNCHER", "starts the ranks of each run, such as \"mpirun -n 4\""},
                  {"task", "I", "make run number I alone, counted from 0"},
                  {"table", "DIR", "write and print the table of an existing sweep; stands alone"},
                  {"dry-run", "", "list the runs with their numbers; run nothing"}},
      .takes_keys = true,
      .examples = {"sweep examples/quadratic.ini --vary method.alpha=0.02,0.05 --seeds 3 --jobs 2 "
                   "--output results/grid",
                   "sweep --table results/grid"},
      .exit_codes = {{0, "all runs are done"},
                     usage_code,
                     {73, "the folder holds something else, or cannot be created"},
                     {75, "some runs are not finished; the same command continues"}},
      .alone = sweep};
}

Command status_command() {
  return {
      .name = "status",
      .synopsis = "RUN_DIR | --of CONFIG.ini [--section.key VALUE ...]",
      .summary = "says what a run directory is, and how to continue it",
      .details =
          R"(States: absent, empty, not-a-run, started (no checkpoint yet), interrupted (resumable), running, done,
diverged, damaged. docs/file-formats.md describes them and the fields. Checksums of the checkpoints are
verified. Nothing is changed.)",
      .options = {{"json", "", "print all fields as one JSON object"},
                  {"field", "NAME", "print one field of the JSON object as plain text"},
                  {"quick", "",
                   "read the manifests of checkpoints alone, without the checksums of their data"},
                  {"of", "CONFIG.ini",
                   "examine the run directory that `echelon run CONFIG.ini ...` would write"}},
      .takes_keys = true,
      .examples = {"status results/first", "status results/first --json",
                   "status --of examples/quadratic.ini --field folder"},
      .exit_codes = {{0, "the state is printed"},
                     usage_code,
                     {66, "there is no such folder (except with --of)"}},
      .alone = status};
}

Command inspect_command() {
  return {.name = "inspect",
          .synopsis = "RUN_DIR | FILE.h5",
          .summary = "lists what a run directory or an HDF5 file contains, and verifies checksums",
          .examples = {"inspect results/first", "inspect results/first/result.h5"},
          .exit_codes = {{0, "everything verifies"},
                         usage_code,
                         {65, "something is damaged; the output names it"},
                         missing_code},
          .alone = inspect};
}

Command list_command() {
  std::string kinds;
  for (const auto& kind : component_kinds()) kinds += (kinds.empty() ? "" : ", ") + kind;
  return {.name = "list",
          .synopsis = "[KIND]",
          .summary = "lists the components, a line for each",
          .details = "KIND is one of " + kinds + ". Without it all are listed.",
          .examples = {"list", "list methods"},
          .exit_codes = {done_code, usage_code},
          .alone = list};
}

Command describe_command() {
  return {.name = "describe",
          .synopsis = "NAME",
          .summary = "describes a component: formula, reference, options with defaults",
          .details = "Letter case does not matter. `echelon list` lists the names.",
          .examples = {"describe f2sa", "describe sparkle-ed"},
          .exit_codes = {done_code, usage_code},
          .alone = describe};
}

Command topology_command() {
  return {
      .name = "topology",
      .synopsis = "NAME | FILE [--agents N] [--key VALUE ...]",
      .summary = "analyzes a network: connectivity, weights, spectral gap",
      .details =
          R"(NAME is one of `echelon list topologies`; FILE is a graph file. The network report goes to standard
error, the graph in the DOT language to standard output. Every key of section network is an option,
with or without `network.`.)",
      .options = {{"svg", "FILE", "draw the network as an SVG picture"},
                  {"write", "FILE",
                   "write the weights; the extension is the format: .txt, .mtx, .graph or "
                   ".graphml"}},
      .takes_keys = true,
      .bare_section = "network",
      .examples = {"topology torus --agents 16 > torus.dot",
                   "topology one-peer-exponential --agents 8 --svg one-peer.svg"},
      .exit_codes = {done_code,
                     usage_code,
                     data_code,
                     missing_code,
                     {73, "the file exists already, or cannot be created"}},
      .alone = topology};
}

const CommandOption* own_option(const Command& command, const std::string& name) {
  for (const CommandOption& option : command.options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

/// The option nearest to `given`: one of the command's own, or a key, which users also name without
/// its section.
std::string nearest_option(const Command& command, const std::string& given) {
  std::vector<std::string> names;
  std::vector<std::string> shown;
  for (const CommandOption& option : command.options) {
    if (option.name.starts_with(given) || given.starts_with(option.name)) return "--" + option.name;
    names.push_back(option.name);
    shown.push_back("--" + option.name);
  }
  for (const std::string& key : command.takes_keys ? all_keys() : std::vector<std::string>()) {
    const auto dot = key.find('.');
    if (!command.bare_section.empty() && key.substr(0, dot) != command.bare_section) continue;
    names.push_back(key.substr(dot + 1));
    shown.push_back(key);
  }
  if (names.empty()) return "";
  const auto at = std::find(names.begin(), names.end(), nearest_name(given, names));
  return shown[static_cast<std::size_t>(at - names.begin())];
}

/// Such as "`echelon run` and `echelon sweep`"; empty if no command has the option.
std::string commands_with(const std::string& option) {
  std::string names;
  for (const Command& command : commands()) {
    if (own_option(command, option) == nullptr) continue;
    names += text(names.empty() ? "" : " and ", "`echelon ", command.name, "`");
  }
  return names;
}

[[noreturn]] void refuse_option(const Command& command, const std::string& given) {
  const std::string others = commands_with(given);
  require(others.empty() || !command.takes_keys, ErrorKind::usage, "`echelon ", command.name,
          "` has no option --", given, "; ", others, " have");
  const std::string nearest = nearest_option(command, given);
  const std::string help = text("see `echelon ", command.name, " --help`");
  if (command.takes_keys) {
    fail(ErrorKind::usage, "--", given, ": there is no such option; the nearest is `", nearest,
         "`; ", help);
  }
  fail(ErrorKind::usage, "`echelon ", command.name, "` has no option --", given,
       nearest.empty() ? "" : "; the nearest is `" + nearest + "`", "; ", help);
}

bool is_key_of(const std::string& section, const std::string& name) {
  const auto keys = all_keys();
  return std::find(keys.begin(), keys.end(), section + "." + name) != keys.end();
}

void print_codes(const std::vector<std::pair<int, std::string>>& codes) {
  std::printf("\nexit codes\n");
  for (const auto& [code, meaning] : codes) std::printf("  %-4d %s\n", code, meaning.c_str());
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      run_command(),   resume_command(), status_command(),   inspect_command(),
      sweep_command(), list_command(),   describe_command(), topology_command()};
  return table;
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(name, ignored);
  const bool is_file = name.ends_with(".ini") || std::filesystem::exists(name, ignored);
  require(!is_folder, ErrorKind::usage, "`", name,
          "` is a folder, not a command; try `echelon status ", name, "` or `echelon resume ", name,
          "`");
  require(!is_file, ErrorKind::usage, "`", name, "` is a file, not a command; try `echelon run ",
          name, "`");
  fail(ErrorKind::usage, "there is no command `", name, "`; the nearest is `",
       nearest_name(name, names), "`");
}

std::vector<std::string> all_switches() {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    for (const CommandOption& option : command.options) {
      if (option.value.empty()) names.push_back(option.name);
    }
  }
  return names;
}

void check_options(const Command& command, const Arguments& arguments) {
  for (const std::string& given : arguments.switches) {
    if (own_option(command, given) == nullptr) refuse_option(command, given);
  }
  for (const auto& [given, value] : arguments.options) {
    const bool is_key = command.takes_keys && given.find('.') != std::string::npos;
    const bool is_bare = !command.bare_section.empty() && is_key_of(command.bare_section, given);
    if (!is_key && !is_bare && own_option(command, given) == nullptr) refuse_option(command, given);
  }
}

void print_overview() {
  std::printf("Echelon: decentralized bilevel optimization over MPI\n\n");
  for (const Command& command : commands()) {
    std::printf("  echelon %s %s\n      %s\n", command.name.c_str(), command.synopsis.c_str(),
                command.summary.c_str());
  }
  std::printf(
      "\n"
      "  echelon COMMAND --help     options, examples and exit codes of a command\n"
      "  echelon run --help         all keys of a configuration\n"
      "  echelon describe NAME      options of a problem, method or other component\n"
      "  echelon COMMAND --plugin FILE\n"
      "                             also with the components of a shared library\n"
      "  echelon --version\n");
}

void print_option(const std::string& name, const OptionDescription& option) {
  std::printf("  %-30s %s%s%s, default %s\n      %s\n", name.c_str(), option.type.c_str(),
              option.range.empty() ? "" : " ", option.range.c_str(),
              option.value.empty() ? "empty" : option.value.c_str(), option.help.c_str());
}

void print_help(const Command& command) {
  std::printf("usage: echelon %s %s\n\n%s\n", command.name.c_str(), command.synopsis.c_str(),
              command.summary.c_str());
  if (!command.details.empty()) std::printf("\n%s\n", command.details.c_str());
  std::printf("\noptions\n");
  for (const CommandOption& option : command.options) {
    const std::string name = "--" + option.name + (option.value.empty() ? "" : " ") + option.value;
    std::printf("  %-20s %s\n", name.c_str(), option.help.c_str());
  }
  std::printf("  %-20s %s\n", "--plugin FILE", "also load the components of a shared library");
  std::printf("\nexamples\n");
  for (const auto& example : command.examples) std::printf("  echelon %s\n", example.c_str());
  print_codes(command.exit_codes);
  if (command.lists_keys) {
    std::printf("\nkeys of every configuration\n");
    for (const auto& option : general_keys()) print_option("--" + option.name, option);
    std::printf("\nKeys of a problem, method or other component: `echelon describe NAME`.\n");
  } else if (command.takes_keys && command.bare_section.empty()) {
    std::printf("\nKeys of a configuration, --section.key: `echelon run --help`.\n");
  }
}

}  // namespace echelon::cli

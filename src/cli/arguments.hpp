#pragma once
/// From files, the environment and the command line to a Configuration.

#include <string>
#include <vector>

#include "echelon/core/configuration.hpp"

namespace echelon::cli {

struct Arguments {
  std::string program = "echelon";  ///< as it was called, for commands to copy
  std::string command{};
  std::vector<std::string> words{};                            ///< positional, after the command
  std::vector<std::pair<std::string, std::string>> options{};  ///< --section.key value
  std::vector<std::string> plugins{};                          ///< --plugin FILE
  bool help = false;
  bool version = false;
  bool dry_run = false;  ///< --dry-run
};

/// Throws a usage error for what is no option of the form --section.key value.
Arguments parse_arguments(int argc, const char* const* argv);

/// Adds the keys of an INI file. Throws missing_input, input_output, or a usage error with file and
/// line.
void read_ini(const std::string& path, Configuration& configuration);

/// ECHELON_SECTION_KEY=value, for sections that exist.
void read_environment(Configuration& configuration);

/// --section.key VALUE, then --plugin FILE, which adds to `run.plugin`.
void read_options(const Arguments& arguments, Configuration& configuration);

}  // namespace echelon::cli

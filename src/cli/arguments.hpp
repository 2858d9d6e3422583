#pragma once
/// From files, the environment and the command line to a Configuration.

#include <string>
#include <utility>
#include <vector>

#include "echelon/core/configuration.hpp"

namespace echelon::cli {

struct Arguments {
  std::string program = "echelon";  ///< as it was called, for commands to copy
  std::string command{};
  std::vector<std::string> words{};                            ///< positional, after the command
  std::vector<std::pair<std::string, std::string>> options{};  ///< --name value
  std::vector<std::string> plugins{};                          ///< --plugin FILE
  std::vector<std::string> switches{};                         ///< options without a value
  bool help = false;
  bool version = false;

  bool has_switch(const std::string& name) const;
  bool has_option(const std::string& name) const;
  /// The last value that was given for an option; `otherwise` if there is none.
  std::string option(const std::string& name, const std::string& otherwise) const;
};

/// `switches`: names of the options that take no value. Throws a usage error for any other option
/// without a value.
Arguments parse_arguments(int argc, const char* const* argv,
                          const std::vector<std::string>& switches);

/// Adds the keys of an INI file. Throws missing_input, input_output, or a usage error with file and
/// line.
void read_ini(const std::string& path, Configuration& configuration);

/// ECHELON_SECTION_KEY=value, for sections that exist.
void read_environment(Configuration& configuration);

/// Options of the form --section.key value, then --plugin FILE, which adds to `run.plugin`; all
/// others are left alone.
void read_options(const Arguments& arguments, Configuration& configuration);

}  // namespace echelon::cli

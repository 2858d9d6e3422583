#include "arguments.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "echelon/core/catalog.hpp"
#include "echelon/experiment/experiment.hpp"

namespace echelon::cli {

namespace {

namespace po = boost::program_options;

constexpr ErrorKind usage = ErrorKind::usage;

/// Line on which `key` of a section stands, for messages; 0 if it is not found.
int line_of(const std::string& ini, const std::string& key) {
  std::istringstream lines(ini);
  std::string line;
  std::string section;
  int found = 0;
  for (int number = 1; std::getline(lines, line); ++number) {
    line = line.substr(0, line.find('#'));
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    const auto close = line.find(']');
    if (line[first] == '[' && close != std::string::npos) {
      section = line.substr(first + 1, close - first - 1) + ".";
    } else {
      std::string name = line.substr(first, line.find('=') - first);
      name.erase(name.find_last_not_of(" \t") + 1);
      if (section + name == key) found = number;
    }
  }
  return found;
}

/// At most 60 characters of a line that may hold anything, such as a binary file taken for a
/// configuration.
std::string excerpt(std::string line) {
  if (line.size() > 60) line = line.substr(0, 57) + "...";
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c >= 127; }, '?');
  return line;
}

std::string first_bad_line(const std::string& ini) {
  std::istringstream lines(ini);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string body = line.substr(0, line.find('#'));
    const auto first = body.find_first_not_of(" \t\r");
    if (first == std::string::npos) continue;
    const bool section = body[first] == '[' && body.find(']') != std::string::npos;
    if (!section && body.find('=') == std::string::npos)
      return text(number, ": `", excerpt(line), "`");
  }
  return "?";
}

}  // namespace

bool Arguments::has_switch(const std::string& name) const {
  return std::find(switches.begin(), switches.end(), name) != switches.end();
}

bool Arguments::has_option(const std::string& name) const {
  return std::any_of(options.begin(), options.end(),
                     [&](const auto& option) { return option.first == name; });
}

std::string Arguments::option(const std::string& name, const std::string& otherwise) const {
  std::string value = otherwise;
  for (const auto& [key, given] : options) {
    if (key == name) value = given;
  }
  return value;
}

Arguments parse_arguments(int argc, const char* const* argv,
                          const std::vector<std::string>& switches) {
  namespace style = po::command_line_style;
  const po::options_description none;
  const auto parsed =
      po::command_line_parser(argc, argv)
          .options(none)
          .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
          .allow_unregistered()
          .run();
  Arguments arguments;
  if (argc > 0) arguments.program = argv[0];
  std::string pending;  // a long option that waits for its value
  const auto add = [&arguments](const std::string& key, const std::string& value) {
    if (key == "plugin") {
      arguments.plugins.push_back(value);
    } else {
      arguments.options.emplace_back(key, value);
    }
  };
  for (const auto& option : parsed.options) {
    const bool positional = option.string_key.empty();
    if (positional && !pending.empty()) {
      add(pending, option.value.front());
      pending.clear();
      continue;
    }
    require(pending.empty(), usage, "--", pending, " has no value; write --", pending, " VALUE");
    if (positional) {
      const std::string& word = option.value.front();
      if (word == "-h") {
        arguments.help = true;
      } else if (arguments.command.empty()) {
        arguments.command = word;
      } else {
        arguments.words.push_back(word);
      }
    } else if (option.string_key == "help") {
      arguments.help = true;
    } else if (option.string_key == "version") {
      arguments.version = true;
    } else if (std::find(switches.begin(), switches.end(), option.string_key) != switches.end()) {
      require(option.value.empty(), usage, "--", option.string_key, " takes no value");
      arguments.switches.push_back(option.string_key);
    } else if (option.value.empty()) {
      pending = option.string_key;
    } else {
      add(option.string_key, option.value.front());
    }
  }
  require(pending.empty(), usage, "--", pending, " has no value; write --", pending, " VALUE");
  return arguments;
}

void read_ini(const std::string& path, Configuration& configuration) {
  require(std::filesystem::exists(path), ErrorKind::missing_input, path,
          ": there is no such configuration file");
  require(!std::filesystem::is_directory(path), ErrorKind::input_output, path,
          ": is a directory, not a configuration file");
  std::ifstream file(path);
  std::stringstream content(std::string(std::istreambuf_iterator<char>(file), {}));
  require(file.is_open() && !file.bad(), ErrorKind::input_output, path, ": cannot be read");
  try {
    const po::options_description none;
    const auto parsed = po::parse_config_file(content, none, true);
    std::set<std::string> keys;
    for (const auto& option : parsed.options) {
      const int line = line_of(content.str(), option.string_key);
      require(keys.insert(option.string_key).second, usage, path, ":", line, ": ",
              option.string_key, " is given twice; keep one of the lines");
      configuration.set(option.string_key, option.value.empty() ? "" : option.value.front(),
                        text(path, ":", line));
    }
  } catch (const po::error&) {
    fail(usage, path, ":", first_bad_line(content.str()),
         " is neither `[section]` nor `key = value`");
  }
}

void read_environment(Configuration& configuration) {
  const po::options_description none;
  const std::string prefix = "ECHELON_";
  const auto mapper = [&](const std::string& variable) -> std::string {
    if (variable.compare(0, prefix.size(), prefix) != 0) return "";
    std::string name = variable.substr(prefix.size());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto split = name.find('_');
    if (split == std::string::npos) return "";
    const auto& sections = configuration_sections();
    if (std::find(sections.begin(), sections.end(), name.substr(0, split)) == sections.end())
      return "";
    name[split] = '.';
    configuration.set(name, std::getenv(variable.c_str()), variable + " in the environment");
    return "";  // taken; Boost need not know it
  };
  po::parse_environment(none, boost::function1<std::string, std::string>(mapper));
}

void read_options(const Arguments& arguments, Configuration& configuration) {
  for (const auto& [key, value] : arguments.options) {
    if (key.find('.') == std::string::npos) continue;
    const std::string section = key.substr(0, key.find('.'));
    const auto& sections = configuration_sections();
    require(std::find(sections.begin(), sections.end(), section) != sections.end(), usage, "--",
            key, ": there is no section `", section, "`; the nearest is `",
            nearest_name(section, sections), "`");
    configuration.set(key, value, "command line");
  }
  std::string plugins = plugins_of(configuration);
  for (const auto& plugin : arguments.plugins) plugins += (plugins.empty() ? "" : ",") + plugin;
  if (!arguments.plugins.empty()) configuration.set("run.plugin", plugins, "command line");
}

}  // namespace echelon::cli

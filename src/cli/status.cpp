#include "echelon/io/run_status.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "commands.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "run_folder.hpp"

namespace echelon::cli {

namespace {

/// A value of the JSON object.
struct Field {
  std::string name;
  std::string text;  ///< plain
  std::string json;
};

std::string json_text(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < ' ') {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(c));
      out += buffer;
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

/// For a shell.
std::string quoted(const std::string& word) {
  constexpr std::string_view safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=,+-:@%~";
  if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command_text(const RunStatus& status, const std::string& program) {
  std::string out;
  for (const auto& word : status.command()) out += " " + quoted(word);
  return out.empty() ? out : quoted(program) + out;
}

Field words(const std::string& name, const std::string& value) {
  return {name, value, value.empty() ? "null" : json_text(value)};
}

template <class Number>
Field number(const std::string& name, const std::optional<Number>& value) {
  if (!value) return {name, "", "null"};
  return {name, std::to_string(*value), std::to_string(*value)};
}

std::vector<Field> fields_of(const RunStatus& status, const std::string& program) {
  Field damage{"damage", "", ""};
  for (const auto& one : status.damage) {
    damage.text += (damage.text.empty() ? "" : "\n") + one;
    damage.json += (damage.json.empty() ? "" : ", ") + json_text(one);
  }
  damage.json = "[" + damage.json + "]";
  return {words("format", "echelon status 1"),
          words("folder", status.folder.string()),
          words("state", state_name(status.state)),
          words("reason", status.reason),
          words("next", next_name(status.next)),
          words("command", command_text(status, program)),
          number("checkpoint", status.checkpoint),
          number("iterations", status.iterations),
          number("ranks", status.ranks),
          words("result", status.result.string()),
          damage};
}

void print_json(const std::vector<Field>& fields) {
  std::printf("{\n");
  for (std::size_t f = 0; f < fields.size(); ++f) {
    std::printf("  \"%s\": %s%s\n", fields[f].name.c_str(), fields[f].json.c_str(),
                f + 1 < fields.size() ? "," : "");
  }
  std::printf("}\n");
}

void print_for_people(const RunStatus& status, const std::string& program) {
  std::printf("%s: %s\n  %s\n", status.folder.c_str(), state_name(status.state).c_str(),
              status.reason.c_str());
  for (const auto& one : status.damage) std::printf("  note: %s\n", one.c_str());
  if (status.checkpoint) {
    std::printf("  checkpoint     %llu\n", static_cast<unsigned long long>(*status.checkpoint));
  }
  if (!status.result.empty()) std::printf("  result         %s\n", status.result.c_str());
  const std::string command = command_text(status, program);
  if (!command.empty()) std::printf("  continue with  %s\n", command.c_str());
}

/// The run directory that `echelon run CONFIG ...` would take.
std::filesystem::path folder_of(const std::string& config, const Arguments& arguments) {
  Configuration configuration;
  read_ini(config, configuration);
  read_environment(configuration);
  Arguments keys;
  for (const auto& [key, value] : arguments.options) {
    if (key.find('.') != std::string::npos) keys.options.emplace_back(key, value);
  }
  read_options(keys, configuration);
  ExperimentOptions options;
  configuration.read("run", options);
  return run_folder(options, config);
}

}  // namespace

int status(const Arguments& arguments) {
  const std::string config = arguments.option("of", "");
  const std::string field = arguments.option("field", "");
  const bool asks_of = arguments.has_option("of");
  const auto is_key = [](const auto& option) {
    return option.first.find('.') != std::string::npos;
  };
  if (asks_of) {
    require(arguments.words.empty(), ErrorKind::usage,
            "--of CONFIG.ini takes the place of a run directory; give one of the two");
  } else {
    require(arguments.words.size() == 1, ErrorKind::usage,
            "`echelon status` takes one run directory, or --of CONFIG.ini; see `echelon status "
            "--help`");
    require(std::none_of(arguments.options.begin(), arguments.options.end(), is_key),
            ErrorKind::usage,
            "keys of a configuration belong to --of CONFIG.ini; a run directory has its own");
  }
  require(field.empty() || !arguments.has_switch("json"), ErrorKind::usage,
          "--json prints all fields, --field one of them; give one of the two");
  const std::filesystem::path folder =
      asks_of ? folder_of(config, arguments) : std::filesystem::path(arguments.words.front());
  const RunStatus found =
      run_status(folder, arguments.has_switch("quick") ? Examine::manifests : Examine::all_bytes);
  const auto fields = fields_of(found, arguments.program);
  if (!field.empty()) {
    std::printf("%s\n", find_entry(fields, field, "field of `echelon status`").text.c_str());
  } else if (arguments.has_switch("json")) {
    print_json(fields);
  } else {
    print_for_people(found, arguments.program);
  }
  return found.state == RunState::absent && !asks_of ? exit_missing : exit_done;
}

}  // namespace echelon::cli

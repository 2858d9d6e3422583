#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "echelon/core/fnv.hpp"
#include "echelon/experiment/experiment.hpp"
#include "echelon/io/run_status.hpp"
#include "sweep.hpp"

namespace echelon::cli {

namespace {

namespace fs = std::filesystem;

constexpr ErrorKind usage = ErrorKind::usage;
constexpr std::size_t most_runs = 100'000;
constexpr std::size_t longest_name = 160;
constexpr const char* first_line = "echelon sweep 1";

/// At commas; at semicolons if there are any, so that values may hold commas.
std::vector<std::string> split_values(const std::string& list) {
  const char separator = list.find(';') != std::string::npos ? ';' : ',';
  std::vector<std::string> values;
  std::istringstream stream(list + separator);
  for (std::string value; std::getline(stream, value, separator);) {
    const auto begin = value.find_first_not_of(' ');
    const auto end = value.find_last_not_of(' ');
    values.push_back(begin == std::string::npos ? "" : value.substr(begin, end - begin + 1));
  }
  return values;
}

std::pair<std::string, std::vector<std::string>> parse_vary(const std::string& word) {
  const auto equals = word.find('=');
  require(equals != std::string::npos && equals > 0 && equals + 1 < word.size(), usage, "--vary: `",
          word, "` is not of the form section.key=a,b,c");
  auto values = split_values(word.substr(equals + 1));
  const std::set<std::string> distinct(values.begin(), values.end());
  require(distinct.size() == values.size(), usage, "--vary: `", word,
          "` names a value twice; the runs would be the same");
  return {word.substr(0, equals), std::move(values)};
}

/// For names whose characters had to change.
std::string short_digest(std::string_view content) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%08x", fnv_of<std::uint32_t>(content));
  return buffer;
}

std::string name_of(const Settings& settings) {
  std::string whole;
  for (const auto& [key, value] : settings) whole += (whole.empty() ? "" : ",") + key + "=" + value;
  std::string name = whole;
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) {
        return std::isalnum(c) == 0 &&
               std::string_view("._=-+,").find(static_cast<char>(c)) == std::string_view::npos;
      },
      '_');
  if (name == whole && name.size() <= longest_name) return name.empty() ? "run" : name;
  return name.substr(0, longest_name) + "~" + short_digest(whole);
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  require(file.is_open(), ErrorKind::missing_input, path.string(),
          ": cannot be read; a sweep is stored there by `echelon sweep CONFIG.ini --vary ...`");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A reader sees the old content or the new one, as tasks of one sweep may start at once.
void replace_file(const fs::path& path, const std::string& content) {
  const fs::path temporary = path.string() + text(".", ::getpid());
  std::ofstream file(temporary);
  file << content;
  file.close();
  std::error_code problem;
  if (file.good()) fs::rename(temporary, path, problem);
  require(file.good() && !problem, ErrorKind::cannot_create, path.string(), ": cannot be written");
}

std::string joined(const std::vector<std::string>& values) {
  const bool commas = std::any_of(values.begin(), values.end(), [](const std::string& value) {
    return value.find(',') != std::string::npos;
  });
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "" : commas ? ";" : ",") + value;
  return commas && values.size() == 1 ? out + ";" : out;
}

/// What all runs of a folder share, whatever is varied.
std::string shared_part(const Sweep& sweep) {
  std::string out;
  for (const auto& [key, value] : sweep.options) out += text("option ", key, "=", value, "\n");
  return out;
}

/// The options of one run, as far as they can be checked without the parts that it is composed of.
GeneralOptions checked(const std::string& config, const Settings& options,
                       const Settings& settings) {
  Configuration configuration;
  read_ini(config, configuration);
  read_environment(configuration);
  Arguments arguments;
  arguments.options = options;
  arguments.options.insert(arguments.options.end(), settings.begin(), settings.end());
  read_options(arguments, configuration);
  GeneralOptions general;
  general.read_from(configuration);
  return general;
}

}  // namespace

Sweep parse_sweep(const Arguments& arguments) {
  require(arguments.words.size() == 1, usage, "`echelon sweep` takes one configuration file, not ",
          arguments.words.size(), "; see `echelon sweep --help`");
  const std::string& config = arguments.words.front();
  Sweep sweep;
  for (const auto& [key, value] : arguments.options) {
    if (key == "vary") {
      sweep.varied.push_back(parse_vary(value));
    } else if (key.find('.') != std::string::npos) {
      require(key != "run.output", usage,
              "--run.output: runs of a sweep have folders of their own; name that of all with "
              "--output");
      sweep.options.emplace_back(key, value);
    }
  }
  if (!arguments.plugins.empty()) {
    Configuration configuration;
    read_ini(config, configuration);
    read_environment(configuration);
    read_options({.options = sweep.options, .plugins = arguments.plugins}, configuration);
    sweep.options.emplace_back("run.plugin", plugins_of(configuration));
  }
  const GeneralOptions general = checked(config, sweep.options, {});
  sweep.base = content_of(config);
  sweep.first_seed = general.experiment.seed;
  const std::string seeds = arguments.option("seeds", "0");
  const auto parsed = std::from_chars(seeds.data(), seeds.data() + seeds.size(), sweep.seeds);
  require(parsed.ptr == seeds.data() + seeds.size() && sweep.seeds >= 0 && sweep.seeds <= 10'000,
          usage, "--seeds: `", seeds, "` is not a whole number from 1 to 10000");
  std::set<std::string> keys;
  for (const auto& [key, values] : sweep.varied) {
    require(keys.insert(key).second, usage, "--vary: ", key,
            " is varied twice; name all values at once");
    require(sweep.seeds == 0 || key != "run.seed", usage,
            "--vary: run.seed is varied by --seeds already; keep one of them");
  }
  require(!keys.empty() || sweep.seeds > 0, usage,
          "nothing is varied; give --vary section.key=a,b,c or --seeds N");
  const fs::path otherwise = fs::path("results") / (fs::path(config).stem().string() + "-sweep");
  sweep.folder = arguments.option("output", otherwise.string());
  for (const Combination& run : sweep.combinations()) checked(config, sweep.options, run.settings);
  return sweep;
}

std::vector<Combination> Sweep::combinations() const {
  std::vector<Settings> grid{{}};
  const auto multiply = [&grid](const std::string& key, const std::vector<std::string>& values) {
    require(grid.size() * values.size() <= most_runs, usage, "--vary: more than ", most_runs,
            " runs; vary less");
    std::vector<Settings> larger;
    for (const Settings& settings : grid) {
      for (const auto& value : values) {
        larger.push_back(settings);
        larger.back().emplace_back(key, value);
      }
    }
    grid = std::move(larger);
  };
  for (const auto& [key, values] : varied) multiply(key, values);
  std::vector<std::string> all_seeds;
  for (std::int64_t s = 0; s < seeds; ++s) all_seeds.push_back(std::to_string(first_seed + s));
  if (seeds > 0) multiply("run.seed", all_seeds);
  std::vector<Combination> runs;
  for (Settings& settings : grid) {
    const std::string name = name_of(settings);
    runs.push_back({std::move(settings), name});
  }
  return runs;
}

void Sweep::store() const {
  std::error_code problem;
  fs::create_directories(folder, problem);
  require(!problem, ErrorKind::cannot_create, folder.string(), ": cannot be made (",
          problem.message(), "); name a folder that can be written with --output");
  require(!run_status(folder, Examine::manifests).holds_run(), ErrorKind::cannot_create,
          folder.string(), ": holds a run; name another folder with --output");
  if (fs::exists(folder / "sweep.txt")) {
    const Sweep other = stored(folder);
    require(other.base == base && shared_part(other) == shared_part(*this),
            ErrorKind::cannot_create, folder.string(),
            ": holds a sweep with another configuration or other options (sweep.ini, sweep.txt); "
            "name another folder with --output");
  }
  std::string out = text(first_line, "\n");
  for (const auto& [key, values] : varied) out += text("vary ", key, "=", joined(values), "\n");
  if (seeds > 0) out += text("seeds ", first_seed, " ", seeds, "\n");
  replace_file(folder / "sweep.ini", base);
  replace_file(folder / "sweep.txt", out + shared_part(*this));
}

Sweep Sweep::stored(const fs::path& folder) {
  Sweep sweep;
  sweep.folder = folder;
  const fs::path path = folder / "sweep.txt";
  std::istringstream lines(content_of(path));
  std::string line;
  int number = 1;
  require(std::getline(lines, line) && line == first_line, ErrorKind::bad_data, path.string(),
          ":1: is not `", first_line, "`; was it written by `echelon sweep`?");
  while (std::getline(lines, line)) {
    ++number;
    std::istringstream words(line);
    std::string what;
    std::string rest;
    words >> what >> std::ws;
    std::getline(words, rest);
    const auto equals = rest.find('=');
    if (what == "vary") {
      sweep.varied.push_back(parse_vary(rest));
      // A list of one value that holds commas ends with a semicolon.
      if (rest.back() == ';') sweep.varied.back().second.pop_back();
    } else if (what == "option" && equals != std::string::npos) {
      sweep.options.emplace_back(rest.substr(0, equals), rest.substr(equals + 1));
    } else if (what == "seeds") {
      std::istringstream(rest) >> sweep.first_seed >> sweep.seeds;
    } else {
      fail(ErrorKind::bad_data, path.string(), ":", number, ": `", line,
           "` is no line of a sweep; start the sweep again in another folder");
    }
  }
  sweep.base = content_of(folder / "sweep.ini");
  return sweep;
}

}  // namespace echelon::cli

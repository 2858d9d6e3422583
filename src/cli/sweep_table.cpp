#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <map>

#include "commands.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"
#include "echelon/io/run_status.hpp"
#include "sweep.hpp"

namespace echelon::cli {

namespace {

namespace fs = std::filesystem;

constexpr double none = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const auto end = std::min(line.find(',', begin), line.size());
    cells.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells;
}

/// Figures of the last row of metrics.csv, by column; empty if there is none.
std::vector<std::pair<std::string, double>> last_row(const fs::path& path) {
  std::ifstream file(path);
  std::string header;
  std::string line;
  std::string last;
  std::getline(file, header);
  while (std::getline(file, line)) last = line;
  const auto names = cells_of(header);
  const auto cells = cells_of(last);
  std::vector<std::pair<std::string, double>> row;
  if (last.empty() || names.size() != cells.size()) return row;
  for (std::size_t c = 0; c < names.size(); ++c) {
    double value = none;
    const char* const end = cells[c].data() + cells[c].size();
    if (std::from_chars(cells[c].data(), end, value).ptr != end || cells[c].empty()) value = none;
    row.emplace_back(names[c], value);
  }
  return row;
}

/// Runs that differ in the seed alone.
struct Line {
  std::vector<std::string> values;  ///< of the varied keys
  int runs = 0;
  std::map<RunOutcome::Kind, int> states{};
  std::string remark{};                                  ///< about the first that is not done
  std::map<std::string, std::vector<double>> figures{};  ///< of those that are done, by column

  int done() const {
    const auto found = states.find(RunOutcome::Kind::done);
    return found == states.end() ? 0 : found->second;
  }
};

struct Spread {
  double mean = none;
  double deviation = none;  ///< n - 1 in the denominator; none for one run
};

Spread spread(const std::vector<double>& numbers) {
  Spread result;
  if (numbers.empty()) return result;
  double sum = 0;
  for (const double number : numbers) sum += number;
  const auto count = static_cast<double>(numbers.size());
  result.mean = sum / count;
  if (numbers.size() < 2) return result;
  double squares = 0;
  for (const double number : numbers) squares += (number - result.mean) * (number - result.mean);
  result.deviation = std::sqrt(squares / (count - 1));
  return result;
}

Spread spread(const Line& line, const std::string& column) {
  const auto found = line.figures.find(column);
  return found == line.figures.end() ? Spread{} : spread(found->second);
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string cell_text(double value) {
  return std::isnan(value) ? "" : number_text(value);
}

void write_csv(const Sweep& sweep, const std::vector<Line>& lines,
               const std::vector<std::string>& columns) {
  const fs::path path = sweep.folder / "sweep.csv";
  std::ofstream file(path);
  for (const auto& [key, values] : sweep.varied) file << quoted(key) << ",";
  file << "runs,done,diverged,failed,unfinished";
  for (const auto& column : columns) file << "," << column << "_mean," << column << "_std";
  file << "\n";
  for (const Line& line : lines) {
    for (const auto& value : line.values) file << quoted(value) << ",";
    const auto count = [&line](RunOutcome::Kind kind) {
      const auto found = line.states.find(kind);
      return found == line.states.end() ? 0 : found->second;
    };
    file << line.runs << "," << line.done() << "," << count(RunOutcome::Kind::diverged) << ","
         << count(RunOutcome::Kind::failed) << ","
         << count(RunOutcome::Kind::unfinished) + count(RunOutcome::Kind::waiting);
    for (const auto& column : columns) {
      const Spread own = spread(line, column);
      file << "," << cell_text(own.mean) << "," << cell_text(own.deviation);
    }
    file << "\n";
  }
  file << std::flush;
  require(file.good(), ErrorKind::input_output, path.string(), ": cannot be written");
}

/// Columns that say how good a run is, where any run has them.
bool is_shown(const std::string& column) {
  constexpr const char* hidden[] = {"iteration",     "seconds",        "gradient_calls",
                                    "product_calls", "value_calls",    "bytes_sent",
                                    "answers",       "skipped_rounds", "largest_staleness"};
  return std::find(std::begin(hidden), std::end(hidden), column) == std::end(hidden);
}

std::string shown(const Spread& own) {
  if (std::isnan(own.mean)) return "-";
  char buffer[64];
  if (std::isnan(own.deviation)) {
    std::snprintf(buffer, sizeof buffer, "%.4g", own.mean);
  } else {
    std::snprintf(buffer, sizeof buffer, "%.4g +- %.2g", own.mean, own.deviation);
  }
  return buffer;
}

void print_table(const Sweep& sweep, const std::vector<Line>& lines,
                 const std::vector<std::string>& columns) {
  std::vector<std::vector<std::string>> rows(1);
  for (const auto& [key, values] : sweep.varied) rows[0].push_back(key);
  rows[0].push_back("done");
  std::vector<std::string> figures;
  for (const auto& column : columns) {
    const bool any = std::any_of(lines.begin(), lines.end(), [&](const Line& line) {
      return !std::isnan(spread(line, column).mean);
    });
    if (is_shown(column) && any) figures.push_back(column);
  }
  rows[0].insert(rows[0].end(), figures.begin(), figures.end());
  for (const Line& line : lines) {
    rows.push_back(line.values);
    rows.back().push_back(text(line.done(), " of ", line.runs));
    for (const auto& column : figures) rows.back().push_back(shown(spread(line, column)));
    if (!line.remark.empty()) rows.back().push_back(line.remark);
  }
  std::vector<std::size_t> width(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < width.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) line += "  ";
      line += row[c];
      if (c < width.size()) line += std::string(width[c] - row[c].size(), ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

}  // namespace

int write_table(const Sweep& sweep) {
  std::vector<Line> lines;
  std::vector<std::string> columns;
  int code = exit_done;
  bool unfinished = false;
  for (const Combination& run : sweep.combinations()) {
    std::vector<std::string> values;
    for (std::size_t k = 0; k < sweep.varied.size(); ++k) values.push_back(run.settings[k].second);
    if (lines.empty() || lines.back().values != values) lines.push_back({.values = values});
    Line& line = lines.back();
    const RunOutcome state = outcome_of(sweep.folder, run);
    ++line.runs;
    ++line.states[state.kind];
    if (state.kind == RunOutcome::Kind::waiting || state.kind == RunOutcome::Kind::unfinished) {
      unfinished = true;
    } else if (state.code != 0 && code == exit_done) {
      code = state.code;
    }
    if (state.kind != RunOutcome::Kind::done) {
      if (line.remark.empty()) line.remark = run.name + ": " + state.text();
      continue;
    }
    for (const auto& [column, value] : last_row(sweep.folder / run.name / run_files::metrics)) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
        columns.push_back(column);
      }
      if (!std::isnan(value)) line.figures[column].push_back(value);
    }
  }
  write_csv(sweep, lines, columns);
  std::printf("\n");
  print_table(sweep, lines, columns);
  std::printf("\ntable: %s\n", (sweep.folder / "sweep.csv").c_str());
  return unfinished && code == exit_done ? exit_interrupted : code;
}

}  // namespace echelon::cli

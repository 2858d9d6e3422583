#include "echelon/io/inspect.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>

#include "durable_file.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"
#include "echelon/io/run_status.hpp"
#include "hdf5_reader.hpp"
#include "manifest.hpp"

namespace echelon {

using namespace detail;

namespace {

constexpr std::uint64_t longest_text = std::uint64_t{1} << 30;

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return text(bytes, " B");
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  int unit = 0;
  for (; value >= 1024 && unit < 3; ++unit) value /= 1024;
  return text(number_text(std::round(value * 10) / 10), " ", units[unit]);
}

/// Collects lines and whether anything is damaged.
class Report {
 public:
  explicit Report(Inspection& out) : out_(out) {}
  template <class... Parts>
  void line(int depth, const Parts&... parts) {
    out_.text += std::string(static_cast<std::size_t>(2 * depth), ' ') + text(parts...) + "\n";
  }
  template <class... Parts>
  void damage(int depth, const Parts&... parts) {
    line(depth, parts...);
    out_.sound = false;
  }

 private:
  Inspection& out_;
};

/// Smallest and largest number, and how many are none.
class Extremes {
 public:
  template <class Number>
  void add(const void* bytes, std::size_t count) {
    for (std::size_t at = 0; at + sizeof(Number) <= count; at += sizeof(Number)) {
      Number value;
      std::memcpy(&value, static_cast<const char*>(bytes) + at, sizeof(Number));
      add_number(static_cast<double>(value));
    }
  }
  std::string text() const {
    std::string range;
    if (low_ <= high_)
      range = low_ == high_ ? ", all " + number_text(low_)
                            : ", " + number_text(low_) + " .. " + number_text(high_);
    if (missing_ > 0) range += echelon::text(", ", missing_, " missing");
    return range;
  }

 private:
  void add_number(double value) {
    if (std::isnan(value)) {
      ++missing_;
    } else {
      low_ = std::min(low_, value);
      high_ = std::max(high_, value);
    }
  }

  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
  std::uint64_t missing_ = 0;
};

const char* kind_text(const DatasetShape& shape) {
  switch (shape.kind) {
    case ElementKind::real:
      return "real";
    case ElementKind::integer:
      return "integer";
    case ElementKind::text:
      return "text";
    default:
      return "other";
  }
}

/// Reads one dataset to its end, which verifies the checksums of its chunks.
void report_dataset(Report& report, int depth, const Hdf5Reader& file, const std::string& path) {
  const DatasetShape& shape = file.shape(path);
  std::string line = text("/", path, ": ", kind_text(shape), ", ", shape.text());
  if (shape.kind == ElementKind::other || shape.extents.size() > 2) {
    report.line(depth, line, " (not read)");
    return;
  }
  Extremes extremes;
  file.blocks(path, [&](const void* bytes, std::size_t count) {
    if (shape.kind == ElementKind::real) extremes.add<double>(bytes, count);
    if (shape.kind != ElementKind::integer) return;
    if (shape.element_bytes == sizeof(AgentId)) {
      extremes.add<AgentId>(bytes, count);
    } else {
      extremes.add<std::int64_t>(bytes, count);
    }
  });
  if (shape.kind == ElementKind::text) line += text(" of ", shape.element_bytes, " bytes");
  const std::string units = file.attribute(path, "units");
  const std::string description = file.attribute(path, "description");
  if (!units.empty() && units != "1") line += ", in " + units;
  line += extremes.text();
  report.line(depth, line, description.empty() ? "" : " -- ", description);
}

void report_hdf5(Report& report, int depth, const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  try {
    std::error_code ignored;
    const std::string size = size_text(std::filesystem::file_size(path, ignored));
    bool has_digest = false;
    const std::string damage = preamble_damage(path, has_digest);
    if (!damage.empty()) {  // HDF5 may crash on it
      report.damage(depth, name, ": ", size, ", DAMAGED (", damage, ")");
      return;
    }
    const Hdf5Reader file(path);
    report.line(depth, name, ": ", size,
                has_digest ? ", digest verified" : ", without a digest of ours");
    for (const char* key : {"format", "problem", "method", "status"}) {
      const std::string value = file.attribute("/", key);
      if (!value.empty()) report.line(depth + 1, key, ": ", value);
    }
    for (const auto& [dataset, shape] : file.datasets()) {
      try {
        report_dataset(report, depth + 1, file, dataset);
      } catch (const std::exception& error) {
        report.damage(depth + 1, "/", dataset, ": DAMAGED (", error.what(), ")");
      }
    }
  } catch (const std::exception& error) {
    report.damage(depth, name, ": DAMAGED (", error.what(), ")");
  }
}

void report_checkpoint(Report& report, int depth, const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  try {
    const Manifest manifest = parse_manifest(read_manifest_text(folder), manifest_name);
    std::string damage;
    std::uint64_t bytes = 0;
    for (const ShardEntry& shard : manifest.shards) {
      if (damage.empty()) damage = shard_damage(folder, shard);
      bytes += shard.bytes;
    }
    const std::string what =
        text(name, ": iteration ", manifest.iteration, ", ", number_text(manifest.seconds), " s, ",
             manifest.agents, " agents in ", manifest.shards.size(), " shards, ", size_text(bytes),
             ", build ", manifest.build);
    if (damage.empty()) {
      report.line(depth, what, ": OK");
    } else {
      report.damage(depth, what, ": DAMAGED (", damage, ")");
    }
  } catch (const std::exception& error) {
    report.damage(depth, name, ": DAMAGED (", error.what(), ")");
  }
}

void report_checkpoints(Report& report, const std::filesystem::path& folder) {
  try {
    const auto found = list_checkpoints(folder);
    report.line(1, "checkpoints: ", found.empty() ? "none" : text(found.size()));
    for (const CheckpointFolder& one : found) {
      const auto here = iteration_folder(folder, one.iteration);
      if (one.committed) {
        report_checkpoint(report, 2, here);
      } else {
        report.line(2, here.filename().string(), ": an interrupted save, ignored");
      }
    }
  } catch (const std::exception& error) {
    report.damage(1, "checkpoints: DAMAGED (", error.what(), ")");
  }
}

std::vector<std::string> split(const std::string& bytes, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= bytes.size();) {
    const auto end = std::min(bytes.find(separator, begin), bytes.size());
    parts.push_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void report_metrics(Report& report, const std::filesystem::path& path) {
  const std::string bytes = read_whole(path, longest_text);
  auto lines = split(bytes, '\n');
  const bool whole = !bytes.empty() && lines.back().empty();
  if (whole) lines.pop_back();
  const auto columns = split(lines.front(), ',');
  if (!whole) {
    report.damage(1, "metrics.csv: DAMAGED (the last line is cut)");
    return;
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (split(lines[i], ',').size() == columns.size()) continue;
    report.damage(1, "metrics.csv: DAMAGED (line ", i + 1,
                  " has another number of cells than the header)");
    return;
  }
  report.line(1, "metrics.csv: ", lines.size() - 1, " rows");
  if (lines.size() < 2) return;
  const auto cells = split(lines.back(), ',');
  std::string last;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    if (!cells[c].empty()) last += text(last.empty() ? "" : ", ", columns[c], " ", cells[c]);
  }
  report.line(2, "last: ", last);
}

/// Sizes and labels of the agents, from the table of a partition.
void report_partition(Report& report, const std::filesystem::path& path) {
  const auto lines = split(read_whole(path, longest_text), '\n');
  const auto columns = lines.size() > 1 ? split(lines[1], ',') : std::vector<std::string>{};
  std::vector<std::int64_t> sizes;
  std::string damage;
  if (columns.size() < 2 || !lines.back().empty()) damage = "cut short";
  for (std::size_t i = 2; i + 1 < lines.size() && damage.empty(); ++i) {
    const auto cells = split(lines[i], ',');
    std::int64_t size = 0;
    std::int64_t sum = 0;
    bool whole = cells.size() == columns.size();
    for (std::size_t c = 1; c < cells.size() && whole; ++c) {
      const bool is_label = columns[c].starts_with("label_");
      if (c > 1 && !is_label) continue;
      std::int64_t number = 0;
      const char* const end = cells[c].data() + cells[c].size();
      whole = std::from_chars(cells[c].data(), end, number).ptr == end;
      (is_label ? sum : size) += number;
    }
    if (!whole || size != sum) damage = text("line ", i + 1, " does not add up");
    sizes.push_back(size);
  }
  if (!damage.empty() || sizes.empty()) {
    report.damage(1, "partition.csv: DAMAGED (", damage.empty() ? "no agents" : damage, ")");
    return;
  }
  std::sort(sizes.begin(), sizes.end());
  report.line(1, "partition.csv: ", lines[0].substr(std::min<std::size_t>(2, lines[0].size())),
              "; ", sizes.size(), " agents with ", sizes.front(), " / ", sizes[sizes.size() / 2],
              " / ", sizes.back(), " samples (least / median / most)");
}

void report_run(Report& report, const std::filesystem::path& folder) {
  const RunStatus status = run_status(folder, Examine::manifests);
  report.line(0, folder.string());
  report.line(1, "state: ", state_name(status.state), " (", status.reason, ")");
  std::error_code ignored;
  const auto has = [&](const char* name) {
    return std::filesystem::exists(folder / name, ignored);
  };
  try {
    if (has(run_files::config)) {
      const std::string ini = read_whole(folder / run_files::config, longest_text);
      report.line(1, "config.ini: ", std::count(ini.begin(), ini.end(), '\n'), " lines");
    } else {
      report.line(1, "config.ini: none");
    }
    if (has(run_files::partition)) report_partition(report, folder / run_files::partition);
    if (has(run_files::metrics)) {
      report_metrics(report, folder / run_files::metrics);
    } else {
      report.line(1, "metrics.csv: none");
    }
  } catch (const std::exception& error) {
    report.damage(1, "DAMAGED (", error.what(), ")");
  }
  if (has(run_files::result)) {
    report_hdf5(report, 1, folder / run_files::result);
  } else {
    report.line(1, "result.h5: none");
  }
  report_checkpoints(report, folder / run_files::checkpoints);
}

}  // namespace

Inspection inspect(const std::filesystem::path& path) {
  std::error_code ignored;
  require(std::filesystem::exists(path, ignored), ErrorKind::missing_input, path.string(),
          ": there is no such file or folder; name a run directory or an HDF5 file");
  Inspection result;
  Report report(result);
  if (!std::filesystem::is_directory(path, ignored)) {
    report_hdf5(report, 0, path);
  } else if (std::filesystem::exists(path / manifest_name, ignored)) {
    report_checkpoint(report, 0, path);
  } else {
    report_run(report, path);
  }
  return result;
}

}  // namespace echelon

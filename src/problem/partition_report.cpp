#include <algorithm>
#include <array>
#include <unordered_map>

#include "echelon/core/error.hpp"
#include "echelon/problem/partition.hpp"

namespace echelon {

namespace {

struct Spread {
  std::int64_t least, median, most;
};

Spread spread(std::vector<std::int64_t> numbers) {
  if (numbers.empty()) return {};
  std::sort(numbers.begin(), numbers.end());
  return {numbers.front(), numbers[numbers.size() / 2], numbers.back()};
}

std::string parameters(const PartitionOptions& options) {
  std::string out = options.partition;
  if (options.partition.starts_with("dirichlet")) out += text(" alpha ", options.dirichlet_alpha);
  if (options.partition == "power-law") out += text(" exponent ", options.power_exponent);
  if (options.partition == "label-shards") {
    out += text(" with ", options.shards_per_agent, " per agent");
  }
  if (options.minimum_samples > 0) out += text(" at least ", options.minimum_samples);
  return out;
}

}  // namespace

SampleOrigins SampleOrigins::subset(const std::vector<std::int64_t>& samples) const {
  SampleOrigins result{ids, {}};
  if (ids.empty()) return result;
  for (const std::int64_t sample : samples) {
    result.of.push_back(of[static_cast<std::size_t>(sample)]);
  }
  return result;
}

SampleOrigins origins_of(const PartitionOptions& options, const DataSource& source,
                         const std::vector<std::string>& data_ids, std::int64_t samples) {
  const std::string& path = options.partition_file;
  const bool natural = options.partition == "natural";
  require(natural || path.empty(), ErrorKind::usage, "problem.partition_file: ", path,
          " would not be read (problem.partition is ", options.partition,
          "); choose problem.partition = natural, or leave the file out");
  if (!natural) return {};
  require(!path.empty() || !data_ids.empty(), ErrorKind::usage,
          "problem.partition: natural deals by ids, but the data have none; name a file with one "
          "per sample in problem.partition_file");
  const std::vector<std::string> ids = path.empty() ? data_ids : source.sample_ids(path);
  require(std::ssize(ids) == samples, ErrorKind::bad_data, path, ": ", ids.size(),
          " ids (but there are ", samples, " samples); write one id per sample, each on a line");
  SampleOrigins result;
  std::unordered_map<std::string, std::int64_t> numbers;
  for (const std::string& id : ids) {
    require(id.find_first_of(",\"") == std::string::npos, ErrorKind::bad_data,
            path.empty() ? "qid" : path, ": the id ", id,
            " holds a comma or a quotation mark; write ids without them");
    const auto [found, is_new] = numbers.emplace(id, std::ssize(result.ids));
    if (is_new) result.ids.push_back(id);
    result.of.push_back(found->second);
  }
  return result;
}

Partition deal_chosen(const std::vector<std::int64_t>& chosen,
                      const std::vector<std::uint8_t>& labels, std::int64_t total,
                      std::int64_t agents, const PartitionOptions& options,
                      const DataSource& source, std::uint64_t seed,
                      const std::vector<std::string>& data_ids) {
  const SampleOrigins origins = origins_of(options, source, data_ids, total).subset(chosen);
  Partition partition;
  partition.samples = deal_samples(labels, agents, options, seed, origins);
  partition.report = report_on(partition.samples, labels, options, seed, origins);
  return partition;
}

PartitionReport report_on(const std::vector<std::vector<std::int64_t>>& dealt,
                          const std::vector<std::uint8_t>& labels, const PartitionOptions& options,
                          std::uint64_t seed, const SampleOrigins& origins) {
  PartitionReport report;
  report.partition = text(parameters(options), ", seed ", seed);
  report.agents = std::ssize(dealt);
  std::array<std::size_t, 256> column{};
  for (const std::uint8_t label : labels) column[label] = 1;
  for (std::size_t label = 0; label < column.size(); ++label) {
    if (column[label] == 0) continue;
    column[label] = report.labels.size();
    report.labels.push_back(static_cast<int>(label));
  }
  const std::size_t width = report.labels.size();
  report.counts.resize(dealt.size() * width);
  for (std::size_t i = 0; i < dealt.size(); ++i) {
    for (const std::int64_t sample : dealt[i]) {
      ++report.counts[i * width + column[labels[static_cast<std::size_t>(sample)]]];
    }
  }
  if (origins.ids.empty()) return report;
  report.ids.resize(dealt.size());
  for (std::size_t k = 0; k < origins.ids.size(); ++k) {
    std::string& own = report.ids[k % dealt.size()];
    own += (own.empty() ? "" : " ") + origins.ids[k];
  }
  return report;
}

std::int64_t PartitionReport::size(std::int64_t agent) const {
  const std::int64_t width = std::ssize(labels);
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < width; ++c) {
    sum += counts[static_cast<std::size_t>(agent * width + c)];
  }
  return sum;
}

std::string PartitionReport::summary() const {
  const std::int64_t width = std::ssize(labels);
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> held;
  std::int64_t samples = 0;
  for (std::int64_t i = 0; i < agents; ++i) {
    sizes.push_back(size(i));
    samples += sizes.back();
    const auto row = counts.begin() + i * width;
    held.push_back(width - std::count(row, row + width, 0));
  }
  const Spread own = spread(std::move(sizes));
  const Spread kinds = spread(std::move(held));
  return text(partition, ": ", samples, " samples to ", agents, " agents, each ", own.least, " / ",
              own.median, " / ", own.most, " (least / median / most), of ", kinds.least, " / ",
              kinds.median, " / ", kinds.most, " of ", width, " labels");
}

std::string PartitionReport::csv() const {
  std::string out = text("# partition ", partition, "\nagent,samples");
  for (const int label : labels) out += text(",label_", label);
  out += ids.empty() ? "\n" : ",ids\n";
  const std::int64_t width = std::ssize(labels);
  for (std::int64_t i = 0; i < agents; ++i) {
    out += std::to_string(i) + "," + std::to_string(size(i));
    for (std::int64_t c = 0; c < width; ++c) {
      out += "," + std::to_string(counts[static_cast<std::size_t>(i * width + c)]);
    }
    if (!ids.empty()) out += "," + ids[static_cast<std::size_t>(i)];
    out += "\n";
  }
  return out;
}

}  // namespace echelon

#include "manifest.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

#include "digest.hpp"
#include "durable_file.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"

namespace echelon::detail {

namespace {

constexpr std::uint64_t longest_manifest = std::uint64_t{1} << 28;
constexpr std::size_t digest_digits = 32;
constexpr std::size_t iteration_digits = 12;
constexpr const char* title = "echelon checkpoint 1";

bool is_digest(std::string_view word) {
  return word.size() == digest_digits &&
         word.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

template <class Number>
bool read_number(std::string_view word, Number& value) {
  const auto result = std::from_chars(word.data(), word.data() + word.size(), value);
  return result.ec == std::errc() && result.ptr == word.data() + word.size();
}

std::string padded(std::uint64_t value, std::size_t digits) {
  std::string number = std::to_string(value);
  if (number.size() < digits) number.insert(0, digits - number.size(), '0');
  return number;
}

bool is_our_shard(const std::string& name) {
  return name.starts_with("shard-") && (name.ends_with(".h5") || name.ends_with(".h5.tmp"));
}

/// Takes a manifest apart line by line.
class Lines {
 public:
  Lines(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  std::string_view line() {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos) damaged("ends too early");
    ++number_;
    return take(end);
  }
  /// The rest of a line that starts with `key`.
  std::string_view value(const std::string& key) {
    const std::string_view whole = line();
    if (!whole.starts_with(key + " ")) damaged("expected `" + key + "`");
    return whole.substr(key.size() + 1);
  }
  template <class Number>
  Number number(const std::string& key) {
    Number result{};
    if (!read_number(value(key), result) || result < Number{})
      damaged("`" + key + "` is not a proper number");
    return result;
  }
  std::string_view block(std::size_t bytes) {
    if (bytes >= rest_.size() || rest_[bytes] != '\n')
      damaged("the configuration has another length");
    return take(bytes);
  }
  bool at_end() const { return rest_.empty(); }
  [[noreturn]] void damaged(const std::string& why) const {
    fail(ErrorKind::bad_data, where_, ": line ", number_, ": ", why);
  }

 private:
  std::string_view take(std::size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes + 1);
    return taken;
  }

  std::string_view rest_;
  const std::string& where_;
  int number_ = 0;
};

std::string ranges(const std::vector<AgentId>& agents) {
  std::string list;
  for (std::size_t first = 0; first < agents.size();) {
    std::size_t last = first;
    while (last + 1 < agents.size() && agents[last + 1] == agents[last] + 1) ++last;
    list += (list.empty() ? "" : ",") + std::to_string(agents[first]);
    if (last > first) list += "-" + std::to_string(agents[last]);
    first = last + 1;
  }
  return list.empty() ? "none" : list;
}

std::vector<AgentId> parse_ranges(std::string_view list, AgentId total, const std::string& where) {
  std::vector<AgentId> agents;
  if (list == "none") return agents;
  AgentId next = 0;  // ascending
  while (!list.empty()) {
    const std::string_view range = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), range.size() + 1));
    const auto dash = range.find('-');
    AgentId first = -1;
    bool good = read_number(range.substr(0, dash), first);
    AgentId last = first;
    if (dash != std::string_view::npos) good = read_number(range.substr(dash + 1), last) && good;
    require(good && first >= next && last >= first && last < total, ErrorKind::bad_data, where,
            ": `", range, "` is not a range of agents");
    for (AgentId agent = first; agent <= last; ++agent) agents.push_back(agent);
    next = last + 1;
  }
  return agents;
}

void require_partition(const Manifest& manifest, const std::string& where) {
  std::vector<bool> seen(static_cast<std::size_t>(manifest.agents), false);
  std::size_t count = 0;
  for (const ShardEntry& shard : manifest.shards) {
    for (const AgentId agent : shard.agents) {
      const auto index = static_cast<std::size_t>(agent);
      require(!seen[index], ErrorKind::bad_data, where, ": agent ", agent, " is in two shards");
      seen[index] = true;
      ++count;
    }
  }
  require(count == seen.size(), ErrorKind::bad_data, where, ": ", seen.size() - count,
          " agents are in no shard");
}

}  // namespace

std::string ShardEntry::line() const {
  return echelon::text(name, " ", bytes, " ", digest, " ", ranges(agents));
}

ShardEntry parse_shard(const std::string& line, AgentId total, const std::string& where) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= line.size();) {
    const auto end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  ShardEntry shard;
  require(words.size() == 4 && is_our_shard(words[0]) && words[0].find('/') == std::string::npos &&
              read_number(words[1], shard.bytes) && is_digest(words[2]),
          ErrorKind::bad_data, where, ": `", line.substr(0, 80), "` does not describe a shard");
  shard.name = words[0];
  shard.digest = words[2];
  shard.agents = parse_ranges(words[3], total, where);
  return shard;
}

std::string Manifest::text() const {
  std::string body = echelon::text(title, "\niteration ", iteration, "\nseconds ",
                                   number_text(seconds), "\nagents ", agents, "\nranks ", ranks,
                                   "\nbuild ", build, "\nshards ", shards.size(), "\n");
  for (const ShardEntry& shard : shards) body += "shard " + shard.line() + "\n";
  body += echelon::text("configuration ", configuration.size(), "\n", configuration, "\n");
  return body + "digest " + digest_of(body) + "\n";
}

Manifest parse_manifest(const std::string& bytes, const std::string& where) {
  constexpr std::size_t last_line = 7 + digest_digits + 1;
  const std::size_t body = bytes.size() < last_line ? 0 : bytes.size() - last_line;
  require(body > 0 && bytes.substr(body) == "digest " + digest_of(bytes.substr(0, body)) + "\n",
          ErrorKind::bad_data, where, ": digest differs");
  Lines lines(std::string_view(bytes).substr(0, body), where);
  if (lines.line() != title) lines.damaged("this version of the format is not known");
  Manifest manifest;
  manifest.iteration = lines.number<std::uint64_t>("iteration");
  manifest.seconds = lines.number<double>("seconds");
  manifest.agents = lines.number<AgentId>("agents");
  manifest.ranks = lines.number<int>("ranks");
  manifest.build = lines.value("build");
  const auto count = lines.number<std::size_t>("shards");
  if (count == 0 || count > bytes.size()) lines.damaged("the number of shards cannot be");
  for (std::size_t i = 0; i < count; ++i) {
    manifest.shards.push_back(
        parse_shard(std::string(lines.value("shard")), manifest.agents, where));
  }
  manifest.configuration = lines.block(lines.number<std::size_t>("configuration"));
  if (!lines.at_end()) lines.damaged("there is more than expected");
  require_partition(manifest, where);
  return manifest;
}

std::string read_manifest_text(const std::filesystem::path& folder) {
  return read_whole(folder / manifest_name, longest_manifest);
}

std::string shard_damage(const std::filesystem::path& folder, const ShardEntry& shard) {
  try {
    std::error_code code;
    const auto bytes = std::filesystem::file_size(folder / shard.name, code);
    if (code) return shard.name + ": " + code.message();
    if (bytes != shard.bytes) {
      return text(shard.name, ": has ", bytes, " bytes instead of ", shard.bytes);
    }
    if (digest_file(folder / shard.name).whole != shard.digest)
      return shard.name + ": digest differs";
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

std::filesystem::path iteration_folder(const std::filesystem::path& folder,
                                       std::uint64_t iteration) {
  return folder / padded(iteration, iteration_digits);
}

std::string shard_name(int rank, int ranks, int attempt) {
  const std::string name = "shard-" + padded(static_cast<std::uint64_t>(rank), 4) + "-of-" +
                           padded(static_cast<std::uint64_t>(ranks), 4);
  return attempt == 0 ? name + ".h5" : text(name, ".", attempt, ".h5");
}

std::vector<CheckpointFolder> list_checkpoints(const std::filesystem::path& folder) {
  std::vector<CheckpointFolder> found;
  std::error_code code;
  std::filesystem::directory_iterator entry(folder, code);
  if (code == std::errc::no_such_file_or_directory) return found;
  for (; !code && entry != std::filesystem::directory_iterator(); entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    CheckpointFolder one;
    std::error_code ignored;
    if (name.size() < iteration_digits || !read_number(std::string_view(name), one.iteration) ||
        padded(one.iteration, iteration_digits) != name || !entry->is_directory(ignored)) {
      continue;
    }
    one.committed = std::filesystem::exists(entry->path() / manifest_name, ignored);
    found.push_back(one);
  }
  require(!code, ErrorKind::input_output, folder.string(), ": cannot be listed (", code.message(),
          ")");
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.iteration > b.iteration; });
  return found;
}

void remove_shards_except(const std::filesystem::path& folder,
                          const std::vector<std::string>& keep) noexcept {
  try {
    std::vector<std::filesystem::path> doomed;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      const bool ours = is_our_shard(name) || name == std::string(manifest_name) + ".tmp";
      if (ours && std::find(keep.begin(), keep.end(), name) == keep.end())
        doomed.push_back(entry.path());
    }
    std::error_code ignored;
    for (const auto& path : doomed) std::filesystem::remove(path, ignored);
  } catch (const std::exception&) {
    // What stays is removed by a later save; a checkpoint that is complete is not worth losing for
    // it.
  }
}

void remove_checkpoint(const std::filesystem::path& folder) noexcept {
  try {
    std::error_code ignored;
    if (std::filesystem::remove(folder / manifest_name, ignored)) sync_folder(folder);
    remove_shards_except(folder, {});
    std::filesystem::remove(folder, ignored);
  } catch (const std::exception&) {
    // As above.
  }
}

}  // namespace echelon::detail

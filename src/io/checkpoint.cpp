#include "echelon/io/checkpoint.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <system_error>

#include "durable_file.hpp"
#include "manifest.hpp"
#include "state_shard.hpp"

namespace echelon {

using namespace detail;

namespace {

std::string one_line(std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

constexpr int most_differences = 3;  ///< that a message names

/// The values of INI text under their names section.key; lines that are none under themselves.
std::map<std::string, std::string> values_of(const std::string& ini) {
  std::map<std::string, std::string> values;
  std::istringstream lines(ini);
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find(" =");
    if (line.starts_with("[") && line.ends_with("]")) {
      section = line.substr(1, line.size() - 2) + ".";
    } else if (equals != std::string::npos) {
      values[section + line.substr(0, equals)] = line.substr(std::min(line.size(), equals + 3));
    } else if (!line.empty()) {
      values[line];
    }
  }
  return values;
}

/// The first of all ranks' texts that is not empty.
std::string first_report(const std::vector<std::string>& reports) {
  for (const auto& report : reports) {
    if (!report.empty()) return report;
  }
  return "";
}

void make_folder(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  require(!code, ErrorKind::cannot_create, path.string(), ": the folder cannot be made (",
          code.message(), "); choose another folder or free its name");
}

}  // namespace

CheckpointStore::CheckpointStore(const Communicator& communicator, AgentSet agents,
                                 std::filesystem::path folder, int keep,
                                 CheckpointIdentity identity)
    : communicator_(communicator),
      agents_(std::move(agents)),
      folder_(std::move(folder)),
      keep_(keep),
      identity_(std::move(identity)) {
  require(keep_ >= 1, ErrorKind::usage, "checkpoints: ", keep_,
          " cannot be kept; at least 1 is needed");
  identity_.build = one_line(identity_.build);
}

/// Returns how often this iteration has been saved before, as part of the new shards' names: a
/// valid checkpoint is never touched.
int CheckpointStore::prepare(std::uint64_t iteration) const {
  const auto here = iteration_folder(folder_, iteration);
  make_folder(here);
  sync_folder(folder_);
  std::error_code ignored;
  if (!std::filesystem::exists(here / manifest_name, ignored)) remove_shards_except(here, {});
  int attempt = 0;
  for (; attempt < 1000; ++attempt) {
    if (!std::filesystem::exists(here / shard_name(0, communicator_.size(), attempt), ignored))
      break;
  }
  return attempt;
}

std::string CheckpointStore::write_shard(std::uint64_t iteration, int attempt,
                                         const Visit& state) const {
  if (agents_.count() == 0 && communicator_.rank() != 0) return "";
  ShardEntry entry;
  entry.name = shard_name(communicator_.rank(), communicator_.size(), attempt);
  const auto path = iteration_folder(folder_, iteration) / entry.name;
  const FileDigest digest = write_state_shard(path, agents_, communicator_.rank() == 0, state);
  entry.bytes = digest.bytes;
  entry.digest = digest.whole;
  entry.agents = agents_.local;
  return entry.line();
}

void CheckpointStore::commit(std::uint64_t iteration, double seconds,
                             const std::vector<std::string>& shards) const {
  const auto here = iteration_folder(folder_, iteration);
  const std::string where = (here / manifest_name).string();
  Manifest manifest;
  manifest.iteration = iteration;
  manifest.seconds = seconds;
  manifest.agents = agents_.total;
  manifest.ranks = communicator_.size();
  manifest.build = identity_.build;
  manifest.configuration = identity_.configuration;
  std::vector<std::string> names{manifest_name};
  for (const std::string& line : shards) {
    if (line.empty()) continue;
    manifest.shards.push_back(parse_shard(line, agents_.total, where));
    names.push_back(manifest.shards.back().name);
  }
  const std::string bytes = manifest.text();
  parse_manifest(bytes, where);
  write_durably(here / manifest_name, bytes);
  remove_shards_except(here, names);
}

void CheckpointStore::prune(std::uint64_t newest) const noexcept {
  try {
    int kept = 0;
    for (const CheckpointFolder& found : list_checkpoints(folder_)) {
      if (found.iteration > newest) continue;
      if (found.committed && kept < keep_) {
        ++kept;
      } else {
        remove_checkpoint(iteration_folder(folder_, found.iteration));
      }
    }
  } catch (const std::exception&) {
    // The checkpoint is complete; the next save prunes again.
  }
}

void CheckpointStore::save(std::uint64_t iteration, double seconds, const Visit& state) {
  int attempt = 0;
  communicator_.together([&] {
    if (communicator_.rank() == 0) attempt = prepare(iteration);
  });
  attempt = std::stoi(communicator_.broadcast(std::to_string(attempt), 0));
  std::string line;
  try {
    communicator_.together([&] { line = write_shard(iteration, attempt, state); });
  } catch (...) {
    const auto here = iteration_folder(folder_, iteration);
    std::error_code ignored;
    if (!line.empty()) {
      std::filesystem::remove(
          here / shard_name(communicator_.rank(), communicator_.size(), attempt), ignored);
    }
    if (communicator_.rank() == 0) std::filesystem::remove(here, ignored);  // only if empty
    throw;
  }
  const auto lines = communicator_.gather_all(line);
  // If this fails the shards stay for the next save to remove: the manifest may be in place
  // already.
  communicator_.together([&] {
    if (communicator_.rank() == 0) commit(iteration, seconds, lines);
  });
  if (communicator_.rank() == 0) prune(iteration);
}

void CheckpointStore::require_same_configuration(const std::string& saved,
                                                 const std::string& where) const {
  if (saved == identity_.configuration) return;
  const auto theirs = values_of(saved);
  const auto ours = values_of(identity_.configuration);
  std::string differences;
  int count = 0;
  const auto add = [&](const std::string& key, const std::string& saved_value,
                       const std::string& own_value) {
    if (++count <= most_differences) {
      differences +=
          text(count > 1 ? ", " : "", key, " is ", saved_value, " there and ", own_value, " now");
    }
  };
  for (const auto& [key, value] : theirs) {
    const auto own = ours.find(key);
    if (own == ours.end()) {
      add(key, text("`", value, "`"), "not an option");
    } else if (own->second != value) {
      add(key, text("`", value, "`"), text("`", own->second, "`"));
    }
  }
  for (const auto& [key, value] : ours) {
    if (theirs.count(key) == 0) add(key, "not an option", text("`", value, "`"));
  }
  if (count == 0) differences = "its options come in another order";
  if (count > most_differences) differences += text(", and ", count - most_differences, " more");
  fail(ErrorKind::usage, where, ": belongs to another configuration (", differences,
       "), and these options change what is computed; resume with the values of the run");
}

std::vector<std::uint64_t> CheckpointStore::committed_iterations() const {
  std::string list;
  communicator_.together([&] {
    if (communicator_.rank() != 0) return;
    for (const CheckpointFolder& found : list_checkpoints(folder_)) {
      if (found.committed) list += text(found.iteration, " ");
    }
  });
  std::istringstream words(communicator_.broadcast(list, 0));
  std::vector<std::uint64_t> iterations;
  for (std::uint64_t iteration = 0; words >> iteration;) iterations.push_back(iteration);
  return iterations;
}

/// What is wrong with a checkpoint, the same text on all ranks; empty if `manifest` can be trusted.
std::string CheckpointStore::examine(std::uint64_t iteration, Manifest& manifest) const {
  const auto here = iteration_folder(folder_, iteration);
  const std::string where = (here / manifest_name).string();
  std::string bytes;
  std::string damage;
  if (communicator_.rank() == 0) {
    try {
      bytes = read_manifest_text(here);
      require(parse_manifest(bytes, manifest_name).iteration == iteration, ErrorKind::bad_data,
              manifest_name, ": belongs to another iteration");
    } catch (const std::exception& error) {
      damage = error.what();
    }
  }
  damage = communicator_.broadcast(damage, 0);
  if (!damage.empty()) return damage;
  manifest = parse_manifest(communicator_.broadcast(bytes, 0), where);
  communicator_.together([&] {
    require_same_configuration(manifest.configuration, where);
    require(manifest.agents == agents_.total, ErrorKind::usage, where, ": holds ", manifest.agents,
            " agents instead of ", agents_.total, "; resume with the configuration of the run");
  });
  // Each rank verifies its share of the shards.
  const auto first = static_cast<std::size_t>(communicator_.rank());
  const auto step = static_cast<std::size_t>(communicator_.size());
  for (std::size_t i = first; i < manifest.shards.size() && damage.empty(); i += step) {
    damage = shard_damage(here, manifest.shards[i]);
  }
  return first_report(communicator_.gather_all(damage));
}

std::optional<LoadedCheckpoint> CheckpointStore::load_newest(const Visit& state) {
  std::vector<std::string> damages;
  for (const std::uint64_t iteration : committed_iterations()) {
    Manifest manifest;
    const std::string damage = examine(iteration, manifest);
    if (!damage.empty()) {
      damages.push_back(text("checkpoint ", iteration, " does not verify (", damage, ")"));
      continue;
    }
    communicator_.together([&] {
      StateReader(iteration_folder(folder_, iteration), manifest, agents_).restore(state);
    });
    LoadedCheckpoint loaded{iteration, manifest.seconds, {}};
    for (const auto& passed_over : damages) {
      loaded.remarks.push_back(text(passed_over, ", falling back to ", iteration));
    }
    if (manifest.build != identity_.build) {
      loaded.remarks.push_back(text("checkpoint ", iteration, " was written by another build (",
                                    manifest.build, "; now ", identity_.build,
                                    "): bits may differ"));
    }
    return loaded;
  }
  if (damages.empty()) return std::nullopt;
  std::string all;
  for (const auto& damage : damages) all += (all.empty() ? "" : "; ") + damage;
  throw Error(ErrorKind::bad_data,
              text(folder_.string(), ": no checkpoint is usable: ", all,
                   "; restore one from a backup or start anew"),
              true);
}

}  // namespace echelon

#pragma once
/// The text file that makes a folder of shards a checkpoint. Lines, in this order:
///
///     echelon checkpoint 1
///     iteration 300
///     seconds 12.5
///     agents 10
///     ranks 3
///     build TEXT
///     shards 3
///     shard shard-0000-of-0003.h5 BYTES DIGEST 0-3      (one per shard; agents as ranges, `none`
///     without any) configuration BYTES (that many bytes, and a line end) digest DIGEST (of
///     everything above)

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "echelon/core/agents.hpp"

namespace echelon::detail {

inline constexpr const char* manifest_name = "manifest.txt";

struct ShardEntry {
  std::string name;
  std::uint64_t bytes = 0;
  std::string digest;
  std::vector<AgentId> agents;

  std::string line() const;
};

/// The reverse of ShardEntry::line. Throws bad_data.
ShardEntry parse_shard(const std::string& line, AgentId total, const std::string& where);

struct Manifest {
  std::uint64_t iteration = 0;
  double seconds = 0;
  AgentId agents = 0;
  int ranks = 0;
  std::string build;
  std::vector<ShardEntry> shards;  ///< the first one holds what is replicated
  std::string configuration;

  std::string text() const;
};

/// Checks the digest first, then everything else, also that each agent is in exactly one shard.
/// `where` is for messages.
Manifest parse_manifest(const std::string& bytes, const std::string& where);
std::string read_manifest_text(const std::filesystem::path& folder);

/// What is wrong with one shard's size or digest; empty if nothing is. Does not involve HDF5.
std::string shard_damage(const std::filesystem::path& folder, const ShardEntry& shard);

// Folders of checkpoints
// ----------------------------------------------------------------------------------------------

std::filesystem::path iteration_folder(const std::filesystem::path& folder,
                                       std::uint64_t iteration);
std::string shard_name(int rank, int ranks, int attempt);

struct CheckpointFolder {
  std::uint64_t iteration = 0;
  bool committed = false;  ///< it has a manifest
};
/// Newest first; empty if `folder` does not exist. Throws input_output if it cannot be listed.
std::vector<CheckpointFolder> list_checkpoints(const std::filesystem::path& folder);

/// Removes a checkpoint, manifest first, or what an interrupted save left. Files that are not ours
/// stay. Never throws.
void remove_checkpoint(const std::filesystem::path& folder) noexcept;
/// Removes our files in one checkpoint's folder that `keep` does not name. Never throws.
void remove_shards_except(const std::filesystem::path& folder,
                          const std::vector<std::string>& keep) noexcept;

}  // namespace echelon::detail

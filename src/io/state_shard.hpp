#pragma once
/// One rank's part of a checkpoint, as visitors over the state.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "digest.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/core/state.hpp"
#include "hdf5_reader.hpp"
#include "manifest.hpp"

namespace echelon::detail {

using VisitState = std::function<void(StateVisitor&)>;

/// Writes, verifies and puts in place; `with_replicated` for the first shard.
FileDigest write_state_shard(const std::filesystem::path& path, const AgentSet& agents,
                             bool with_replicated, const VisitState& visit);

/// The state of some agents, read from the shards that hold them.
class StateReader {
 public:
  /// Opens shards whose digests have been verified. Throws bad_data.
  StateReader(const std::filesystem::path& folder, const Manifest& manifest,
              const AgentSet& agents);

  /// Compares all names and shapes first, so that a foreign checkpoint changes nothing.
  void restore(const VisitState& visit) const;

 private:
  class Visitor;

  /// Consecutive rows of a shard that are consecutive local columns.
  struct Run {
    hsize_t row;
    Index column;
    Index count;
  };
  struct Source {
    std::unique_ptr<Hdf5Reader> file;
    std::vector<Run> runs;
    std::size_t agents = 0;
  };

  void add_source(const std::filesystem::path& path, const ShardEntry& shard,
                  const AgentSet& agents);

  Index local_agents_;
  std::unique_ptr<Hdf5Reader> replicated_;
  std::vector<Source> sources_;
};

}  // namespace echelon::detail

#pragma once
/// Checkpoints: whole or absent, independent of the number of ranks, verified before they are
/// trusted.
///
///     folder/000000000300/shard-0000-of-0002.h5     agents of rank 0, and what is replicated
///                         shard-0001-of-0002.h5
///                         manifest.txt              names, sizes and digests (XXH3-128); its
///                         rename is the commit
///
/// A shard holds `agents` (n ids), `per_agent/<state>` (n x d: the agent is the first index on
/// disk) and, in the first shard, `replicated/<state>`. A rank without agents writes none, unless
/// it is rank 0.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

namespace detail {
struct Manifest;
}  // namespace detail

/// What identifies the run that a checkpoint belongs to.
struct CheckpointIdentity {
  std::string configuration;  ///< text that decides what is computed; it must agree on resume
  std::string build;  ///< instruction set, library versions; one line; another one may change bits
};

struct LoadedCheckpoint {
  std::uint64_t iteration = 0;
  double seconds = 0;  ///< of computing before it was written
  std::vector<std::string>
      remarks;  ///< for people: damaged checkpoints that were passed over, another build
};

class CheckpointStore {
 public:
  /// Shows all that an iteration carries over, always the same names and shapes.
  using Visit = std::function<void(StateVisitor&)>;

  /// Keeps the newest `keep` checkpoints in `folder`, which is made when first needed.
  /// `communicator` must outlive the store.
  CheckpointStore(const Communicator& communicator, AgentSet agents, std::filesystem::path folder,
                  int keep, CheckpointIdentity identity);

  /// Collective. Writes a checkpoint or throws on all ranks (cannot_create, input_output) and
  /// leaves the older ones alone. One that exists at the same iteration is replaced, and stays
  /// valid until the new one is complete. Afterwards older ones beyond `keep` and remains of older
  /// interrupted saves are removed. Checkpoints of later iterations, which exist only if a run had
  /// to fall back behind them, are neither counted nor removed.
  void save(std::uint64_t iteration, double seconds, const Visit& state);

  /// Collective. Restores the newest checkpoint that verifies; nothing if there is none at all.
  /// Sizes and digests are checked before HDF5 opens anything. Throws on all ranks: bad_data if
  /// none verifies, or if names or shapes of states differ (then nothing has been changed); usage
  /// if it belongs to another configuration.
  std::optional<LoadedCheckpoint> load_newest(const Visit& state);

 private:
  int prepare(std::uint64_t iteration) const;
  std::string write_shard(std::uint64_t iteration, int attempt, const Visit& state) const;
  void commit(std::uint64_t iteration, double seconds,
              const std::vector<std::string>& shards) const;
  void prune(std::uint64_t newest) const noexcept;
  std::vector<std::uint64_t> committed_iterations() const;
  std::string examine(std::uint64_t iteration, detail::Manifest& manifest) const;
  void require_same_configuration(const std::string& saved, const std::string& where) const;

  const Communicator& communicator_;
  AgentSet agents_;
  std::filesystem::path folder_;
  int keep_;
  CheckpointIdentity identity_;
};

}  // namespace echelon

#pragma once
/// Helpers for tests that run on several ranks.

#include <mpi.h>

#include <filesystem>
#include <memory>
#include <string>

#include "data_files.hpp"
#include "echelon/comm/communicator.hpp"
#include "echelon/core/agents.hpp"
#include "file_size_limit.hpp"

namespace echelon::testing {

/// A folder that all ranks share, removed by rank 0 when all are done.
class SharedFolder {
 public:
  explicit SharedFolder(const Communicator& communicator) : communicator_(communicator) {
    if (communicator_.rank() == 0) folder_ = std::make_unique<TemporaryFolder>();
    path_ = communicator_.broadcast(folder_ ? folder_->path("") : "", 0);
  }
  ~SharedFolder() { communicator_.barrier("the end of a test"); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  const Communicator& communicator_;
  std::unique_ptr<TemporaryFolder> folder_;
  std::filesystem::path path_;
};

/// The communicator of the first `ranks` ranks of `world`; empty on the others. Collective.
inline std::unique_ptr<Communicator> first_ranks(const Communicator& world, int ranks) {
  const bool member = world.rank() < ranks;
  MPI_Comm part = MPI_COMM_NULL;
  MPI_Comm_split(world.handle(), member ? 0 : MPI_UNDEFINED, world.rank(), &part);
  if (!member) return nullptr;
  auto communicator = std::make_unique<Communicator>(part, 30);
  MPI_Comm_free(&part);
  return communicator;
}

enum class Deal { blocks, round_robin, last_rank_only };

inline AgentSet deal(AgentId total, const Communicator& communicator, Deal how) {
  AgentSet agents{.total = total, .local = {}};
  for (AgentId agent = 0; agent < total; ++agent) {
    int owner = communicator.size() - 1;
    if (how == Deal::blocks)
      owner = static_cast<int>(static_cast<std::int64_t>(agent) * communicator.size() / total);
    if (how == Deal::round_robin) owner = agent % communicator.size();
    if (owner == communicator.rank()) agents.local.push_back(agent);
  }
  return agents;
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace echelon::testing

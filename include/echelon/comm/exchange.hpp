#pragma once
/// Moves the agents' outgoing columns to where their neighbors can read them.

#include <mpi.h>

#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

/// Who sends which agents' columns to whom; computed once per network.
///
///     outgoing (own agents)              ghosts (foreign agents that own agents hear), ascending
///     by id
///     +----+----+----+----+              +----+----+----+
///     | a0 | a1 | a2 | a3 |  --ranks-->  | b7 | c2 | c9 |
///     +----+----+----+----+              +----+----+----+
struct ExchangePlan {
  struct Peer {
    int rank;
    std::vector<int> send;     ///< positions in `outgoing`, ascending by agent
    std::vector<int> receive;  ///< positions in `ghosts`
    AgentId first_agent = 0;   ///< of the edges to that rank, for messages to people
  };
  /// One neighbor's column: in `outgoing` (source >= 0) or in `ghosts` (-1 - source).
  struct Term {
    int source;
    double weight;
  };
  int local = 0;
  int ghosts = 0;
  std::vector<Peer> peers;
  std::vector<std::size_t>
      offsets;  ///< terms of local agent i: offsets[i] .. offsets[i+1], ascending by sender
  std::vector<Term> terms;

  ExchangePlan(const MixingMatrix& matrix, const AgentSet& agents, const std::vector<int>& owner,
               int rank);
};

/// Transport of d x m blocks; the interface that shared-memory windows and other transports
/// implement.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// Where the own columns are written before `post`.
  virtual AgentView& outgoing() = 0;
  virtual void post() = 0;  ///< collective over neighbors, as is wait
  virtual void wait(const std::string& variable) = 0;
  /// A column that an own agent hears, by term; valid between wait and the next post.
  virtual const double* column(const ExchangePlan::Term& term) const = 0;
  virtual Index dimension() const = 0;
  virtual std::int64_t bytes_per_round() const = 0;  ///< handed to MPI by this rank
  virtual std::int64_t buffer_bytes() const = 0;
};

/// Same rank through memory, other ranks by messages straight from and into the blocks.
std::unique_ptr<Exchange> make_message_exchange(const Communicator& communicator,
                                                std::shared_ptr<const ExchangePlan> plan,
                                                Index dimension);

}  // namespace echelon

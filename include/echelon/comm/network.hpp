#pragma once
/// Agents. Methods and strategies see the network only through this header.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/comm/exchange.hpp"
#include "echelon/comm/reduction.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/topology/certificate.hpp"
#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

class Mixer;

/// What the agents sent. Both are counted where it happens.
struct Traffic {
  std::int64_t bytes =
      0;  ///< agent to agent, as if each agent had a machine of its own; all agents of this rank
  std::int64_t messages = 0;
  std::int64_t rank_bytes = 0;  ///< what this rank really handed to MPI
};

/// Which rank hosts which agent: contiguous blocks whose sizes differ by at most one.
std::vector<int> deal_agents(AgentId agents, int ranks);

/// Agents 0 .. n-1 on ranks, who hears whom, and exact means. Construction is collective.
class Network {
 public:
  /// `owner[a]` is the rank of agent a; the same on every rank. Deals in blocks if empty. Takes the
  /// communicator's duplicate.
  Network(Communicator communicator, MixingMatrix matrix, std::vector<int> owner = {});
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const AgentSet& agents() const { return agents_; }
  AgentId size() const { return agents_.total; }
  const Communicator& communicator() const { return communicator_; }
  const MixingMatrix& matrix() const { return matrix_; }
  const Certificate& certificate() const { return certificate_; }

  /// A mixer for d x m blocks of the variable called `name`.
  Mixer mixer(std::string name, Index dimension);

  /// Collective: exact mean over all agents of the columns of `local`, with additions in the order
  /// of a fixed binary tree over agent ids, so the same bits on any number of ranks and threads.
  /// Counted as traffic.
  void mean(const AgentView& local, VectorXd& mean);
  /// The same for evaluation: not counted.
  VectorXd mean_for_report(const AgentView& local);
  /// Sum over agents in the same order; for evaluation.
  VectorXd sum_for_report(const AgentView& local);

  /// Temporary d x m blocks shared by everything of one height; contents do not survive the next
  /// use of the same name.
  AgentMatrix& scratch(const std::string& name, Index dimension);

  Traffic traffic() const { return traffic_; }
  /// Bytes of scratch and message buffers held now.
  std::int64_t buffer_bytes() const;

 private:
  friend class Mixer;
  std::shared_ptr<Exchange> acquire(Index dimension);
  void release(std::shared_ptr<Exchange> exchange);
  void count_round(Index dimension, std::int64_t rank_bytes);

  Communicator communicator_;
  MixingMatrix matrix_;
  Certificate certificate_;
  AgentSet agents_;
  std::vector<int> owner_;
  std::unique_ptr<TreeReduction> reduction_;
  std::shared_ptr<const ExchangePlan> plan_;
  std::map<Index, std::vector<std::shared_ptr<Exchange>>> idle_exchanges_;
  std::map<std::pair<std::string, Index>, AgentMatrix> scratch_;
  std::int64_t edges_from_own_ = 0;
  Traffic traffic_;
};

}  // namespace echelon

#pragma once
/// Agents. Methods and strategies see the network only through this header.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/comm/exchange.hpp"
#include "echelon/comm/node.hpp"
#include "echelon/comm/slices.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/topology/certificate.hpp"
#include "echelon/topology/schedule.hpp"

namespace echelon {

class Mixer;
class TreeReduction;

/// How a variable is mixed.
struct Mixing {
  Weights weights = Weights::given;
  bool lazy = false;       ///< (I + W) / 2 in place of W
  int rounds = 1;          ///< exchanges per call: W^rounds
  bool chebyshev = false;  ///< T_t(W / b) / T_t(1 / b) in place of W^t, t = rounds, b = the second
                           ///< eigenvalue; for a symmetric W of a fixed network
};

/// What the agents sent. Both are counted where it happens.
struct Traffic {
  std::int64_t bytes =
      0;  ///< agent to agent, as if each agent had a machine of its own; all agents of this rank
  std::int64_t messages = 0;
  std::int64_t rank_bytes = 0;  ///< what this rank really handed to other ranks
};

/// A round of messages, or a mean over agents, as a counting network notes it.
struct RoundNote {
  enum class Kind {
    neighbors,  ///< an edge carries numbers
    message,    ///< an edge carries bytes, such as a compressed message
    server,     ///< a server's mean, or what its rule makes of the answers
    plain_mean  ///< an exact mean that the method takes, which no rule protects
  } kind;
  std::int64_t bytes;  ///< of one message
};

/// Which rank hosts which agent: contiguous blocks whose sizes differ by at most one.
std::vector<int> deal_agents(AgentId agents, int ranks);

/// How a network is laid out on the machine; changes no result.
struct NetworkLayout {
  std::vector<int> owner{};  ///< rank of each agent, the same on every rank; empty: deal_agents
  bool share_memory = true;  ///< between ranks of a node; off: messages
};

/// Agents 0 .. n-1 on ranks, who hears whom at which round, and exact means. Construction and
/// everything that creates a mixer or uses one is collective, in the same order on all ranks.
class Network {
 public:
  /// Takes the communicator's duplicate.
  Network(Communicator communicator, SharedSchedule schedule, const NetworkLayout& layout = {});
  Network(Communicator communicator, MixingMatrix matrix, const NetworkLayout& layout = {});
  /// Another network of the same agents, on the same ranks; their traffic is counted together.
  Network(const Network& agents, SharedSchedule schedule);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const AgentSet& agents() const { return agents_; }
  AgentId size() const { return agents_.total; }
  const Communicator& communicator() const { return communicator_; }
  const Node& node() const { return node_; }
  const MixingSchedule& schedule() const { return *schedule_; }
  SharedSchedule shared_schedule() const { return schedule_; }
  const Certificate& certificate() const { return certificate_; }

  /// A mixer for d x m blocks of the variable called `name`.
  Mixer mixer(std::string name, Index dimension, Mixing mixing = {});

  /// Collective: exact mean over all agents of the columns of `local`, with additions in the order
  /// of a fixed binary tree over agent ids, so the same bits on any number of ranks and threads.
  /// Counted as traffic.
  void mean(const AgentView& local, VectorXd& mean);
  /// As above, by a server that receives from `speaking` local agents only (-1: all), d numbers
  /// each way; the others contribute zeros or what the server knows.
  void mean_at_server(const AgentView& local, VectorXd& mean, int speaking = -1);
  /// Collective: what a server makes of the agents' columns, coordinate by coordinate; the same
  /// bits on all ranks, whatever their number. Not counted, see count_server_round.
  void fold_coordinates(const AgentView& local, const CoordinateFold& fold, VectorXd& result);
  /// Sum over agents in the order of `mean`, for what a server computes from columns that it has:
  /// not counted. Collective.
  void sum_at_server(const AgentView& local, VectorXd& sum);
  /// Counts what agents and a server send when columns of `rows` numbers go up and one comes down,
  /// as in the two forms of `mean`: of all agents, or of `speaking` local ones if that is not -1.
  void count_server_round(Index rows, int speaking = -1,
                          RoundNote::Kind kind = RoundNote::Kind::server);
  /// The same for evaluation: not counted.
  VectorXd mean_for_report(const AgentView& local);
  /// Sum over agents in the same order; for evaluation.
  VectorXd sum_for_report(const AgentView& local);

  /// Temporary d x m blocks shared by everything of one height; contents do not survive the next
  /// use of the same name.
  AgentMatrix& scratch(const std::string& name, Index dimension);

  Traffic traffic() const { return *traffic_; }
  /// From now on every round is also noted; `notes` outlives the network.
  void note_rounds(std::vector<RoundNote>& notes) { notes_ = &notes; }
  /// Bytes of scratch and message buffers held now.
  std::int64_t buffer_bytes() const;

  // For mixers
  // -------------------------------------------------------------------------------------------

  /// Who hears whom at `round`.
  std::shared_ptr<const ExchangePlan> plan(std::uint64_t round, const Mixing& mixing);
  std::shared_ptr<Exchange> acquire(Index dimension);
  void release(std::shared_ptr<Exchange> exchange);
  /// A round of `plan` in which every edge carried `bytes`.
  void count_round(const ExchangePlan& plan, std::int64_t bytes, std::int64_t rank_bytes,
                   RoundNote::Kind kind);

 private:
  Network(Communicator communicator, SharedSchedule schedule, std::vector<int> owner,
          bool share_memory);

  Communicator communicator_;
  SharedSchedule schedule_;
  Certificate certificate_;
  AgentSet agents_;
  std::vector<int> owner_;
  bool share_memory_;
  Node node_;
  std::unique_ptr<TreeReduction> reduction_;
  std::unique_ptr<CoordinateFolds> folds_;
  int capacity_ = 0;  ///< most columns that this rank publishes in a round
  std::map<std::tuple<std::uint64_t, Weights, bool>, std::shared_ptr<const ExchangePlan>> plans_;
  std::map<Index, std::vector<std::shared_ptr<Exchange>>> idle_exchanges_;
  std::map<std::pair<std::string, Index>, AgentMatrix> scratch_;
  std::shared_ptr<Traffic> traffic_ = std::make_shared<Traffic>();
  std::vector<RoundNote>* notes_ = nullptr;
};

}  // namespace echelon

#pragma once
/// Sums over agents whose bits do not depend on where the agents live.

#include <memory>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/comm/node.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"

namespace echelon {

/// Adds the columns of all agents along a fixed binary tree: node [lo, hi) splits at the largest
/// power of two below its size. A rank folds the maximal subtrees that it owns; slices of these
/// partial sums are folded by one rank each, then gathered: through shared memory if one node holds
/// all ranks, else by messages.
class TreeReduction {
 public:
  /// The references outlive the object.
  TreeReduction(const AgentSet& agents, const std::vector<int>& owner,
                const Communicator& communicator, const Node& node);
  ~TreeReduction();

  /// Collective. `local` is d x m; `sum` (d numbers) gets the same bits on all ranks.
  void sum(const AgentView& local, VectorXd& sum);

  /// Bytes this rank handed to others in the last call.
  std::int64_t last_bytes() const { return last_bytes_; }

 private:
  struct Branch {
    int left = -1;
    int right = -1;
    int block = -1;  ///< >= 0: a subtree of one rank
  };
  struct Block {
    AgentId low;
    AgentId high;
    int owner;
    int position;  ///< among the owner's blocks
  };
  struct Counters;
  class MessageRound;
  int build(AgentId low, AgentId high, const std::vector<int>& owner);
  /// Partial sums of the own blocks, `stride` numbers apart.
  void fold_own_blocks(const AgentView& local, double* partials, Index stride) const;
  void fold_top(int node, const std::vector<const double*>& partials, Index from, Index rows,
                double* out) const;
  void fold_slice(const std::vector<const double*>& partials, Index rows, double* out) const;
  void sum_through_window(const AgentView& local, VectorXd& sum);
  void sum_by_messages(const AgentView& local, VectorXd& sum);
  bool has_window(Index rows);
  Counters& counters(int position) const;
  double* numbers(int position) const;
  void wait_for_all(bool gathered);

  const Communicator& communicator_;
  const Node& on_node_;
  AgentSet agents_;
  std::vector<Branch> nodes_;
  std::vector<Block> blocks_;
  std::vector<int> blocks_of_rank_;
  int root_ = -1;
  std::unique_ptr<SharedWindow> window_;  ///< counters, partial sums of the own blocks, own slice
  Index window_rows_ = 0;
  bool window_failed_ = false;
  std::int64_t round_ = 0;
  std::vector<double> own_, incoming_;  ///< kept from call to call
  std::int64_t last_bytes_ = 0;
};

}  // namespace echelon

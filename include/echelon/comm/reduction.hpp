#pragma once
/// Sums over agents whose bits do not depend on where the agents live.

#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"

namespace echelon {

/// Adds the columns of all agents along a fixed binary tree: node [lo, hi) splits at the largest
/// power of two below its size. A rank folds the maximal subtrees that it owns; slices of these
/// partial sums are folded by one rank each, then gathered.
class TreeReduction {
 public:
  TreeReduction(const AgentSet& agents, const std::vector<int>& owner, int rank, int ranks);

  /// Collective. `local` is d x m; `sum` (d numbers) gets the same bits on all ranks.
  void sum(const Communicator& communicator, const AgentView& local, VectorXd& sum);

  /// Bytes this rank handed to MPI in the last call.
  std::int64_t last_bytes() const { return last_bytes_; }

 private:
  struct Node {
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
  int build(AgentId low, AgentId high, const std::vector<int>& owner);
  void fold_own_blocks(const AgentView& local, Eigen::MatrixXd& partials) const;
  void fold_top(int node, const std::vector<const double*>& partials, Index rows,
                double* out) const;

  AgentSet agents_;
  int rank_;
  int ranks_;
  std::vector<Node> nodes_;
  std::vector<Block> blocks_;
  std::vector<int> blocks_of_rank_;
  int root_ = -1;
  std::int64_t last_bytes_ = 0;
};

}  // namespace echelon

#pragma once
/// Weights on a graph. One convention everywhere: agent i receives sum_j w_ij x_j.

#include <span>
#include <vector>

#include "echelon/topology/graph.hpp"

namespace echelon {

/// What sums to 1, within 1e-12: the rows (agents average what they hear), the columns (agents
/// split what they have), or both.
enum class Sums { rows, columns };

/// A sparse n x n matrix W with non-negative or user-given weights; row i is what agent i applies
/// to what it receives, its own weight w_ii included.
class MixingMatrix {
 public:
  struct Entry {
    AgentId sender;
    double weight;
  };

  /// `rows[i]` in any order; sorted by sender here, weights that are zero are not stored. Throws
  /// bad_data for ids out of range, duplicate entries, weights that are not finite, or a row (with
  /// Sums::columns: a column) that does not sum to 1.
  explicit MixingMatrix(const std::vector<std::vector<Entry>>& rows, Sums sums = Sums::rows);

  AgentId agents() const { return static_cast<AgentId>(offsets_.size() - 1); }
  /// Ascending by sender; includes the agent itself if its weight is not zero.
  std::span<const Entry> row(AgentId receiver) const;
  bool is_symmetric() const;  ///< to the last bit
  bool sums_to_one(Sums sums) const;
  Graph graph() const;  ///< the edges of its non-zero weights

 private:
  std::vector<std::size_t> offsets_;
  std::vector<Entry> entries_;
};

/// w_ij = 1 / (1 + max(deg_i, deg_j)) on edges of an undirected graph; symmetric and doubly
/// stochastic. Throws a usage error for a directed graph. Source: L. Xiao, S. Boyd, Systems &
/// Control Letters 53, 2004.
MixingMatrix metropolis_weights(const Graph& graph);
/// w_ij = 1 / (1 + indegree_i): row-stochastic on any graph, doubly stochastic on regular ones.
MixingMatrix uniform_weights(const Graph& graph);
/// c_ij = 1 / (1 + outdegree_j): column-stochastic on any graph, every agent splits evenly.
MixingMatrix column_weights(const Graph& graph);
/// w_ij = 1 / (1 + largest degree) on edges of an undirected graph; symmetric, doubly stochastic.
MixingMatrix max_degree_weights(const Graph& graph);
/// w_ij = 2 / (lambda_2 + lambda_n) on edges, from the Laplacian's smallest non-zero and largest
/// eigenvalues: among all W = I - c L the fastest. Undirected and connected graphs; self weights
/// may be negative. Source: L. Xiao, S. Boyd, Systems & Control Letters 53, 2004.
MixingMatrix best_constant_weights(const Graph& graph);
/// (I + W) / 2; all eigenvalues of a symmetric W move into [0, 1].
MixingMatrix lazy(const MixingMatrix& matrix);

}  // namespace echelon

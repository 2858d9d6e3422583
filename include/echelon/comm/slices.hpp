#pragma once
/// Functions of what all agents say about one coordinate, such as their median.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"

namespace echelon {

/// The numbers of all agents at one coordinate, by agent; scratch for the function. Called from
/// several threads.
using CoordinateFold = std::function<double(std::span<double> numbers)>;

/// Every rank folds a slice of the coordinates, for all agents, and passes the results on to all.
/// What a coordinate comes to depends on its numbers alone, so not on ranks. A rank holds some
/// thousand coordinates of all agents at a time.
class CoordinateFolds {
 public:
  /// `owner`: rank of each agent. The references outlive the object.
  CoordinateFolds(const AgentSet& agents, const std::vector<int>& owner,
                  const Communicator& communicator);

  /// Collective. `local` is d x m; `result` (d numbers) gets the same bits on all ranks.
  void operator()(const AgentView& local, const CoordinateFold& fold, VectorXd& result);

  /// Bytes this rank handed to others in the last call.
  std::int64_t last_bytes() const { return last_bytes_; }

 private:
  /// Rows of which each rank folds a part.
  struct Piece {
    Index from;
    Index rows;
  };
  Index begin_of(const Piece& piece, int rank) const;
  void trade_numbers(const AgentView& local, const Piece& piece);
  void fold_own(const Piece& piece, const CoordinateFold& fold, double* out);
  void trade_results(const Piece& piece, double* out);

  const Communicator& communicator_;
  std::vector<std::vector<AgentId>> agents_of_;  ///< each rank's, ascending
  AgentId agents_;
  std::vector<std::vector<double>> outgoing_, incoming_;  ///< by rank; columns one after another
  std::vector<double> numbers_;                           ///< by coordinate, then agent
  std::int64_t last_bytes_ = 0;
};

}  // namespace echelon

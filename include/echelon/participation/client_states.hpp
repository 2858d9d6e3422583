#pragma once
/// What clients keep between rounds: one vector of d numbers per client, on the rank of its seat.

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/state.hpp"
#include "echelon/participation/participation.hpp"

namespace echelon {

class ClientStates {
 public:
  /// Zeros for the clients of the local seats. `in_file`: in a temporary file that is mapped into
  /// memory. Not collective.
  ClientStates(const Participation& participation, std::vector<AgentId> seats, Index dimension,
               bool in_file);

  /// Bytes that this takes on a rank with so many seats.
  static double bytes(const Participation& participation, std::size_t seats, Index dimension);

  void fill(const VectorXd& state);
  /// Each local seat's column becomes the state of the client that sits there.
  void load(AgentView& columns) const;
  /// The states of clients that answered become their seats' columns; those of others stay.
  void store(const AgentView& columns);
  /// d numbers; `place` is that in the group of the local seat.
  Eigen::Map<const VectorXd> state(int local, std::int64_t place) const {
    return {states_.data() + local * states_.outerStride() + place * dimension_, dimension_};
  }

  void visit_state(StateVisitor& visitor) { visitor.per_agent("clients", states_); }

 private:
  const Participation* participation_;
  std::vector<AgentId> seats_;
  Index dimension_;
  AgentMatrix states_;  ///< column of a seat: its group's states, one below the other
};

}  // namespace echelon

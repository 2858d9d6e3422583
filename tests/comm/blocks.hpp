#pragma once
/// Networks and blocks of numbers that are functions of agent and row alone.

#include <mpi.h>

#include <string>

#include "echelon/comm/mixer.hpp"
#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"
#include "mixing_matrices.hpp"

namespace echelon::testing_support {

inline SharedSchedule schedule_of(const std::string& topology, AgentId agents,
                                  const std::string& weights = "automatic") {
  TopologyOptions options;
  options.topology = topology;
  options.agents = agents;
  options.weights = weights;
  return make_schedule(options);
}

inline double entry(AgentId agent, Index row) {
  return Draws(2, Purpose::start, agent, static_cast<std::uint64_t>(row)).normal();
}

inline AgentId agent_of(const Network& network, Index column) {
  return network.agents().local[static_cast<std::size_t>(column)];
}

inline AgentMatrix block_of(const Network& network, Index rows) {
  AgentMatrix block(rows, network.agents().count());
  for (int i = 0; i < network.agents().count(); ++i) {
    for (Index r = 0; r < rows; ++r) block(r, i) = entry(agent_of(network, i), r);
  }
  return block;
}

inline int world_size() {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  return ranks;
}

inline std::vector<int> round_robin(AgentId agents) {
  std::vector<int> owner(static_cast<std::size_t>(agents));
  for (std::size_t a = 0; a < owner.size(); ++a) owner[a] = static_cast<int>(a) % world_size();
  return owner;
}

/// Agents are columns.
inline Eigen::MatrixXd all_entries(AgentId agents, Index rows) {
  Eigen::MatrixXd x(rows, agents);
  for (AgentId a = 0; a < agents; ++a) {
    for (Index r = 0; r < rows; ++r) x(r, a) = entry(a, r);
  }
  return x;
}

}  // namespace echelon::testing_support

#pragma once
/// Agents with quadratics of their own, networks for them, and dense matrices to compare with.

#include <cmath>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"
#include "mixing_matrices.hpp"
#include "part_settings.hpp"

namespace echelon::testing_support {

constexpr Index dimension = 4;

inline MixingMatrix ring(AgentId agents) {
  TopologyOptions options;
  options.agents = agents;
  return *make_schedule(options)->at(0);
}

/// Six agents on a directed circle with chords; rows sum to 1, columns do not.
inline MixingMatrix digraph() {
  return uniform_weights(
      Graph(6, {{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {0, 5}, {0, 2}, {0, 3}, {3, 1}, {5, 2}}));
}

/// Each link fails with probability 0.3.
inline SharedSchedule failing(MixingMatrix matrix) {
  return with_failures(periodic({std::move(matrix)}), {.link = 0.3, .seed = 4});
}

inline MixingMatrix sparse(const Eigen::MatrixXd& matrix) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(matrix.rows()));
  for (Index i = 0; i < matrix.rows(); ++i) {
    for (Index j = 0; j < matrix.cols(); ++j) {
      rows[static_cast<std::size_t>(i)].push_back({static_cast<AgentId>(j), matrix(i, j)});
    }
  }
  return MixingMatrix(rows);
}

/// With those of the settings that it reads.
inline Chosen<StrategyEntry> strategy(const std::string& name, const PartSettings& settings = {}) {
  return chosen(strategy_catalog(), name, settings);
}

/// Agent i's objective: 1/2 (s - t_i)' D_i (s - t_i), diagonal D_i in [0.5, 1.5].
struct Objective {
  VectorXd curvature = VectorXd(dimension), center = VectorXd(dimension);
  explicit Objective(AgentId agent) {
    Draws draws(3, Purpose::problem_data, agent);
    for (Index r = 0; r < dimension; ++r) {
      curvature(r) = 0.5 + draws.uniform();
      center(r) = 3 * draws.normal();
    }
  }
};

inline const Objective& objective_of(AgentId agent) {
  static const std::vector<Objective> objectives = [] {
    std::vector<Objective> all;
    for (AgentId a = 0; a < 16; ++a) all.emplace_back(a);
    return all;
  }();
  return objectives.at(static_cast<std::size_t>(agent));
}

inline VectorXd minimizer(AgentId agents) {
  VectorXd weighted = VectorXd::Zero(dimension), total = VectorXd::Zero(dimension);
  for (AgentId a = 0; a < agents; ++a) {
    const Objective& objective = objective_of(a);
    weighted += objective.curvature.cwiseProduct(objective.center);
    total += objective.curvature;
  }
  return weighted.cwiseQuotient(total);
}

inline AgentMatrix directions(const Network& network, const AgentView& value) {
  AgentMatrix gradient(dimension, network.agents().count());
  for (int i = 0; i < gradient.cols(); ++i) {
    const Objective& objective = objective_of(network.agents().local[static_cast<std::size_t>(i)]);
    gradient.col(i) = objective.curvature.cwiseProduct(value.col(i) - objective.center);
  }
  return gradient;
}

/// The same for all agents at once; row i of n x d is agent i.
inline Eigen::MatrixXd all_directions(const Eigen::MatrixXd& values) {
  Eigen::MatrixXd gradient(values.rows(), values.cols());
  for (Index i = 0; i < values.rows(); ++i) {
    const Objective& objective = objective_of(static_cast<AgentId>(i));
    gradient.row(i) =
        objective.curvature.cwiseProduct(values.row(i).transpose() - objective.center).transpose();
  }
  return gradient;
}

/// Largest deviation of the local agents' columns from the rows of `all`.
inline double deviation(const Network& network, const AgentView& value,
                        const Eigen::MatrixXd& all) {
  double largest = 0;
  for (int i = 0; i < value.cols(); ++i) {
    const AgentId agent = network.agents().local[static_cast<std::size_t>(i)];
    largest = std::max(largest, (value.col(i) - all.row(agent).transpose()).norm());
  }
  return largest;
}

/// Mean over all agents of the distance to `point`. Collective.
inline double mean_distance(Network& network, const AgentView& value, const VectorXd& point) {
  AgentMatrix distance(1, network.agents().count());
  for (int i = 0; i < distance.cols(); ++i) distance(0, i) = (value.col(i) - point).norm();
  return network.mean_for_report(distance)(0);
}

}  // namespace echelon::testing_support

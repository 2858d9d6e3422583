#pragma once
/// For tests of strategies: agents that disagree, runs that stop and go on, copies of state.

#include <mpi.h>

#include <Eigen/Cholesky>
#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "comm/blocks.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/random.hpp"

namespace echelon::testing_support {

/// Agent i minimizes 1/2 (x - b_i)' H_i (x - b_i), H_i = diagonal in [0.5, 1.5] + u_i u_i'.
struct HeterogeneousQuadratic {
  Eigen::MatrixXd diagonal, direction, center;  // columns of agents

  HeterogeneousQuadratic(Index dimension, AgentId agents)
      : diagonal(dimension, agents), direction(dimension, agents), center(dimension, agents) {
    for (AgentId a = 0; a < agents; ++a) {
      Draws draws(7, Purpose::problem_data, a);
      for (Index r = 0; r < dimension; ++r) {
        diagonal(r, a) = 0.5 + draws.uniform();
        direction(r, a) = 0.7 * draws.normal() / std::sqrt(static_cast<double>(dimension));
        center(r, a) = draws.normal();
      }
    }
  }

  VectorXd gradient(AgentId agent, const VectorXd& x) const {
    const VectorXd e = x - center.col(agent);
    return diagonal.col(agent).cwiseProduct(e) + direction.col(agent) * direction.col(agent).dot(e);
  }

  VectorXd minimizer() const {
    Eigen::MatrixXd curvature = Eigen::MatrixXd::Zero(center.rows(), center.rows());
    VectorXd right = VectorXd::Zero(center.rows());
    for (Index a = 0; a < center.cols(); ++a) {
      Eigen::MatrixXd own = direction.col(a) * direction.col(a).transpose();
      own.diagonal() += diagonal.col(a);
      curvature += own;
      right += own * center.col(a);
    }
    return curvature.ldlt().solve(right);
  }
};

/// Copies everything that a strategy carries, and puts it back.
class StateCopy final : public StateVisitor {
 public:
  void restore_from_now_on() { restoring_ = true; }
  Eigen::MatrixXd& operator[](const std::string& name) { return blocks_.at(name); }

 protected:
  void visit(const std::string& name, AgentMatrix& state) override {
    if (restoring_) {
      state = blocks_.at(name);
    } else {
      blocks_[name] = state;
    }
  }
  void visit(const std::string& name, Eigen::MatrixXd& table) override {
    exchange(blocks_, name, table);
  }
  void visit(const std::string& name, double& value) override { exchange(numbers_, name, value); }
  void visit(const std::string& name, std::int64_t& value) override {
    exchange(integers_, name, value);
  }

 private:
  template <class Value>
  void exchange(std::map<std::string, Value>& kept, const std::string& name, Value& value) {
    if (restoring_) {
      value = kept.at(name);
    } else {
      kept[name] = value;
    }
  }

  bool restoring_ = false;
  std::map<std::string, Eigen::MatrixXd> blocks_;
  std::map<std::string, double> numbers_;
  std::map<std::string, std::int64_t> integers_;
};

/// Gradient steps of one strategy from 0.
struct Descent {
  const HeterogeneousQuadratic& problem;
  Network& network;
  std::unique_ptr<ConsensusStrategy> strategy;
  AgentMatrix value, direction;

  Descent(const HeterogeneousQuadratic& p, Network& n, const Chosen<StrategyEntry>& chosen)
      : problem(p),
        network(n),
        strategy(chosen->make({n, "x", p.center.rows(), chosen.options(), 5})),
        value(p.center.rows(), n.agents().count()),
        direction(p.center.rows(), n.agents().count()) {
    strategy->begin(value);
  }

  /// Local gradients, in `direction`.
  void evaluate() {
    for (int i = 0; i < value.cols(); ++i) {
      direction.col(i) = problem.gradient(agent_of(network, i), value.col(i));
    }
  }
  void step(double length) {
    evaluate();
    strategy->advance(value, direction, length);
  }
  void steps(int count, double length) {
    for (int k = 0; k < count; ++k) step(length);
  }

  /// Largest distance to `point`, over all agents.
  double distance(const VectorXd& point) const {
    double largest = 0;
    for (int i = 0; i < value.cols(); ++i) {
      const double own = (value.col(i) - point).cwiseAbs().maxCoeff();
      largest = own <= largest ? largest : own;  // NaN stays
    }
    MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, network.communicator().handle());
    return largest;
  }
  /// Steps taken until all agents are within `tolerance` of `point`, at most `most`.
  int steps_until_close(const VectorXd& point, double tolerance, double length, int most) {
    for (int k = 0; k < most; k += 10) {
      if (distance(point) <= tolerance) return k;
      steps(10, length);
    }
    return most;
  }

  Eigen::MatrixXd state(const std::string& name) const {
    StateCopy copy;
    strategy->visit_state(copy);
    return copy[name];
  }
};

inline bool same_bits(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && (a.array() == b.array()).all();
}

/// The columns of agents that live here, out of those of all agents.
inline Eigen::MatrixXd own_columns(const Network& network, const Eigen::MatrixXd& all) {
  Eigen::MatrixXd own(all.rows(), network.agents().count());
  for (Index i = 0; i < own.cols(); ++i) own.col(i) = all.col(agent_of(network, i));
  return own;
}

/// Are values and state on this rank those of a run with all agents in one process?
inline bool same_as_in_one_process(const HeterogeneousQuadratic& problem,
                                   const SharedSchedule& schedule,
                                   const Chosen<StrategyEntry>& chosen, int steps,
                                   const std::string& state) {
  Network spread(Communicator(MPI_COMM_WORLD), schedule,
                 {.owner = round_robin(schedule->agents())});
  Network whole(Communicator(MPI_COMM_SELF), schedule);
  Descent here(problem, spread, chosen);
  Descent there(problem, whole, chosen);
  here.steps(steps, 0.05);
  there.steps(steps, 0.05);
  const Eigen::MatrixXd theirs = there.state(state);
  const bool replicated = theirs.cols() == 1;  // of the server, not of agents
  return same_bits(here.value, own_columns(spread, there.value)) &&
         same_bits(here.state(state), replicated ? theirs : own_columns(spread, theirs));
}

/// Does a fresh strategy go on with the same bits from a copy of the state after `steps`?
inline bool goes_on_from_a_copy(const HeterogeneousQuadratic& problem, Network& network,
                                const Chosen<StrategyEntry>& chosen, int steps) {
  Descent first(problem, network, chosen);
  first.steps(steps, 0.05);
  StateCopy copy;
  first.strategy->visit_state(copy);
  Descent second(problem, network, chosen);
  second.value.copy_from(first.value);
  copy.restore_from_now_on();
  second.strategy->visit_state(copy);
  first.steps(20, 0.04);
  second.steps(20, 0.04);
  return same_bits(first.value, second.value);
}

}  // namespace echelon::testing_support

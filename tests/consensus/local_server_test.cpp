#include <gtest/gtest.h>

#include "consensus/heterogeneous_quadratic.hpp"
#include "echelon/core/error.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

constexpr Index dimension = 20;
constexpr AgentId agents = 7;

Chosen<StrategyEntry> server(const std::string& name, std::int64_t local_steps,
                             double server_step = 1) {
  return {strategy_catalog(), name,
          LocalServerOptions{.local_steps = local_steps, .server_step = server_step}};
}

std::vector<std::string> both() {
  return {"local-server", "local-server-cv"};
}

double step_at(int k) {
  return 0.05 + 0.01 * (k % 4);
}

VectorXd mean_of(const MatrixXd& columns) {
  VectorXd mean = VectorXd::Zero(columns.rows());
  for (Index a = 0; a < columns.cols(); ++a) mean += columns.col(a);
  return mean / static_cast<double>(columns.cols());
}

/// A round as clients and server would do it; `control` by the update of the literature.
struct Reference {
  const HeterogeneousQuadratic& problem;
  bool controlled;
  double server_step;
  VectorXd server = VectorXd::Zero(dimension);
  MatrixXd control = MatrixXd::Zero(dimension, agents);

  void round(int first_step, int local_steps) {
    const VectorXd mean_control = mean_of(control);
    MatrixXd moved(dimension, agents);
    double length = 0;
    for (int k = first_step; k < first_step + local_steps; ++k) length += step_at(k);
    for (AgentId a = 0; a < agents; ++a) {
      VectorXd s = server;
      for (int k = first_step; k < first_step + local_steps; ++k) {
        VectorXd e = problem.gradient(a, s);
        if (controlled) e += mean_control - control.col(a);
        s -= step_at(k) * e;
      }
      moved.col(a) = server - s;
    }
    server -= server_step * mean_of(moved);
    for (AgentId a = 0; a < agents; ++a) {
      control.col(a) += moved.col(a) / length - mean_control;
    }
  }
};

TEST(LocalServer, FollowsTheRoundsOfClientsAndServer) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    for (const double server_step : {1.0, 0.6}) {
      for (const int local_steps : {1, 3}) {
        Descent run(problem, network, server(name, local_steps, server_step));
        Reference expected{problem, name == "local-server-cv", server_step};
        for (int k = 0; k < 60; k += local_steps) {
          for (int t = 0; t < local_steps; ++t) run.step(step_at(k + t));
          expected.round(k, local_steps);
          ASSERT_LE(run.distance(expected.server), 1e-13)
              << name << ", " << local_steps << " local steps, step " << k;
        }
      }
    }
  }
}

TEST(LocalServer, IsAllReduceWithOneLocalStep) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    Descent run(problem, network, server(name, 1));
    VectorXd s = VectorXd::Zero(dimension);
    for (int k = 0; k < 200; ++k) {
      MatrixXd g(dimension, agents);
      for (AgentId a = 0; a < agents; ++a) g.col(a) = problem.gradient(a, s);
      s -= 0.1 * mean_of(g);
      run.step(0.1);
      ASSERT_LE(run.distance(s), 1e-13) << name << ", step " << k;
    }
  }
}

TEST(LocalServer, MovesTheMeanByTheMeanDirectionAlsoWithinRounds) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    Descent run(problem, network, server(name, 4));
    for (int k = 0; k < 200; ++k) {
      run.evaluate();
      const VectorXd expected =
          network.mean_for_report(run.value) - step_at(k) * network.mean_for_report(run.direction);
      run.strategy->advance(run.value, run.direction, step_at(k));
      const VectorXd found = network.mean_for_report(run.value);
      ASSERT_LE((found - expected).cwiseAbs().maxCoeff(), 1e-14) << name << ", step " << k;
    }
  }
}

TEST(LocalServer, DriftsWithSeveralLocalStepsUnlessControlled) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  const VectorXd solution = problem.minimizer();
  Descent plain(problem, network, server("local-server", 5));
  Descent controlled(problem, network, server("local-server-cv", 5));
  plain.steps(2000, 0.1);
  controlled.steps(2000, 0.1);
  EXPECT_LE(controlled.distance(solution), 1e-13);
  EXPECT_GT(plain.distance(solution), 1e-3);
  plain.steps(5, 0.1);
  EXPECT_LE(plain.distance(network.mean_for_report(plain.value)), 1e-15);  // settled, elsewhere
}

TEST(LocalServer, SendsOneVectorUpAndDownPerRound) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    const Traffic before = network.traffic();
    Descent run(problem, network, server(name, 3));
    run.steps(11, 0.1);
    std::int64_t sent[] = {network.traffic().messages - before.messages,
                           network.traffic().bytes - before.bytes};
    MPI_Allreduce(MPI_IN_PLACE, sent, 2, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_EQ(sent[0], 3 * 2 * (agents - 1)) << name;
    EXPECT_EQ(sent[1], 3 * 2 * (agents - 1) * 8 * dimension) << name;
  }
}

TEST(LocalServer, StartsARoundAtAProjectedValue) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    Descent run(problem, network, server(name, 1, 0.5));
    run.steps(4, 0.1);
    run.value *= 0.25;
    run.evaluate();
    const VectorXd expected =
        network.mean_for_report(run.value) - 0.5 * 0.1 * network.mean_for_report(run.direction);
    run.strategy->advance(run.value, run.direction, 0.1);
    EXPECT_LE(run.distance(expected), 1e-15) << name;
  }
}

TEST(LocalServer, GivesTheSameBitsOnAnyNumberOfRanks) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const auto schedule = schedule_of("ring", agents);
  for (const std::string& name : both()) {
    for (const int steps : {10, 12}) {
      EXPECT_TRUE(same_as_in_one_process(problem, schedule, server(name, 5), steps, "server"))
          << name;
    }
  }
}

TEST(LocalServer, GoesOnFromItsStateAlsoWithinARound) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    for (const int steps : {0, 10, 12}) {
      EXPECT_TRUE(goes_on_from_a_copy(problem, network, server(name, 5, 0.8), steps))
          << name << " after " << steps;
    }
  }
}

TEST(LocalServer, KeepsItsControlsOverAStepOfLengthZero) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  Descent run(problem, network, server("local-server-cv", 2));
  run.steps(6, 0.1);
  const MatrixXd control = run.state("control");
  run.steps(2, 0);
  EXPECT_TRUE(same_bits(run.state("control"), control));
}

TEST(LocalServer, RefusesRoundsWithoutSteps) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string& name : both()) {
    const auto empty = server(name, 0);
    EXPECT_THROW(empty->make({network, "x", dimension, empty.options(), 1}), Error);
  }
}

}  // namespace
}  // namespace echelon

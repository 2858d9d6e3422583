// Bytes that compressed gradient tracking needs: 8 agents on a ring, heterogeneous quadratic.
//
//     bench_compressed_tracking [DIMENSION]
//
// Prints how far top-k (10 %) ends from the answer without compression, and at what bytes per
// iteration; then for every compressor the bytes until all agents are within 1e-6 of the minimizer:
// with the automatic consensus step and with the best of a few, each at the best of a few steps.

#include <mpi.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "echelon/consensus/strategy.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"

namespace {

using namespace echelon;

constexpr AgentId agents = 8;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Agent i: 1/2 (x - b_i)' H_i (x - b_i), H_i = diagonal in [0.5, 1.5] + u_i u_i'.
struct Quadratic {
  Eigen::MatrixXd diagonal, direction, center;

  explicit Quadratic(Index dimension)
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

  void gradients(const AgentView& x, AgentMatrix& out) const {
    for (Index a = 0; a < agents; ++a) {
      out.col(a) = x.col(a) - center.col(a);
      const double along = direction.col(a).dot(out.col(a));
      out.col(a) = diagonal.col(a).cwiseProduct(out.col(a)) + along * direction.col(a);
    }
  }

  VectorXd minimizer() const {
    Eigen::MatrixXd curvature = Eigen::MatrixXd::Zero(center.rows(), center.rows());
    VectorXd right = VectorXd::Zero(center.rows());
    for (Index a = 0; a < agents; ++a) {
      Eigen::MatrixXd own = direction.col(a) * direction.col(a).transpose();
      own.diagonal() += diagonal.col(a);
      curvature += own;
      right += own * center.col(a);
    }
    return curvature.ldlt().solve(right);
  }
};

struct Settings {
  std::string strategy;
  std::string compressor;
  double consensus_step;  // 0 = automatic
  double step;
};

struct Outcome {
  int iterations = 0;
  double bytes = infinity;  // until the goal; infinite if it was not reached
  double bytes_per_iteration = 0;
  double error = infinity;
};

/// Runs until all agents are within `goal` of `point`, at most for `budget` bytes.
Outcome descend(const Quadratic& problem, Network& network, const VectorXd& point,
                const Settings& settings, double goal, double budget) {
  constexpr int most_iterations = 6000;
  constexpr int stride = 5;  // iterations between looks at the error
  const CompressedOptions options{.consensus_step = settings.consensus_step,
                                  .compressor = {compressor_catalog(), settings.compressor}};
  const auto strategy =
      strategy_catalog().at(settings.strategy).make({network, "x", point.size(), options, 1});
  AgentMatrix value(point.size(), agents);
  AgentMatrix direction(point.size(), agents);
  strategy->begin(value);
  const auto before = network.traffic().bytes;
  Outcome outcome;
  double bytes = 0;
  while (outcome.error > goal && outcome.iterations < most_iterations && bytes < budget) {
    problem.gradients(value, direction);
    strategy->advance(value, direction, settings.step);
    bytes = static_cast<double>(network.traffic().bytes - before);
    if (++outcome.iterations % stride != 0) continue;
    outcome.error = (value.colwise() - point).cwiseAbs().maxCoeff();
    constexpr double diverged = 100;
    if (!(outcome.error < diverged)) break;
  }
  outcome.bytes_per_iteration = bytes / outcome.iterations;
  if (outcome.error <= goal) outcome.bytes = bytes;
  return outcome;
}

/// The settings that get by with the fewest bytes.
std::pair<Settings, Outcome> best(const Quadratic& problem, Network& network, const VectorXd& point,
                                  const std::string& strategy, const std::string& compressor,
                                  const std::vector<double>& consensus_steps, double budget) {
  constexpr double goal = 1e-6;
  std::pair<Settings, Outcome> found;
  for (const double consensus_step : consensus_steps) {
    for (const double step : {0.05, 0.1, 0.2, 0.02}) {
      const Settings settings{strategy, compressor, consensus_step, step};
      const Outcome outcome =
          descend(problem, network, point, settings, goal, std::min(budget, found.second.bytes));
      if (outcome.bytes < found.second.bytes) found = {settings, outcome};
    }
  }
  return found;
}

void print(const char* how, const std::pair<Settings, Outcome>& found, double uncompressed) {
  const auto& [settings, outcome] = found;
  if (!(outcome.bytes < infinity)) {
    std::printf("  %-9s  not within 6000 iterations or at twice the bytes", how);
    return;
  }
  std::printf("  %-9s %4.2f %4.2f %6d %9.0f %6.1f%%", how, settings.consensus_step, settings.step,
              outcome.iterations, outcome.bytes / 1000, 100 * outcome.bytes / uncompressed);
}

void compare_answers(const Quadratic& problem, Network& network, const VectorXd& minimizer) {
  const Outcome plain =
      descend(problem, network, minimizer, {"gt-nonatc", "identity", 0, 0.1}, 1e-9, infinity);
  const Outcome top = descend(problem, network, minimizer,
                              {"compressed-tracking", "top-k", 0.4, 0.1}, 1e-9, infinity);
  std::printf(
      "top-k 10 %%, consensus step 0.4, step 0.1: error %.1e after %d iterations at %.1f %% "
      "of the bytes per iteration\n(gt-nonatc, step 0.1: %.1e after %d)\n\n",
      top.error, top.iterations, 100 * top.bytes_per_iteration / plain.bytes_per_iteration,
      plain.error, plain.iterations);
}

void run(Index dimension) {
  const Quadratic problem(dimension);
  const VectorXd minimizer = problem.minimizer();
  TopologyOptions topology;
  topology.agents = agents;
  Network network(Communicator(MPI_COMM_WORLD), make_schedule(topology));
  compare_answers(problem, network, minimizer);
  const auto uncompressed =
      best(problem, network, minimizer, "gt-nonatc", "identity", {0}, infinity);
  std::printf(
      "to 1e-6:               consensus step, step, iterations, kB, share of gt-nonatc (0 = "
      "automatic)\n");
  std::printf("%-18s", "gt-nonatc");
  print("", uncompressed, uncompressed.second.bytes);
  std::printf("\n");
  for (const CompressorEntry& entry : compressor_catalog()) {
    std::printf("%-18s", entry.name.c_str());
    const auto settle = [&](const std::vector<double>& consensus_steps, double budget) {
      return best(problem, network, minimizer, "compressed-tracking", entry.name, consensus_steps,
                  budget);
    };
    const double bytes = uncompressed.second.bytes;
    const auto automatic = settle({0}, 2 * bytes);
    auto chosen = settle({0.4, 0.2, 0.8, 1}, std::min(2 * bytes, automatic.second.bytes));
    if (!(chosen.second.bytes < infinity)) chosen = automatic;
    print("automatic", automatic, bytes);
    print("best", chosen, bytes);
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  run(argc > 1 ? std::atol(argv[1]) : 1000);
  MPI_Finalize();
}

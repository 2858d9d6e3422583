#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "consensus/heterogeneous_quadratic.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

constexpr Index dimension = 50;
constexpr AgentId agents = 8;

Chosen<StrategyEntry> compressed(const std::string& strategy, const std::string& compressor,
                                 double consensus_step = 0) {
  return {strategy_catalog(), strategy,
          CompressedOptions{.consensus_step = consensus_step,
                            .compressor = {compressor_catalog(), compressor}}};
}

std::shared_ptr<const Compressor> compressor_of(const Chosen<StrategyEntry>& strategy) {
  return make_compressor(strategy.as<CompressedOptions>().compressor, dimension);
}

MatrixXd gradients(const HeterogeneousQuadratic& problem, const MatrixXd& x) {
  MatrixXd g(x.rows(), x.cols());
  for (Index a = 0; a < x.cols(); ++a) {
    g.col(a) = problem.gradient(static_cast<AgentId>(a), x.col(a));
  }
  return g;
}

double distance(const Network& network, const AgentMatrix& found, const MatrixXd& all) {
  if (found.cols() == 0) return 0;
  return (found - own_columns(network, all)).cwiseAbs().maxCoeff();
}

/// The decoded message of compressors that draw nothing.
MatrixXd sent(const Compressor& compressor, const MatrixXd& v) {
  MatrixXd out(v.rows(), v.cols());
  for (Index a = 0; a < v.cols(); ++a) {
    const VectorXd in = v.col(a);
    const auto size = static_cast<std::size_t>(v.rows());
    std::vector<std::byte> message(compressor.bytes(v.rows()));
    compressor.encode({in.data(), size}, {}, message);
    compressor.decode(message, {}, {out.col(a).data(), size});
  }
  return out;
}

/// sum_j w_ij (r_j - r_i) by the definition.
MatrixXd disagreement(const MatrixXd& w, const MatrixXd& references) {
  return references * w.transpose() - references;
}

TEST(CompressedTracking, IsGradientTrackingWithoutCompression) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const auto schedule = schedule_of("ring", agents);
  const MatrixXd w = dense(*schedule->at(0));
  Network network(Communicator(MPI_COMM_WORLD), schedule);
  Descent run(problem, network, compressed("compressed-tracking", "identity", 1));
  MatrixXd s = MatrixXd::Zero(dimension, agents);
  MatrixXd last = gradients(problem, s);
  MatrixXd t = last;
  for (int k = 0; k < 200; ++k) {
    if (k > 0) {
      const MatrixXd g = gradients(problem, s);
      t = (t * w.transpose() + g - last).eval();
      last = g;
    }
    s = (s * w.transpose() - 0.1 * t).eval();
    run.step(0.1);
    ASSERT_LE(distance(network, run.value, s), 1e-13) << "step " << k;
  }
}

TEST(CompressedTracking, FollowsTheRecursionWithReferencesOfAllAgents) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const auto schedule = schedule_of("erdos-renyi", agents);
  const MatrixXd w = dense(*schedule->at(0));
  Network network(Communicator(MPI_COMM_WORLD), schedule);
  for (const char* name : {"top-k", "sign", "bfloat16", "low-rank"}) {
    const auto options = compressed("compressed-tracking", name, 0.15);
    const auto compressor = compressor_of(options);
    Descent run(problem, network, options);
    MatrixXd d = MatrixXd::Zero(dimension, agents);
    MatrixXd d_hat = d;
    MatrixXd s_hat = d;
    MatrixXd last = gradients(problem, d);
    MatrixXd s = last;
    for (int k = 0; k < 40; ++k) {
      d = (d + 0.15 * disagreement(w, d_hat) - 0.05 * s).eval();
      d_hat += sent(*compressor, d - d_hat);
      s_hat += sent(*compressor, s - s_hat);
      const MatrixXd g = gradients(problem, d);
      s = (s + 0.15 * disagreement(w, s_hat) + g - last).eval();
      last = g;
      run.step(0.05);
      ASSERT_LE(distance(network, run.value, d), 1e-12) << name << ", step " << k;
    }
  }
}

/// Runs until the minimizer is found; on the way the mean of the trackers is that of the
/// directions.
void expect_minimizer(const HeterogeneousQuadratic& problem, Network& network,
                      const std::string& compressor) {
  const auto options = compressed("compressed-tracking", compressor);
  const VectorXd solution = problem.minimizer();
  const Traffic before = network.traffic();
  Descent run(problem, network, options);
  constexpr int most = 12'000;
  int k = 0;
  for (; k < most && (k % 20 != 0 || run.distance(solution) > 1e-8); ++k) {
    run.step(0.02);
    if (k > 200 && k % 50 != 0) continue;
    AgentMatrix tracker(dimension, run.value.cols());
    tracker = run.state("tracker");
    AgentMatrix last(dimension, run.value.cols());
    last = run.state("last_direction");
    const double error =
        (network.mean_for_report(tracker) - network.mean_for_report(last)).cwiseAbs().maxCoeff();
    ASSERT_LE(error, 1e-14) << compressor << ", step " << k;
  }
  EXPECT_LT(k, most) << compressor << ": " << run.distance(solution);
  testing::Test::RecordProperty(compressor, k);
  const Traffic after = network.traffic();
  const auto bytes = static_cast<std::int64_t>(compressor_of(options)->bytes(dimension));
  std::int64_t edges = 0;
  for (const AgentId a : network.agents().local) {
    for (const auto& term : network.schedule().at(0)->row(a)) edges += term.sender == a ? 0 : 1;
  }
  EXPECT_EQ(after.messages - before.messages, edges * (2 * k - 1)) << compressor;
  EXPECT_EQ(after.bytes - before.bytes, (after.messages - before.messages) * bytes) << compressor;
}

TEST(CompressedTracking, ReachesTheMinimizerWithEveryCompressorOnEveryGraph) {
  const HeterogeneousQuadratic problem(dimension, agents);
  for (const char* topology : {"ring", "erdos-renyi", "complete", "star"}) {
    Network network(Communicator(MPI_COMM_SELF), schedule_of(topology, agents));
    for (const CompressorEntry& entry : compressor_catalog()) {
      SCOPED_TRACE(topology);
      expect_minimizer(problem, network, entry.name);
    }
  }
}

TEST(CompressedTracking, KeepsDifferencesOfReferences) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const auto schedule = schedule_of("erdos-renyi", agents);
  const MatrixXd w = dense(*schedule->at(0));
  Network network(Communicator(MPI_COMM_SELF), schedule);
  for (const CompressorEntry& entry : compressor_catalog()) {
    Descent run(problem, network, compressed("compressed-tracking", entry.name));
    run.steps(500, 0.02);
    for (const std::string of : {"value_messages/", "tracker_messages/"}) {
      const MatrixXd expected = disagreement(w, run.state(of + "reference"));
      const MatrixXd found = run.state(of + "difference");
      EXPECT_LE((found - expected).cwiseAbs().maxCoeff(), 1e-12) << entry.name << " " << of;
      EXPECT_GT(expected.norm(), 1e-10) << entry.name << " " << of;
    }
  }
}

TEST(CompressedTracking, StaysExactOverManySteps) {
  const HeterogeneousQuadratic problem(6, agents);
  Network network(Communicator(MPI_COMM_SELF), schedule_of("ring", agents));
  const Chosen<StrategyEntry> options(
      strategy_catalog(), "compressed-tracking",
      CompressedOptions{
          .consensus_step = 0.3,
          .compressor = {compressor_catalog(), "top-k", KeptEntriesOptions{.ratio = 1.0 / 3}}});
  Descent run(problem, network, options);
  const VectorXd solution = problem.minimizer();
  run.steps(3000, 0.1);
  EXPECT_LE(run.distance(solution), 1e-13);
  run.steps(20'000, 0.1);
  EXPECT_LE(run.distance(solution), 1e-13);
}

TEST(CompressedTracking, GivesTheSameBitsOnAnyNumberOfRanks) {
  const HeterogeneousQuadratic problem(dimension, 7);
  const auto schedule = schedule_of("ring", 7);
  for (const CompressorEntry& entry : compressor_catalog()) {
    EXPECT_TRUE(same_as_in_one_process(problem, schedule,
                                       compressed("compressed-tracking", entry.name), 25,
                                       "tracker_messages/difference"))
        << entry.name;
    EXPECT_TRUE(same_as_in_one_process(problem, schedule, compressed("choco", entry.name), 25,
                                       "messages/reference"))
        << entry.name;
  }
}

TEST(CompressedTracking, GoesOnFromItsState) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const char* name : {"top-k", "random-k-unbiased", "quantization"}) {
    for (const std::string strategy : {"compressed-tracking", "choco"}) {
      for (const int steps : {0, 1, 30}) {
        EXPECT_TRUE(goes_on_from_a_copy(problem, network, compressed(strategy, name), steps))
            << strategy << " with " << name << " after " << steps;
      }
    }
  }
}

TEST(CompressedTracking, ShowsDivergenceToNeighbors) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string strategy : {"compressed-tracking", "choco"}) {
    Descent run(problem, network, compressed(strategy, "top-k"));
    run.steps(3, 0.1);
    for (int i = 0; i < run.value.cols(); ++i) {
      if (agent_of(network, i) == 0) run.value(3, i) = std::numeric_limits<double>::quiet_NaN();
    }
    run.step(0.1);
    for (int i = 0; i < run.value.cols(); ++i) {
      const AgentId agent = agent_of(network, i);
      EXPECT_EQ(run.value.col(i).array().isNaN().all(), agent <= 1 || agent == 7)
          << strategy << ", agent " << agent;
    }
  }
}

TEST(CompressedTracking, RefusesAStepBeyondOne) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", agents));
  for (const std::string strategy : {"compressed-tracking", "choco"}) {
    const auto far = compressed(strategy, "top-k", 1.5);
    EXPECT_THROW(far->make({network, "x", dimension, far.options(), 1}), Error);
    EXPECT_THROW(compressed(strategy, "middle-out"), Error);
  }
}

TEST(Choco, IsDiffusionWithoutCompression) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const auto schedule = schedule_of("ring", agents);
  const MatrixXd w = dense(*schedule->at(0));
  Network network(Communicator(MPI_COMM_WORLD), schedule);
  Descent run(problem, network, compressed("choco", "identity", 1));
  MatrixXd s = MatrixXd::Zero(dimension, agents);
  for (int k = 0; k < 200; ++k) {
    s = ((s - 0.1 * gradients(problem, s)) * w.transpose()).eval();
    run.step(0.1);
    ASSERT_LE(distance(network, run.value, s), 1e-13) << "step " << k;
  }
}

TEST(Choco, MovesTheMeanByTheMeanDirection) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("erdos-renyi", agents));
  for (const CompressorEntry& entry : compressor_catalog()) {
    Descent run(problem, network, compressed("choco", entry.name));
    for (int k = 0; k < 300; ++k) {
      run.evaluate();
      const VectorXd expected =
          network.mean_for_report(run.value) - 0.05 * network.mean_for_report(run.direction);
      run.strategy->advance(run.value, run.direction, 0.05);
      const VectorXd found = network.mean_for_report(run.value);
      ASSERT_LE((found - expected).cwiseAbs().maxCoeff(), 1e-14) << entry.name << ", step " << k;
    }
  }
}

TEST(Choco, AgreesOnceStepsEnd) {
  const HeterogeneousQuadratic problem(dimension, agents);
  Network network(Communicator(MPI_COMM_SELF), schedule_of("ring", agents));
  for (const CompressorEntry& entry : compressor_catalog()) {
    Descent run(problem, network, compressed("choco", entry.name));
    run.steps(100, 0.05);
    const VectorXd mean = network.mean_for_report(run.value);
    EXPECT_GT(run.distance(mean), 1e-3) << entry.name;
    run.steps(4000, 0);
    EXPECT_LE(run.distance(mean), 1e-10) << entry.name;
  }
}

}  // namespace
}  // namespace echelon

#include "echelon/consensus/mean_tracker.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "echelon/core/error.hpp"
#include "quadratic_agents.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const std::vector<Index> heights = {3, 9, 1};

/// Component k of an agent; moves with `time`.
VectorXd vector_of(AgentId agent, std::size_t k, int time) {
  Draws draws(8, Purpose::problem_data, agent, k);
  VectorXd vector(heights[k]);
  for (Index r = 0; r < vector.size(); ++r) {
    vector(r) = 3 * draws.normal() + draws.normal() * std::sin(0.3 * time);
  }
  return vector;
}

VectorXd mean_of(AgentId agents, std::size_t k, int time) {
  VectorXd mean = VectorXd::Zero(heights[k]);
  for (AgentId a = 0; a < agents; ++a) mean += vector_of(a, k, time) / agents;
  return mean;
}

void fill(MeanTracker& tracker, const Network& network, int time) {
  for (std::size_t k = 0; k < heights.size(); ++k) {
    AgentView component = tracker.component(k);
    for (int i = 0; i < component.cols(); ++i) {
      component.col(i) = vector_of(network.agents().local[static_cast<std::size_t>(i)], k, time);
    }
  }
}

TEST(MeanTracker, LaysItsComponentsOutInOneAlignedBlock) {
  Network network(Communicator(MPI_COMM_WORLD), ring(5));
  MeanTracker tracker(network, "c", heights, false);
  ASSERT_EQ(tracker.components(), 3u);
  for (std::size_t k = 0; k < heights.size(); ++k) {
    EXPECT_EQ(tracker.component(k).rows(), heights[k]);
    EXPECT_EQ(tracker.component(k).cols(), network.agents().count());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tracker.component(k).data()) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tracker.mean(k).data()) % 64, 0u);
  }
  EXPECT_EQ(tracker.component(1).data() - tracker.component(0).data(), 8);
  EXPECT_EQ(tracker.component(2).data() - tracker.component(1).data(), 16);
}

TEST(MeanTracker, IsTheMeanIfExact) {
  Network network(Communicator(MPI_COMM_WORLD), digraph());
  MeanTracker tracker(network, "c", heights, true);
  for (int time = 0; time < 3; ++time) {
    fill(tracker, network, time);
    tracker.update();
    for (std::size_t k = 0; k < heights.size(); ++k) {
      EXPECT_LT(mean_distance(network, tracker.mean(k), mean_of(6, k, time)), 1e-14);
    }
  }
}

TEST(MeanTracker, KeepsTheMeanOfMovingComponents) {
  for (const bool fails : {false, true}) {
    Network network(Communicator(MPI_COMM_WORLD), fails ? failing(ring(7)) : periodic({ring(7)}));
    MeanTracker tracker(network, "c", heights, false);
    for (int time = 0; time < 100; ++time) {
      fill(tracker, network, time);
      tracker.update();
      for (std::size_t k = 0; k < heights.size(); ++k) {
        const VectorXd mean = network.mean_for_report(tracker.mean(k));
        ASSERT_LT((mean - mean_of(7, k, time)).norm(), 1e-12) << time;
      }
    }
  }
}

TEST(MeanTracker, StartsAtTheOwnComponentsAndThenMixesTheirChanges) {
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  MeanTracker tracker(network, "c", heights, false);
  const Eigen::MatrixXd w = dense(ring(7));
  for (std::size_t k = 0; k < heights.size(); ++k) {
    Eigen::MatrixXd tracked(7, heights[k]);
    MeanTracker own(network, "c", heights, false);
    for (int time = 0; time < 20; ++time) {
      for (AgentId a = 0; a < 7; ++a) {
        if (time == 0) {
          tracked.row(a) = vector_of(a, k, 0).transpose();
        } else {
          tracked.row(a) += (vector_of(a, k, time) - vector_of(a, k, time - 1)).transpose();
        }
      }
      if (time > 0) tracked = (w * tracked).eval();
      fill(own, network, time);
      own.update();
      ASSERT_LT(deviation(network, own.mean(k), tracked), 1e-12) << time;
    }
  }
}

TEST(MeanTracker, ReachesTheMeanOfConstantComponentsAtTheRateOfTheNetwork) {
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  for (const int rounds : {1, 2}) {
    MeanTracker tracker(network, "c", heights, false, {.mixing = {.mixing_rounds = rounds}});
    const auto error_after = [&](int updates) {
      for (int u = 0; u < updates; ++u) {
        fill(tracker, network, 0);
        tracker.update();
      }
      return mean_distance(network, tracker.mean(1), mean_of(7, 1, 0));
    };
    const double before = error_after(40 / rounds);
    const double rate = std::pow(error_after(20 / rounds) / before, 1.0 / 20);
    EXPECT_NEAR(rate, network.certificate().second_eigenvalue, 1e-3);
    EXPECT_LT(error_after(200), 1e-13);
  }
}

TEST(MeanTracker, RefusesNetworksOnWhichTheMeanWouldDrift) {
  Network network(Communicator(MPI_COMM_WORLD), digraph());
  try {
    MeanTracker(network, "c", heights, false);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("not doubly stochastic"), std::string::npos);
  }
}

}  // namespace
}  // namespace echelon

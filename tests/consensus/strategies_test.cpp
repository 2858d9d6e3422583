#include <gtest/gtest.h>

#include <cmath>

#include "catalog_names.hpp"
#include "echelon/consensus/variable.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

constexpr Index dimension = 4;
constexpr double step = 0.2;

MixingMatrix ring(AgentId agents) {
  TopologyOptions options;
  options.agents = agents;
  return make_mixing_matrix(options);
}

MixingMatrix all_equal(AgentId agents) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(agents));
  for (auto& row : rows) {
    for (AgentId j = 0; j < agents; ++j) row.push_back({j, 1.0 / agents});
  }
  return MixingMatrix(rows);
}

const StrategyEntry& strategy(const std::string& name) {
  return find_entry(strategy_catalog(), name, "strategy");
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

VectorXd minimizer(AgentId agents) {
  VectorXd weighted = VectorXd::Zero(dimension), total = VectorXd::Zero(dimension);
  for (AgentId a = 0; a < agents; ++a) {
    const Objective objective(a);
    weighted += objective.curvature.cwiseProduct(objective.center);
    total += objective.curvature;
  }
  return weighted.cwiseQuotient(total);
}

AgentMatrix directions(const Network& network, const AgentView& value) {
  AgentMatrix gradient(dimension, network.agents().count());
  for (int i = 0; i < gradient.cols(); ++i) {
    const Objective objective(network.agents().local[static_cast<std::size_t>(i)]);
    gradient.col(i) = objective.curvature.cwiseProduct(value.col(i) - objective.center);
  }
  return gradient;
}

class TrackerReader final : public StateVisitor {
 public:
  VectorXd mean;
  Network* network = nullptr;

 private:
  void visit(const std::string& name, AgentMatrix& block) override {
    if (name == "tracker") mean = network->mean_for_report(block);
  }
  void visit(const std::string&, double&) override {}
  void visit(const std::string&, std::int64_t&) override {}
  void visit(const std::string&, Eigen::MatrixXd&) override {}
};

class EveryStrategy : public testing::TestWithParam<std::string> {};

TEST_P(EveryStrategy, KeepsTheMeansThatItsTheoryPromises) {
  const StrategyEntry& entry = strategy(GetParam());
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), entry);
  double largest = 1;
  for (int k = 0; k < 300; ++k) {
    const VectorXd before = network.mean_for_report(variable.value());
    const AgentMatrix gradient = directions(network, variable);
    const VectorXd mean_gradient = network.mean_for_report(gradient);
    largest = std::max(largest, mean_gradient.lpNorm<Eigen::Infinity>());
    variable.descend(step, gradient);
    const VectorXd after = network.mean_for_report(variable.value());
    // mean(S_next) = mean(S) - a mean(G) holds for every strategy here (doubly stochastic W,
    // mean(T) = mean(G)).
    EXPECT_LT((after - (before - step * mean_gradient)).lpNorm<Eigen::Infinity>(), 1e-12 * largest)
        << k;
    TrackerReader reader;
    reader.network = &network;
    variable.visit_state(reader);
    if (reader.mean.size() > 0) {
      EXPECT_LT((reader.mean - mean_gradient).lpNorm<Eigen::Infinity>(), 1e-12 * largest) << k;
    }
  }
}

TEST_P(EveryStrategy, ReachesTheMinimizerOfTheMeanOrKeepsItsBias) {
  const StrategyEntry& entry = strategy(GetParam());
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), entry);
  for (int k = 0; k < 3000; ++k) variable.descend(step, directions(network, variable));
  AgentMatrix error(1, network.agents().count());
  for (int i = 0; i < error.cols(); ++i)
    error(0, i) = (variable.value().col(i) - minimizer(7)).norm();
  const double mean_error = network.mean_for_report(error)(0);
  if (entry.personal || !entry.exact_on_heterogeneous) {
    EXPECT_GT(mean_error, 1e-2);
  } else {
    EXPECT_LT(mean_error, 1e-12);
  }
}

TEST_P(EveryStrategy, IsAPlainStepForOneAgent) {
  Network network(Communicator(MPI_COMM_WORLD), ring(1));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), strategy(GetParam()));
  VectorXd expected = VectorXd::Zero(dimension);
  const Objective objective(0);
  for (int k = 0; k < 20; ++k) {
    variable.descend(step, directions(network, variable));
    expected -= step * objective.curvature.cwiseProduct(expected - objective.center);
  }
  if (network.agents().count() == 1) {
    EXPECT_LT((variable.value().col(0) - expected).norm(), 1e-13);
  }
}

TEST_P(EveryStrategy, ShrinksDisagreementAtTheRateOfTheNetwork) {
  const StrategyEntry& entry = strategy(GetParam());
  if (entry.need == NetworkNeed::nothing) return;  // does not mix
  Network network(Communicator(MPI_COMM_WORLD), ring(9));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), entry);
  AgentMatrix kick(dimension, network.agents().count());
  for (int i = 0; i < kick.cols(); ++i)
    kick.col(i).setConstant(network.agents().local[static_cast<std::size_t>(i)]);
  variable.descend(1.0, kick);
  const auto disagreement = [&] {
    const VectorXd mean = network.mean_for_report(variable.value());
    AgentMatrix square(1, kick.cols());
    for (int i = 0; i < kick.cols(); ++i)
      square(0, i) = (variable.value().col(i) - mean).squaredNorm();
    return std::sqrt(network.mean_for_report(square)(0));
  };
  const AgentMatrix zero(dimension, network.agents().count());
  for (int k = 0; k < 30; ++k) variable.descend(0, zero);
  const double before = disagreement();
  for (int k = 0; k < 10; ++k) variable.descend(0, zero);
  EXPECT_NEAR(std::pow(disagreement() / before, 0.1), network.certificate().second_eigenvalue,
              1e-3);
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryStrategy, testing_support::every_name(strategy_catalog()),
                         testing_support::suffix);

TEST(Strategies, AtcFormsReproduceAllReduceWhenEverybodyHearsEverybody) {
  Network network(Communicator(MPI_COMM_WORLD), all_equal(5));
  for (const char* name : {"gossip-atc", "gt-atc", "gt-semi"}) {
    ConsensusVariable exact(network, "e", VectorXd::Zero(dimension), strategy("all-reduce"));
    ConsensusVariable tested(network, "s", VectorXd::Zero(dimension), strategy(name));
    for (int k = 0; k < 40; ++k) {
      exact.descend(step, directions(network, exact));
      tested.descend(step, directions(network, tested));
      EXPECT_LT((exact.value() - tested.value()).norm(), 1e-12) << name << " at " << k;
    }
  }
}

TEST(Strategies, ASettledPointStaysPut) {
  Network network(Communicator(MPI_COMM_WORLD), ring(6));
  for (const char* name : {"all-reduce", "gt-atc", "gt-semi", "gt-nonatc"}) {
    ConsensusVariable variable(network, "s", minimizer(6), strategy(name));
    constexpr double small_step =
        0.1;  // the non-ATC form is stable up to (1 + lambda_min)^2 / (2 L) = 0.15 here
    for (int k = 0; k < 2000; ++k) variable.descend(small_step, directions(network, variable));
    const AgentMatrix settled = [&] {
      AgentMatrix copy(dimension, network.agents().count());
      copy.copy_from(variable.value());
      return copy;
    }();
    variable.descend(small_step, directions(network, variable));
    EXPECT_LT((variable.value() - settled).norm(), 1e-13) << name;
  }
}

TEST(Strategies, RefuseNetworksThatCannotServeThem) {
  const std::vector<std::vector<MixingMatrix::Entry>> star_rows = {
      {{0, 1.0 / 3}, {1, 1.0 / 3}, {2, 1.0 / 3}}, {{0, 0.5}, {1, 0.5}}, {{0, 0.5}, {2, 0.5}}};
  Network unbalanced(Communicator(MPI_COMM_WORLD), MixingMatrix(star_rows));
  const std::vector<std::vector<MixingMatrix::Entry>> apart_rows = {{{0, 1.0}}, {{1, 1.0}}};
  Network apart(Communicator(MPI_COMM_WORLD), MixingMatrix(apart_rows));
  for (const auto& entry : strategy_catalog()) {
    const auto make = [&](Network& network) {
      return ConsensusVariable(network, "x", VectorXd::Zero(2), entry);
    };
    if (entry.need == NetworkNeed::nothing) {
      EXPECT_NO_THROW(make(unbalanced));
      EXPECT_NO_THROW(make(apart));
      continue;
    }
    try {
      make(unbalanced);
      ADD_FAILURE() << entry.name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("not doubly stochastic"), std::string::npos);
    }
    try {
      make(apart);
      ADD_FAILURE() << entry.name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("not connected"), std::string::npos);
    }
  }
}

TEST(ConsensusVariable, ProjectsOntoABall) {
  Network network(Communicator(MPI_COMM_WORLD), ring(3));
  ConsensusVariable variable(network, "v", VectorXd::Constant(dimension, 5.0),
                             strategy("all-reduce"));
  variable.project_onto_ball(2);
  for (int i = 0; i < variable.value().cols(); ++i)
    EXPECT_NEAR(variable.value().col(i).norm(), 2, 1e-15);
  variable.project_onto_ball(3);
  for (int i = 0; i < variable.value().cols(); ++i)
    EXPECT_NEAR(variable.value().col(i).norm(), 2, 1e-15);
}

}  // namespace
}  // namespace echelon

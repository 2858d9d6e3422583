#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "catalog_names.hpp"
#include "echelon/consensus/variable.hpp"
#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"
#include "quadratic_agents.hpp"

namespace echelon {
namespace {

using namespace testing_support;

constexpr double step = 0.2;

/// Compressed strategies as exact as they get, several steps to a round with a server.
const PartSettings uncompressed{{"compressor", "identity"}, {"local_steps", "3"}};

/// Keeps what a variable carries, or writes it back.
class StateCopy final : public StateVisitor {
 public:
  std::map<std::string, Eigen::MatrixXd> blocks;
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> counters;
  bool restoring = false;

 private:
  template <class State, class Kept>
  void keep(State& state, Kept& kept) {
    if (restoring) {
      state = kept;
    } else {
      kept = state;
    }
  }
  void visit(const std::string& name, AgentMatrix& block) override { keep(block, blocks[name]); }
  void visit(const std::string& name, double& number) override { keep(number, numbers[name]); }
  void visit(const std::string& name, std::int64_t& counter) override {
    keep(counter, counters[name]);
  }
  void visit(const std::string& name, Eigen::MatrixXd& table) override {
    keep(table, blocks[name]);
  }
};

StateCopy state_of(ConsensusVariable& variable) {
  StateCopy copy;
  variable.visit_state(copy);
  return copy;
}

AgentMatrix block_of(const Eigen::MatrixXd& matrix) {
  AgentMatrix block(matrix.rows(), matrix.cols());
  block = matrix;
  return block;
}

class EveryStrategy : public testing::TestWithParam<std::string> {};

void expect_invariant(Network& network, const Chosen<StrategyEntry>& entry,
                      const std::string& where) {
  const Invariant invariant = traits_of(entry).invariant;
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), entry);
  double largest = 1;
  for (int k = 0; k < 100; ++k) {
    const double a = 0.05 + 0.02 * std::sin(k);
    const VectorXd before = network.mean_for_report(variable.value());
    const AgentMatrix gradient = directions(network, variable);
    const VectorXd mean_gradient = network.mean_for_report(gradient);
    largest = std::max(
        {largest, mean_gradient.lpNorm<Eigen::Infinity>(), before.lpNorm<Eigen::Infinity>()});
    variable.descend(a, gradient);
    const StateCopy state = state_of(variable);
    if (invariant == Invariant::mean_step) {
      const VectorXd after = network.mean_for_report(variable.value());
      ASSERT_LT((after - (before - a * mean_gradient)).lpNorm<Eigen::Infinity>(), 1e-12 * largest)
          << where << " at " << k;
    } else if (invariant == Invariant::tracker_mean) {
      const VectorXd tracked = network.mean_for_report(block_of(state.blocks.at("tracker")));
      ASSERT_LT((tracked - mean_gradient).lpNorm<Eigen::Infinity>(), 1e-12 * largest)
          << where << " at " << k;
    } else if (invariant == Invariant::unit_mass) {
      const AgentMatrix mass = block_of(state.blocks.at("mass"));
      ASSERT_NEAR(network.sum_for_report(mass)(0), network.size(), 1e-12) << where << " at " << k;
      ASSERT_TRUE((mass.array() > 0).all()) << where << " at " << k;
    }
  }
}

TEST_P(EveryStrategy, KeepsItsInvariantOnEveryNetworkThatItServes) {
  const auto entry = strategy(GetParam(), uncompressed);
  const StrategyTraits traits = traits_of(entry);
  Network fixed(Communicator(MPI_COMM_WORLD), ring(7));
  expect_invariant(fixed, entry, "ring");
  if (traits.changing_network) {
    Network changing(Communicator(MPI_COMM_WORLD), failing(ring(7)));
    expect_invariant(changing, entry, "failing ring");
  }
  if (traits.need == NetworkNeed::connected) {
    Network directed(Communicator(MPI_COMM_WORLD), digraph());
    expect_invariant(directed, entry, "digraph");
    Network both(Communicator(MPI_COMM_WORLD), failing(digraph()));
    expect_invariant(both, entry, "failing digraph");
  }
}

TEST_P(EveryStrategy, ReachesTheMinimizerOfTheMeanOrKeepsItsBias) {
  const auto entry = strategy(GetParam(), uncompressed);
  const StrategyTraits traits = traits_of(entry);
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), entry);
  const int steps =
      GetParam() == "compressed-tracking" ? 4000 : 800;  // its consensus step is small
  for (int k = 0; k < steps; ++k) variable.descend(step, directions(network, variable));
  const double error = mean_distance(network, variable, minimizer(7));
  if (traits.personal || !traits.exact_on_heterogeneous) {
    EXPECT_GT(error, 1e-2);
  } else {
    EXPECT_LT(error, 1e-12);
  }
}

TEST_P(EveryStrategy, StaysExactUnderProjectionIfItSaysSo) {
  const auto entry = strategy(GetParam(), uncompressed);
  const StrategyTraits traits = traits_of(entry);
  if (!traits.projectable || !traits.exact_on_heterogeneous || traits.personal) return;
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  const double radius = minimizer(7).norm() / 2;
  ConsensusVariable exact(network, "e", VectorXd::Zero(dimension), strategy("all-reduce"));
  ConsensusVariable tested(network, "s", VectorXd::Zero(dimension), entry);
  for (int k = 0; k < 800; ++k) {
    exact.descend(0.1, directions(network, exact));
    exact.project_onto_ball(radius);
    tested.descend(0.1, directions(network, tested));
    tested.project_onto_ball(radius);
  }
  EXPECT_LT((exact.value() - tested.value()).norm(), 1e-10);
}

TEST_P(EveryStrategy, IsAPlainStepForOneAgent) {
  Network network(Communicator(MPI_COMM_WORLD), ring(1));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension),
                             strategy(GetParam(), uncompressed));
  VectorXd expected = VectorXd::Zero(dimension);
  const Objective& objective = objective_of(0);
  for (int k = 0; k < 20; ++k) {
    variable.descend(step, directions(network, variable));
    expected -= step * objective.curvature.cwiseProduct(expected - objective.center);
  }
  if (network.agents().count() == 1) {
    EXPECT_LT((variable.value().col(0) - expected).norm(), 1e-13);
  }
}

TEST_P(EveryStrategy, GoesOnFromItsStateWithTheSameBits) {
  const auto entry = strategy(GetParam());
  const StrategyTraits traits = traits_of(entry);
  Network network(Communicator(MPI_COMM_WORLD),
                  traits.changing_network ? failing(ring(7)) : periodic({ring(7)}));
  ConsensusVariable original(network, "s", VectorXd::Zero(dimension), entry);
  for (int k = 0; k < 7; ++k) original.descend(step, directions(network, original));
  StateCopy state = state_of(original);
  ConsensusVariable resumed(network, "s", VectorXd::Zero(dimension), entry);
  state.restoring = true;
  resumed.visit_state(state);
  for (int k = 0; k < 7; ++k) {
    original.descend(step, directions(network, original));
    resumed.descend(step, directions(network, resumed));
  }
  EXPECT_EQ(Eigen::MatrixXd(original.value()), Eigen::MatrixXd(resumed.value()));
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryStrategy, every_name(strategy_catalog()), suffix);

/// Those that mix with W itself, each step anew.
class MixingStrategy : public testing::TestWithParam<std::string> {};

TEST_P(MixingStrategy, ShrinksDisagreementAtTheRateOfTheNetwork) {
  Network network(Communicator(MPI_COMM_WORLD), ring(9));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), strategy(GetParam()));
  AgentMatrix kick(dimension, network.agents().count());
  for (int i = 0; i < kick.cols(); ++i)
    kick.col(i).setConstant(network.agents().local[static_cast<std::size_t>(i)]);
  variable.descend(1.0, kick);
  const AgentMatrix zero(dimension, network.agents().count());
  // The two-point forms swing while they shrink: compare the largest of 12 steps, their half
  // period.
  const auto largest_disagreement = [&](int until) {
    double largest = 0;
    for (int k = 0; k < until; ++k) {
      variable.descend(0, zero);
      if (k + 12 < until) continue;
      const VectorXd mean = network.mean_for_report(variable.value());
      largest = std::max(largest, mean_distance(network, variable, mean));
    }
    return largest;
  };
  const double before = largest_disagreement(40);
  const double rate = std::pow(largest_disagreement(60) / before, 1.0 / 60);
  const double rho = network.certificate().second_eigenvalue;
  const bool two_point = traits_of(strategy(GetParam())).need == NetworkNeed::symmetric;
  EXPECT_NEAR(rate, two_point ? std::sqrt((1 + rho) / 2) : rho, 2e-3);
}

TEST_P(MixingStrategy, MixesSeveralRoundsAsWithThePowerOfTheMatrix) {
  Network squared(Communicator(MPI_COMM_WORLD), sparse(dense(ring(7)) * dense(ring(7))));
  Network network(Communicator(MPI_COMM_WORLD), ring(7));
  ConsensusVariable once(squared, "s", VectorXd::Zero(dimension),
                         strategy(GetParam(), {{"lazy", "no"}}));
  ConsensusVariable twice(network, "s", VectorXd::Zero(dimension),
                          strategy(GetParam(), {{"lazy", "no"}, {"mixing_rounds", "2"}}));
  for (int k = 0; k < 50; ++k) {
    once.descend(0.1, directions(squared, once));
    twice.descend(0.1, directions(network, twice));
  }
  EXPECT_LT((once.value() - twice.value()).norm(), 1e-12);
}

TEST_P(MixingStrategy, IsStableWithChebyshevPolynomials) {
  Network network(Communicator(MPI_COMM_WORLD), ring(16));
  // Eigenvalues of the polynomial go down to -0.5.
  const auto entry = strategy(GetParam(), {{"mixing_rounds", "4"}, {"chebyshev", "yes"}});
  const StrategyTraits traits = traits_of(entry);
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), entry);
  for (int k = 0; k < 1000; ++k) variable.descend(0.02, directions(network, variable));
  EXPECT_LT(mean_distance(network, variable, minimizer(16)),
            traits.exact_on_heterogeneous ? 1e-6 : 1);
}

INSTANTIATE_TEST_SUITE_P(Catalog, MixingStrategy,
                         testing::Values("gossip-atc", "gossip-cta", "gt-atc", "gt-semi",
                                         "gt-nonatc", "extra", "exact-diffusion", "push-pull",
                                         "push-sum", "push-diging"),
                         suffix);

TEST(Strategies, AtcFormsReproduceAllReduceWhenEverybodyHearsEverybody) {
  Network network(Communicator(MPI_COMM_WORLD), sparse(Eigen::MatrixXd::Constant(5, 5, 0.2)));
  for (const char* name :
       {"gossip-atc", "gt-atc", "gt-semi", "exact-diffusion", "push-pull", "push-diging"}) {
    ConsensusVariable exact(network, "e", VectorXd::Zero(dimension), strategy("all-reduce"));
    ConsensusVariable tested(network, "s", VectorXd::Zero(dimension),
                             strategy(name, {{"lazy", "no"}}));
    for (int k = 0; k < 40; ++k) {
      exact.descend(step, directions(network, exact));
      tested.descend(step, directions(network, tested));
      EXPECT_LT((exact.value() - tested.value()).norm(), 1e-12) << name << " at " << k;
    }
  }
}

TEST(Strategies, ASettledPointStaysPut) {
  Network network(Communicator(MPI_COMM_WORLD), ring(6));
  for (const char* name : {"all-reduce", "gt-atc", "gt-semi", "gt-nonatc", "extra",
                           "exact-diffusion", "push-pull", "push-diging"}) {
    ConsensusVariable variable(network, "s", minimizer(6), strategy(name));
    constexpr double small_step =
        0.1;  // the non-ATC form is stable up to (1 + lambda_min)^2 / (2 L) = 0.15 here
    for (int k = 0; k < 700; ++k) variable.descend(small_step, directions(network, variable));
    const Eigen::MatrixXd settled = variable.value();
    variable.descend(small_step, directions(network, variable));
    EXPECT_LT((variable.value() - settled).norm(), 1e-13) << name;
  }
}

std::string refusal(Network& network, const std::string& name, const PartSettings& settings = {}) {
  try {
    ConsensusVariable(network, "x", VectorXd::Zero(2), strategy(name, settings));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "none";
}

bool contains(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

TEST(Strategies, RefuseNetworksThatCannotServeThem) {
  Network unbalanced(Communicator(MPI_COMM_WORLD), digraph());
  Network apart(Communicator(MPI_COMM_WORLD), sparse(Eigen::MatrixXd::Identity(2, 2)));
  for (const auto& entry : strategy_catalog()) {
    const StrategyTraits traits = entry.traits(entry.options);
    const bool serves_all = traits.need == NetworkNeed::nothing;
    const bool serves_digraphs = serves_all || traits.need == NetworkNeed::connected;
    const std::string on_digraph = refusal(unbalanced, entry.name);
    EXPECT_EQ(on_digraph == "none", serves_digraphs) << entry.name;
    if (!serves_digraphs) {
      EXPECT_TRUE(contains(on_digraph, "not doubly stochastic")) << on_digraph;
      EXPECT_TRUE(contains(on_digraph, "use `push-pull`")) << on_digraph;
    }
    const std::string on_apart = refusal(apart, entry.name);
    EXPECT_EQ(contains(on_apart, "not connected"), !serves_all) << on_apart;
  }
}

TEST(Strategies, RefuseNetworksThatChangeOrAreNotSymmetricWhereTheRecursionNeedsIt) {
  Network changing(Communicator(MPI_COMM_WORLD), failing(ring(7)));
  Eigen::MatrixXd circle = 0.5 * Eigen::MatrixXd::Identity(5, 5);
  for (int i = 0; i < 5; ++i) circle(i, (i + 4) % 5) = 0.5;  // doubly stochastic, directed
  Network directed(Communicator(MPI_COMM_WORLD), sparse(circle));
  for (const auto& entry : strategy_catalog()) {
    const StrategyTraits traits = entry.traits(entry.options);
    const bool refuses_change = traits.need != NetworkNeed::nothing && !traits.changing_network;
    EXPECT_EQ(contains(refusal(changing, entry.name), "changes from round to round"),
              refuses_change)
        << entry.name;
    EXPECT_EQ(contains(refusal(directed, entry.name), "not symmetric"),
              traits.need == NetworkNeed::symmetric)
        << entry.name;
  }
}

TEST(Strategies, TwoPointFormsRefuseEigenvaluesBelowMinusAThirdUnlessLazy) {
  Network even(Communicator(MPI_COMM_WORLD), ring(8));  // smallest eigenvalue -1/3
  Network odd(Communicator(MPI_COMM_WORLD), ring(7));   // -0.267
  PartSettings options{{"lazy", "no"}};
  for (const char* name : {"extra", "exact-diffusion"}) {
    EXPECT_TRUE(contains(refusal(even, name, options), "-1/3")) << refusal(even, name, options);
    EXPECT_EQ(refusal(odd, name, options), "none");
    EXPECT_EQ(refusal(even, name), "none");
  }
  options.emplace_back("mixing_rounds", "2");
  EXPECT_EQ(refusal(even, "extra", options), "none");
  options.emplace_back("chebyshev", "yes");  // T_2 reaches nearly -1
  EXPECT_TRUE(contains(refusal(even, "extra", options), "-1/3"));
}

std::string options_of(const std::string& name) {
  std::string names;
  for (const auto& option : describe_options(strategy(name).options())) {
    names += (names.empty() ? "" : " ") + option.name;
    EXPECT_FALSE(option.help.empty()) << option.name;
  }
  return names;
}

TEST(Strategies, DeclareWhatTheyRead) {
  const std::string mixing = "mixing_rounds chebyshev";
  const std::string compressed = "consensus_step compressor compression_ratio";
  const std::string server = "local_steps server_step aggregation";
  const std::map<std::string, std::string> expected{
      {"all-reduce", "aggregation"},
      {"stale-server", "aggregation"},
      {"local-server", server},
      {"local-server-cv", server},
      {"gossip-atc", mixing},
      {"gossip-cta", mixing},
      {"gt-atc", mixing},
      {"gt-semi", mixing},
      {"gt-nonatc", mixing},
      {"push-pull", mixing},
      {"push-sum", mixing},
      {"push-diging", mixing},
      {"extra", mixing + " lazy"},
      {"exact-diffusion", mixing + " lazy"},
      {"compressed-tracking", compressed},
      {"choco", compressed},
      {"clipped-gossip", "mixing_rounds trimmed_fraction clipping_radius"},
      {"none", ""}};
  for (const StrategyEntry& entry : strategy_catalog()) {
    EXPECT_EQ(options_of(entry.name), expected.at(entry.name)) << entry.name;
  }
}

TEST(Strategies, HaveTraitsThatFollowFromTheirOptions) {
  const auto traits = [](const std::string& name, const PartSettings& settings = {}) {
    return traits_of(strategy(name, settings));
  };
  const PartSettings five{{"local_steps", "5"}};
  EXPECT_TRUE(traits("local-server").exact_on_heterogeneous);
  EXPECT_FALSE(traits("local-server", five).exact_on_heterogeneous);
  EXPECT_TRUE(traits("local-server-cv", five).exact_on_heterogeneous);
  EXPECT_EQ(traits("local-server", five).local_steps, 5);
  EXPECT_EQ(traits("gt-atc", {{"mixing_rounds", "3"}}).vectors_sent, 6);
  EXPECT_EQ(traits("gossip-atc", {{"mixing_rounds", "3"}}).vectors_sent, 3);
  EXPECT_EQ((*traits("choco", {{"compressor", "sign"}}).compressor)->name, "sign");
  EXPECT_FALSE(traits("gt-atc").compressor.has_value());
  EXPECT_FALSE(traits("all-reduce").robust);
  EXPECT_TRUE(traits("all-reduce", {{"aggregation", "median"}}).robust);
  EXPECT_TRUE(traits("all-reduce").averages_exactly);
  EXPECT_FALSE(traits("stale-server").averages_exactly);
}

TEST(Strategies, AreKnownByTheNamesThatUsersGiveThem) {
  for (const auto& [alias, name] :
       {std::pair{"gradient-tracking", "gt-atc"}, std::pair{"FedAvg", "local-server"},
        std::pair{"scaffold", "local-server-cv"}, std::pair{"allreduce", "all-reduce"},
        std::pair{"DGD", "gossip-cta"}, std::pair{"dsgd", "gossip-atc"},
        std::pair{"D2", "exact-diffusion"}}) {
    EXPECT_EQ(strategy(alias)->name, name);
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

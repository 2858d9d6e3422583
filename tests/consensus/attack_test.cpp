#include "echelon/consensus/attack.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "catalog_names.hpp"
#include "consensus/heterogeneous_quadratic.hpp"
#include "echelon/consensus/variable.hpp"
#include "part_settings.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

constexpr AgentId agents = 10;
constexpr Index dimension = 20;
constexpr std::uint64_t seed = 5;

std::shared_ptr<const Attack> attack_of(const std::string& kind, double scale,
                                        double fraction = 0.2) {
  const auto attack = chosen(attack_catalog(), kind,
                             {{"fraction", number_text(fraction)}, {"scale", number_text(scale)}});
  return make_attack(attack, agents, seed);
}

/// Agent i minimizes 1/2 (x - b_i)' D (x - b_i), b_i = c + h e_i: equal agents for h = 0.
struct Agents {
  VectorXd curvature = VectorXd(dimension), center = VectorXd(dimension);
  MatrixXd own = MatrixXd(dimension, agents);

  explicit Agents(double heterogeneity) {
    Draws draws(1, Purpose::problem_data);
    for (Index r = 0; r < dimension; ++r) {
      curvature(r) = 0.5 + draws.uniform();
      center(r) = draws.normal();
      for (AgentId a = 0; a < agents; ++a) own(r, a) = center(r) + heterogeneity * draws.normal();
    }
  }
  VectorXd solution() const { return own.rowwise().mean(); }
};

struct Case {
  std::string strategy;
  PartSettings options;  ///< as far as the strategy reads them
  std::shared_ptr<const Attack> attack;
};

/// Distance of the farthest honest agent from the answer of all without an attack, after 300 steps.
double error_of(const Agents& problem, const Case& one, const std::string& topology = "complete") {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of(topology, agents));
  ConsensusVariable variable(network, "s", VectorXd::Zero(dimension),
                             chosen(strategy_catalog(), one.strategy, one.options), seed, {},
                             nullptr, one.attack);
  AgentMatrix direction(dimension, network.agents().count());
  for (int k = 0; k < 300; ++k) {
    for (int i = 0; i < direction.cols(); ++i) {
      direction.col(i) = problem.curvature.cwiseProduct(variable.value().col(i) -
                                                        problem.own.col(agent_of(network, i)));
    }
    variable.descend(0.3, direction);
  }
  double largest = 0;
  for (int i = 0; i < direction.cols(); ++i) {
    if (one.attack && one.attack->attacks(agent_of(network, i))) continue;
    const double own = (variable.value().col(i) - problem.solution()).norm();
    largest = std::isfinite(own) ? std::max(largest, own) : 1e300;
  }
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return largest;
}

PartSettings by(const std::string& rule, int local_steps = 1) {
  return {{"aggregation", rule}, {"local_steps", std::to_string(local_steps)}};
}

struct Kind {
  std::string kind;
  double scale;
};

/// Strong enough to break the mean of ten answers with two of attackers.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{{"sign-flip", 5}, {"noise", 100}, {"nan", 1}, {"little", 20}};
  return all;
}

const double heterogeneities[] = {0, 0.1};

class Servers : public testing::TestWithParam<std::string> {};

TEST_P(Servers, EndFarFromTheAnswerByTheMean) {
  for (const auto& [kind, scale] : kinds()) {
    for (const double h : heterogeneities) {
      if (kind == "little" && h == 0) continue;  // equal answers have no deviation to hide in
      const double error = error_of(Agents(h), {GetParam(), by("mean", 2), attack_of(kind, scale)});
      EXPECT_GT(error, 1) << kind << ", heterogeneity " << h;
    }
  }
}

TEST_P(Servers, EndNearTheAnswerByRulesThatBearTwoAttackersOfTen) {
  for (const char* const rule : {"median", "trimmed-mean", "centered-clipping"}) {
    for (const double h : heterogeneities) {
      const Agents problem(h);
      for (const auto& [kind, scale] : kinds()) {
        const double error = error_of(problem, {GetParam(), by(rule, 2), attack_of(kind, scale)});
        // Deviations of answers are h sqrt(dimension) = .45 long.
        EXPECT_LT(error, h == 0 ? 1e-6 : 0.3) << rule << ", " << kind << ", heterogeneity " << h;
        PartSettings mixing = by(rule, 2);
        mixing.emplace_back("mix_nearest", "yes");
        const double mixed = error_of(problem, {GetParam(), mixing, attack_of(kind, scale)});
        EXPECT_LT(mixed, h == 0 ? 1e-6 : 0.3) << rule << " with mixing, " << kind;
      }
      EXPECT_LT(error_of(problem, {GetParam(), by(rule, 2), nullptr}), h == 0 ? 1e-6 : 0.3) << rule;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, Servers,
                         testing::Values("all-reduce", "local-server", "local-server-cv",
                                         "stale-server"),
                         testing_support::suffix);

/// dissensus at 3: the receiver moves away from the others twice as fast as it would approach.
const std::vector<Kind>& gossip_kinds() {
  static const std::vector<Kind> all{
      {"sign-flip", 50}, {"noise", 100}, {"nan", 1}, {"little", 20}, {"dissensus", 3}};
  return all;
}

TEST(Gossip, EndsFarFromTheAnswerUnlessItClips) {
  const Agents problem(0.1);
  for (const auto& [kind, scale] : gossip_kinds()) {
    const auto attack = attack_of(kind, scale);
    const double plain = error_of(problem, {"gossip-atc", {}, attack});
    const double clipped = error_of(problem, {"clipped-gossip", {}, attack});
    EXPECT_GT(plain, kind == "dissensus" ? 0.45 : 1) << kind;
    EXPECT_LT(clipped, 0.3) << kind;
  }
  EXPECT_LT(error_of(problem, {"clipped-gossip", {}, nullptr}), 0.3);
}

/// x_i + sum_j w_ij clip(x_j - x_i, t_i); a row of `values` is an agent.
MatrixXd clipped_densely(const MatrixXd& values, const MatrixXd& w, double radius,
                         double attackers_weight) {
  MatrixXd mixed = values;
  for (Index i = 0; i < values.rows(); ++i) {
    std::vector<std::pair<double, Index>> nearest;
    for (Index j = 0; j < values.rows(); ++j) {
      nearest.emplace_back((values.row(j) - values.row(i)).squaredNorm(), j);
    }
    std::sort(nearest.begin(), nearest.end());
    double weight = 0, sum = 0;
    for (const auto& [square, j] : nearest) {
      if (weight > 1 - attackers_weight - 1e-9) break;
      weight += w(i, j);
      sum += w(i, j) * square;
    }
    const double t = radius > 0 ? radius : std::sqrt(sum);
    for (const auto& [square, j] : nearest) {
      const double factor = square > t * t ? t / std::sqrt(square) : 1;
      mixed.row(i) += w(i, j) * factor * (values.row(j) - values.row(i));
    }
  }
  return mixed;
}

TEST(ClippedGossip, FollowsItsFormula) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const auto schedule = schedule_of("complete", agents);
  Network network(Communicator(MPI_COMM_WORLD), schedule);
  const MatrixXd w = MatrixXd::Constant(agents, agents, 1.0 / agents);
  for (const double radius : {0.0, 0.7, 1e9}) {
    Descent run(problem, network,
                {strategy_catalog(), "clipped-gossip",
                 ClippedGossipOptions{.trimmed_fraction = 0.35, .clipping_radius = radius}});
    MatrixXd expected = MatrixXd::Zero(agents, dimension);
    for (int k = 0; k < 30; ++k) {
      for (AgentId a = 0; a < agents; ++a) {
        expected.row(a) -= 0.3 * problem.gradient(a, expected.row(a).transpose()).transpose();
      }
      expected = clipped_densely(expected, w, radius, 0.35);
      run.step(0.3);
      for (int i = 0; i < run.value.cols(); ++i) {
        ASSERT_LE((run.value.col(i) - expected.row(agent_of(network, i)).transpose()).norm(), 1e-12)
            << "radius " << radius << ", step " << k;
      }
    }
  }
}

TEST(ClippedGossip, GivesTheSameBitsOnAnyNumberOfRanksAndGoesOnFromItsState) {
  const HeterogeneousQuadratic problem(dimension, agents);
  const Chosen<StrategyEntry> clipped(strategy_catalog(), "clipped-gossip");
  Network spread(Communicator(MPI_COMM_WORLD), schedule_of("torus", agents),
                 {.owner = round_robin(agents)});
  Network whole(Communicator(MPI_COMM_SELF), schedule_of("torus", agents));
  Descent here(problem, spread, clipped);
  Descent there(problem, whole, clipped);
  here.steps(20, 0.1);
  there.steps(20, 0.1);
  EXPECT_TRUE(same_bits(here.value, own_columns(spread, there.value)));
  EXPECT_TRUE(goes_on_from_a_copy(problem, spread, clipped, 7));
}

TEST(Attack, DrawsItsAgentsFromTheSeed) {
  const Chosen<AttackEntry> third(attack_catalog(), "nan", AttackersOptions{.fraction = 0.34});
  const auto attack = make_attack(third, agents, seed), same = attack_of("noise", 1, 0.34),
             other = make_attack(third, agents, seed + 1);
  EXPECT_EQ(attack->attackers(), 3);
  int found = 0, elsewhere = 0;
  for (AgentId a = 0; a < agents; ++a) {
    found += attack->attacks(a) ? 1 : 0;
    EXPECT_EQ(attack->attacks(a), same->attacks(a));
    elsewhere += attack->attacks(a) && !other->attacks(a) ? 1 : 0;
  }
  EXPECT_EQ(found, 3);
  EXPECT_GT(elsewhere, 0);
}

std::string refusal(const Case& one, const std::string& topology = "complete") {
  try {
    error_of(Agents(0), one, topology);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage));
    return error.what();
  }
  return "none";
}

void expect_in(const std::string& part, const std::string& whole) {
  EXPECT_NE(whole.find(part), std::string::npos) << whole;
}

TEST(Attack, IsRefusedWhereItIsTooMuchForARule) {
  const auto half = attack_of("nan", 1, 0.5), three = attack_of("nan", 1, 0.3),
             four = attack_of("nan", 1, 0.4);
  for (const char* const rule : {"median", "centered-clipping"}) {
    expect_in("fewer attackers than half", refusal({"all-reduce", by(rule), half}));
    EXPECT_EQ(refusal({"all-reduce", by(rule), four}), "none");
  }
  expect_in("larger trimmed_fraction", refusal({"all-reduce", by("trimmed-mean"), three}));
  PartSettings wide = by("trimmed-mean");
  wide.emplace_back("trimmed_fraction", "0.3");
  EXPECT_EQ(refusal({"all-reduce", wide, three}), "none");
  expect_in("of the weight at an agent", refusal({"clipped-gossip", {}, three}));
  const PartSettings trusting{{"trimmed_fraction", "0.49"}};
  expect_in("through attackers only",
            refusal({"clipped-gossip", trusting, attack_of("nan", 1)}, "ring"));
  EXPECT_EQ(refusal({"all-reduce", by("mean"), half}), "none");
}

TEST(Attack, IsRefusedWhereNobodyCouldSimulateIt) {
  const auto nan = attack_of("nan", 1);
  expect_in("not simulated", refusal({"gt-atc", {}, nan}));
  expect_in("dissensus is for agents with neighbors",
            refusal({"all-reduce", {}, attack_of("dissensus", 1)}));
  expect_in("Chebyshev", refusal({"gossip-atc", {{"chebyshev", "yes"}}, nan}));
  EXPECT_EQ(make_attack({attack_catalog(), "none"}, agents, seed), nullptr);
  EXPECT_THROW(attack_of("nan", 1, 0.01), Error);
  EXPECT_THROW(attack_of("nan", 1, 1), Error);
}

}  // namespace
}  // namespace echelon

#include "echelon/runtime/evaluator.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "contract/compositions.hpp"
#include "echelon/problem/quadratic.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

struct Case {
  Network network{Communicator(MPI_COMM_WORLD), make_schedule(TopologyOptions{.agents = 5})};
  Quadratic problem{network.agents(), QuadraticOptions{.upper_dimension = 4, .lower_dimension = 6},
                    9};

  AgentMatrix constant(const VectorXd& value) {
    AgentMatrix block(value.size(), network.agents().count());
    block.colwise() = value;
    return block;
  }
};

double figure(const Evaluator& evaluator, const std::vector<double>& row, const std::string& name) {
  for (std::size_t c = 0; c < row.size(); ++c) {
    if (evaluator.columns()[c].name == name) return row[c];
  }
  ADD_FAILURE() << "no column " << name;
  return 0;
}

TEST(Evaluator, TrueHypergradientIsTheDerivativeOfTheUpperValueAtTheLowerSolution) {
  Case c;
  const MetricsOptions options{.hypergradient = true, .tolerance = 1e-12};
  for (const bool personal : {false, true}) {
    Evaluator evaluator(c.problem, c.network, options, personal);
    const VectorXd x = VectorXd::LinSpaced(4, -1, 2);
    // F is quadratic: grad F(x) = hessian (x - x*), and the hessian follows from differences of
    // grad F along the axes, all of which only enter here through the norm, so compare norms along
    // a line through x*.
    const VectorXd solution = c.problem.known_solutions(personal).front().x;
    const auto norm_at = [&](double t) {
      const AgentMatrix xs = c.constant(solution + t * (x - solution));
      const AgentMatrix ys = c.constant(VectorXd::Zero(6));
      return figure(evaluator, evaluator.evaluate(xs, ys), "hypergradient_norm");
    };
    EXPECT_LT(norm_at(0), 1e-9);
    const double unit = norm_at(1);
    EXPECT_GT(unit, 0.1);
    EXPECT_NEAR(norm_at(2), 2 * unit, 1e-8 * unit);
  }
}

TEST(Evaluator, ConsensusErrorAndDistanceAreTheirDefinitions) {
  Case c;
  Evaluator evaluator(c.problem, c.network, MetricsOptions{}, false);
  const VectorXd solution = c.problem.known_solutions(false).front().x;
  AgentMatrix x = c.constant(solution);
  AgentMatrix y = c.constant(VectorXd::Zero(6));
  for (int i = 0; i < x.cols(); ++i)
    x(0, i) +=
        c.network.agents().local[static_cast<std::size_t>(i)];  // 0, 1, 2, 3, 4: mean 2, variance 2
  const auto row = evaluator.evaluate(x, y);
  EXPECT_NEAR(figure(evaluator, row, "consensus_error_x"), 2, 1e-12);
  EXPECT_EQ(figure(evaluator, row, "consensus_error_y"), 0);
  EXPECT_NEAR(figure(evaluator, row, "distance_to_solution"), 2, 1e-12);
  EXPECT_TRUE(std::isnan(figure(evaluator, row, "hypergradient_norm")));  // not asked for
}

TEST(Evaluator, AnUnsolvedLowerLevelGivesNoFigure) {
  Case c;
  const MetricsOptions impossible{.hypergradient = true, .tolerance = 1e-300};
  Evaluator evaluator(c.problem, c.network, impossible, false);
  const auto row = evaluator.evaluate(c.constant(VectorXd::Ones(4)), c.constant(VectorXd::Ones(6)));
  EXPECT_TRUE(std::isnan(figure(evaluator, row, "hypergradient_norm")));
}

TEST(Evaluator, HyperobjectiveIsTheUpperValueAtTheLowerSolution) {
  using namespace testing_support;
  Experiment experiment(
      Communicator(MPI_COMM_WORLD),
      configuration_of(small_problem("analytic") + Settings{{"problem.instance", "lls"}}),
      FileDataSource());
  // y*(x) = (x, t) for any t, the best of which makes 1/2 (x - t)^2 vanish.
  AgentMatrix x(1, experiment.network().agents().count());
  AgentMatrix y(2, x.cols());
  x.setConstant(3);
  const auto row = experiment.evaluator().evaluate(x, y);
  EXPECT_NEAR(figure(experiment.evaluator(), row, "hyperobjective"), 2, 1e-12);
}

TEST(Evaluator, BaselinesAreOrderedAsExpectedOnNoisyDigits) {
  using namespace testing_support;
  Experiment experiment(
      Communicator(MPI_COMM_WORLD),
      configuration_of(small_problem("hyper-cleaning") + Settings{{"problem.train", "1000"},
                                                                  {"problem.validation", "200"},
                                                                  {"problem.test", "500"}}),
      FileDataSource());
  const auto baselines = experiment.evaluator().baselines();
  ASSERT_EQ(baselines.size(), 3U);
  for (const auto& baseline : baselines) EXPECT_TRUE(baseline.converged) << baseline.info.name;
  EXPECT_LT(baselines[0].values[0], baselines[2].values[0] - 0.05);  // noisy labels cost accuracy
}

}  // namespace
}  // namespace echelon

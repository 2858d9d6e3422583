#include "echelon/runtime/runner.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "contract/compositions.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/problem/agentwise.hpp"

namespace echelon {
namespace {

using namespace testing_support;

const Settings small =
    small_problem("quadratic") +
    Settings{{"method.name", "soba"}, {"method.beta", "0.2"}, {"method.gamma", "0.2"}};

TEST(Runner, ReportsAtTheStartOnTheGridAndAtTheEnd) {
  Experiment experiment(
      Communicator(MPI_COMM_WORLD),
      configuration_of(small + Settings{{"run.iterations", "25"}, {"metrics.every", "10"}}),
      FileDataSource());
  std::vector<double> reported;
  RunHooks hooks;
  hooks.report = [&](const std::vector<double>& row) { reported.push_back(row[0]); };
  Requests requests;
  const Outcome outcome = experiment.runner().run(hooks, requests);
  EXPECT_EQ(reported, (std::vector<double>{0, 10, 20, 25}));
  EXPECT_EQ(outcome.iteration, 25U);
  EXPECT_EQ(experiment.runner().table().rows(), 4);
}

TEST(Runner, LeavesWhenAnyRankIsAsked) {
  Experiment experiment(Communicator(MPI_COMM_WORLD),
                        configuration_of(small + Settings{{"run.iterations", "1000000000"}}),
                        FileDataSource());
  const Communicator& communicator = experiment.network().communicator();
  int saves = 0;
  RunHooks hooks;
  hooks.checkpoint = [&](auto, auto) { ++saves; };
  Requests requests;
  hooks.progress = [&](std::uint64_t iteration) {
    if (communicator.rank() != communicator.size() - 1) return;
    if (iteration == 5) requests.checkpoint = true;
    if (iteration == 20) requests.leave = true;
  };
  const Outcome outcome = experiment.runner().run(hooks, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::interrupted));
  EXPECT_EQ(outcome.iteration, 21U);  // agreed one iteration later
  EXPECT_EQ(saves, 2);
}

TEST(Runner, StopsByTime) {
  const auto last = run(small + Settings{{"run.iterations", "1000000000"},
                                         {"run.seconds", "0.3"},
                                         {"metrics.every", "100000"}},
                        MPI_COMM_WORLD, Status::time_up);
  EXPECT_LT(last.at("seconds"), 20);
}

TEST(Runner, RefusesTargetsThatMeanNothing) {
  for (const char* target :
       {"distance <= 1", "upper_value < 1", "upper_value <= x", "<= 1", "upper_value <="}) {
    EXPECT_THROW(run(small + Settings{{"run.target", target}}), Error) << target;
  }
}

TEST(Runner, SavesByCount) {
  Experiment experiment(
      Communicator(MPI_COMM_WORLD),
      configuration_of(small + Settings{{"run.iterations", "10"}, {"run.checkpoint_every", "4"}}),
      FileDataSource());
  std::vector<std::uint64_t> saved;
  RunHooks hooks;
  hooks.checkpoint = [&](std::uint64_t iteration, double) { saved.push_back(iteration); };
  Requests requests;
  experiment.runner().run(hooks, requests);
  EXPECT_EQ(saved, (std::vector<std::uint64_t>{4, 8, 10}));
}

TEST(Runner, SavesByTime) {
  Experiment experiment(Communicator(MPI_COMM_WORLD),
                        configuration_of(small + Settings{{"run.iterations", "1000000000"},
                                                          {"run.seconds", "0.6"},
                                                          {"run.checkpoint_seconds", "0.15"},
                                                          {"metrics.every", "1000000"}}),
                        FileDataSource());
  int saves = 0;
  RunHooks hooks;
  hooks.checkpoint = [&](std::uint64_t, double) { ++saves; };
  Requests requests;
  experiment.runner().run(hooks, requests);
  EXPECT_GE(saves, 2);  // at least one on the way, and the one at the end
  EXPECT_LE(saves, 6);
}

/// f = g = 1/2 |y - x|^2 + 1/2 |x|^2, and NaN as agent 2's data.
class Broken final : public AgentwiseProblem {
 public:
  explicit Broken(AgentSet agents) : AgentwiseProblem(std::move(agents), 1, 1) {}
  double f(AgentId, const ConstVector& x, const ConstVector& y) const override {
    return 0.5 * (y - x).squaredNorm() + 0.5 * x.squaredNorm();
  }
  double g(AgentId agent, const ConstVector& x, const ConstVector& y) const override {
    return f(agent, x, y);
  }
  void grad_f(AgentId, const Sample&, const ConstVector& x, const ConstVector& y, VectorXd& gx,
              VectorXd& gy) const override {
    gx = 2 * x - y;
    gy = y - x;
  }
  void grad_g(AgentId agent, const Sample& sample, const ConstVector& x, const ConstVector& y,
              VectorXd& gx, VectorXd& gy) const override {
    grad_f(agent, sample, x, y, gx, gy);
    if (agent == 2) gy.setConstant(std::numeric_limits<double>::quiet_NaN());
  }
};

TEST(Runner, FindsNanInAUsersProblemAtTheFirstIteration) {
  Network network(Communicator(MPI_COMM_WORLD), make_schedule(TopologyOptions{.agents = 4}));
  Broken problem(network.agents());
  Configuration configuration;
  const auto method = make_method(method_catalog().at("soba"),
                                  {problem, network, ConsensusOptions{}}, configuration);
  Evaluator evaluator(problem, network, MetricsOptions{}, false);
  Runner runner(*method, problem, network, evaluator, RunOptions{}, MetricsOptions{});
  Requests requests;
  const Outcome outcome = runner.run(RunHooks{}, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::diverged));
  EXPECT_EQ(outcome.iteration, 1U);
  EXPECT_NE(outcome.detail.find("agent "), std::string::npos) << outcome.detail;
}

}  // namespace
}  // namespace echelon

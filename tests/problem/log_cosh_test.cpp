#include "echelon/problem/log_cosh.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include "data_problem_checks.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

LogCosh make(AgentId agents, double noise = 0) {
  return {all_agents(agents), {.noise = noise}, 5};
}

TEST(LogCosh, HetOneHasThePublishedSolution) {
  const LogCosh problem = make(8);
  const KnownSolution known = problem.known_solutions(false).front();
  const VectorXd x{{0.803412355519, 0.530126745126, -0.410791056618, -0.150728067270}};
  const VectorXd y{
      {-0.163243913, -0.155065067, 0.136904802, -0.193525913, -0.385386749, -0.653859930}};
  EXPECT_LT((known.x - x).lpNorm<Eigen::Infinity>(), 1e-12);
  EXPECT_NEAR(known.value, 5.274397421331, 1e-12);
  EXPECT_LT((known.y - y).lpNorm<Eigen::Infinity>(), 1e-9);
  Eigen::MatrixXd hessian = Eigen::MatrixXd::Zero(6, 6);
  for (int i = 0; i < 8; ++i) {
    for (Index j = 0; j < 6; ++j) {
      const VectorXd unit = VectorXd::Unit(6, j);
      VectorXd hv(6);
      problem.product(i, {}, {view(x), view(y), view(unit), output(hv), Vector(nullptr, 0)});
      hessian.col(j) += hv / 8;
    }
  }
  const VectorXd spectrum = hessian.selfadjointView<Eigen::Lower>().eigenvalues();
  EXPECT_NEAR(spectrum(0), 0.900, 5e-4);
  EXPECT_NEAR(spectrum(5), 1.279, 5e-4);
}

/// Means over the agents of f_i at their own lower solutions, from gradients of g alone.
double personal_F(const LogCosh& problem, const VectorXd& x) {
  double sum = 0;
  for (int i = 0; i < problem.agents().count(); ++i) {
    VectorXd y = VectorXd::Zero(6);
    for (int step = 0; step < 400; ++step) {
      y -= 0.3 * gradients_at(problem, Level::lower, i, Sample::everything(), x, y).y;
    }
    sum += problem.value(Level::upper, i, Sample::everything(), view(x), view(y));
  }
  return sum / problem.agents().count();
}

TEST(LogCosh, PersonalSolutionIsAMinimizer) {
  for (const AgentId agents : {1, 5, 8}) {
    const LogCosh problem = make(agents);
    const auto known = problem.known_solutions(true);
    ASSERT_EQ(known.size(), 1u);
    EXPECT_EQ(known.front().y.size(), 0);
    const double best = personal_F(problem, known.front().x);
    EXPECT_NEAR(best, known.front().value, 1e-10);
    for (std::uint64_t trial = 0; trial < 8; ++trial) {
      const VectorXd beside = known.front().x + random_vector(4, trial, 1e-3);
      EXPECT_GT(personal_F(problem, beside), best);
    }
  }
}

TEST(LogCosh, AgentsContinueOneSequence) {
  const LogCosh few = make(3);
  const LogCosh many = make(11);
  const VectorXd x = random_vector(4, 1, 1);
  const VectorXd y = random_vector(6, 2, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(few.value(Level::lower, i, {}, view(x), view(y)),
              many.value(Level::lower, i, {}, view(x), view(y)));
  }
  const LogCosh elsewhere(AgentSet{11, {7}}, {}, 1);
  EXPECT_EQ(gradients_at(many, Level::lower, 7, {}, x, y).y,
            gradients_at(elsewhere, Level::lower, 0, {}, x, y).y);
}

TEST(LogCosh, CallsAgreeWithEachOther) {
  const LogCosh problem = make(4);
  check_gradients(problem, Sample::everything(), 1e-8);
  check_products(problem, Sample::everything(), 1e-8);
  check_points(make(4, 0.3), Sample{.iteration = 2});
  check_unbiased(make(1, 0.3), 0.2);
  // Far out, where cosh overflows.
  const VectorXd far = VectorXd::Constant(6, -1000);
  const VectorXd x = VectorXd::Zero(4);
  EXPECT_TRUE(std::isfinite(problem.value(Level::lower, 0, {}, view(x), view(far))));
}

}  // namespace
}  // namespace echelon

#include "echelon/problem/quadratic.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <numeric>

namespace echelon {
namespace {

AgentSet all_of(AgentId agents) {
  AgentSet set{agents, std::vector<AgentId>(static_cast<std::size_t>(agents))};
  std::iota(set.local.begin(), set.local.end(), 0);
  return set;
}

ConstVector view(const VectorXd& v) {
  return {v.data(), v.size()};
}

/// Mean over agents of one gradient.
VectorXd mean_gradient(const Quadratic& problem, Level level, bool of_x, const VectorXd& x,
                       const VectorXd& y) {
  const Index size = of_x ? x.size() : y.size();
  VectorXd mean = VectorXd::Zero(size);
  VectorXd one(size);
  for (int i = 0; i < problem.agents().count(); ++i) {
    const Vector out(one.data(), size);
    const Vector none(nullptr, 0);
    const AgentPoint point{view(x), view(y), of_x ? out : none, of_x ? none : out};
    problem.gradient(level, i, Sample::everything(), {&point, 1});
    mean += one / problem.agents().count();
  }
  return mean;
}

/// The mean of J'v or H v over agents.
VectorXd mean_product(const Quadratic& problem, bool of_x, const VectorXd& x, const VectorXd& y,
                      const VectorXd& v) {
  VectorXd mean = VectorXd::Zero(of_x ? x.size() : y.size());
  VectorXd one(mean.size());
  for (int i = 0; i < problem.agents().count(); ++i) {
    const Vector out(one.data(), one.size());
    const Vector none(nullptr, 0);
    problem.product(i, Sample::everything(),
                    {view(x), view(y), view(v), of_x ? none : out, of_x ? out : none});
    mean += one / problem.agents().count();
  }
  return mean;
}

void expect_stationary(const Quadratic& problem) {
  const auto solutions = problem.known_solutions(false);
  ASSERT_EQ(solutions.size(), 1u);
  const KnownSolution& solution = solutions.front();
  EXPECT_LT(mean_gradient(problem, Level::lower, false, solution.x, solution.y).norm(), 1e-11);
  const Index q = problem.lower_dimension();
  Eigen::MatrixXd hessian(q, q);
  for (Index j = 0; j < q; ++j)
    hessian.col(j) = mean_product(problem, false, solution.x, solution.y, VectorXd::Unit(q, j));
  const VectorXd fy = mean_gradient(problem, Level::upper, false, solution.x, solution.y);
  const VectorXd v = hessian.llt().solve(fy);
  const VectorXd hypergradient =
      mean_gradient(problem, Level::upper, true, solution.x, solution.y) -
      mean_product(problem, true, solution.x, solution.y, v);
  EXPECT_LT(hypergradient.norm(), 1e-10);
  double value = 0;
  for (int i = 0; i < problem.agents().count(); ++i) {
    value +=
        problem.value(Level::upper, i, Sample::everything(), view(solution.x), view(solution.y)) /
        problem.agents().count();
  }
  EXPECT_NEAR(value, solution.value, 1e-10 * (1 + std::abs(value)));
}

TEST(Quadratic, PqHasThePublishedSolution) {
  const Quadratic problem(all_of(1), PqOptions{}, 1);
  const KnownSolution solution = problem.known_solutions(false).front();
  EXPECT_NEAR(solution.value, 2.331752806, 1e-9);
  const VectorXd a = VectorXd::LinSpaced(10, 0.5, 2);
  EXPECT_LT((solution.x - a.cwiseQuotient(a + VectorXd::Ones(10))).norm(), 1e-14);
  EXPECT_LT((solution.y - VectorXd::Ones(10).cwiseQuotient(a + VectorXd::Ones(10))).norm(), 1e-14);
}

TEST(Quadratic, PerturbationsOfPqHaveZeroMean) {
  const Quadratic problem(all_of(7), PqOptions{.dimension = 6, .heterogeneity = 2}, 5);
  expect_stationary(problem);
  const VectorXd a = VectorXd::LinSpaced(6, 0.5, 2);
  EXPECT_LT(
      (problem.known_solutions(false).front().x - a.cwiseQuotient(a + VectorXd::Ones(6))).norm(),
      1e-13);
}

TEST(Quadratic, KnownSolutionsAreStationaryForAnyShape) {
  for (const char* matrices : {"own", "shared"}) {
    for (const auto& [p, q] : {std::pair{1, 1}, {1, 6}, {6, 1}, {4, 9}, {9, 4}}) {
      QuadraticOptions options{
          .upper_dimension = p, .lower_dimension = q, .heterogeneity = 1.5, .matrices = matrices};
      expect_stationary(Quadratic(all_of(5), options, 3));
    }
  }
}

TEST(Quadratic, WithoutHeterogeneityAllAgentsAreEqual) {
  const Quadratic problem(all_of(4), QuadraticOptions{.heterogeneity = 0}, 2);
  const VectorXd x = VectorXd::LinSpaced(10, -1, 1);
  const VectorXd y = VectorXd::LinSpaced(10, 2, 3);
  for (int i = 1; i < 4; ++i) {
    for (const Level level : {Level::upper, Level::lower}) {
      EXPECT_EQ(problem.value(level, 0, Sample{}, view(x), view(y)),
                problem.value(level, i, Sample{}, view(x), view(y)));
    }
  }
  EXPECT_NEAR(
      (problem.known_solutions(true).front().x - problem.known_solutions(false).front().x).norm(),
      0, 1e-12);
}

TEST(Quadratic, AnAgentIsTheSameWhereverItLives) {
  const QuadraticOptions options;
  const Quadratic everybody(all_of(6), options, 4);
  const Quadratic somebody(AgentSet{6, {4}}, options, 4);
  const VectorXd x = VectorXd::LinSpaced(10, -1, 1);
  const VectorXd y = VectorXd::LinSpaced(10, 2, 3);
  EXPECT_EQ(everybody.value(Level::lower, 4, Sample{}, view(x), view(y)),
            somebody.value(Level::lower, 0, Sample{}, view(x), view(y)));
  EXPECT_EQ(everybody.known_solutions(false).front().x, somebody.known_solutions(false).front().x);
}

TEST(Quadratic, NoiseIsAFunctionOfTheSampleAndUnbiased) {
  const Quadratic problem(all_of(1), PqOptions{.dimension = 3, .noise = 0.5}, 1);
  const VectorXd zero = VectorXd::Zero(3);
  const auto gradient = [&](const Sample& sample) {
    VectorXd gx(3), gy(3);
    const AgentPoint point{view(zero), view(zero), Vector(gx.data(), 3), Vector(gy.data(), 3)};
    problem.gradient(Level::lower, 0, sample, {&point, 1});
    return (VectorXd(6) << gx, gy).finished();
  };
  EXPECT_EQ(gradient({.iteration = 5, .step = 2}), gradient({.iteration = 5, .step = 2}));
  EXPECT_NE(gradient({.iteration = 5, .step = 2}), gradient({.iteration = 5, .step = 3}));
  EXPECT_EQ(gradient(Sample::everything()), VectorXd::Zero(6));
  VectorXd mean = VectorXd::Zero(6);
  constexpr int count = 20000;
  for (int k = 0; k < count; ++k)
    mean += gradient({.iteration = static_cast<std::uint64_t>(k)}) / count;
  EXPECT_LT(mean.lpNorm<Eigen::Infinity>(), 5 * 0.5 / std::sqrt(count));
}

TEST(Quadratic, NoiseOfSubBatchesIsFixedWithMeanZeroAndTheAskedVariance) {
  const Index d = 400;
  const Quadratic problem(all_of(2), PqOptions{.dimension = d, .noise = 0.5}, 1);
  const VectorXd zero = VectorXd::Zero(d);
  const auto noise = [&](Level level, int agent, std::int64_t batches, std::int64_t b,
                         std::uint64_t k) {
    const Sample sample{.iteration = k, .batches = batches, .batch = b};
    VectorXd gx(d), gy(d), gy_alone(d), full_x(d), full_y(d);
    const AgentPoint point{view(zero), view(zero), Vector(gx.data(), d), Vector(gy.data(), d)};
    const AgentPoint alone{view(zero), view(zero), Vector(nullptr, 0), Vector(gy_alone.data(), d)};
    const AgentPoint full{view(zero), view(zero), Vector(full_x.data(), d),
                          Vector(full_y.data(), d)};
    problem.gradient(level, agent, sample, {&point, 1});
    problem.gradient(level, agent, sample, {&alone, 1});
    problem.gradient(level, agent, Sample::everything(), {&full, 1});
    EXPECT_EQ(gy, gy_alone);
    return (VectorXd(2 * d) << gx - full_x, gy - full_y).finished();
  };
  for (const std::int64_t batches : {2, 7}) {
    VectorXd sum = VectorXd::Zero(2 * d);
    double square = 0;
    for (std::int64_t b = 0; b < batches; ++b) {
      const VectorXd one = noise(Level::lower, 0, batches, b, 5);
      sum += one;
      square += one.squaredNorm();
      EXPECT_EQ(one, noise(Level::lower, 0, batches, b, 6));
      EXPECT_NE(one, noise(Level::lower, 1, batches, b, 5));
      EXPECT_NE(one, noise(Level::upper, 0, batches, b, 5));
    }
    EXPECT_LT(sum.lpNorm<Eigen::Infinity>(), 1e-13);
    // A chi-square variable with (B - 1) 2 d degrees of freedom, scaled.
    const double freedom = static_cast<double>(2 * d * (batches - 1));
    EXPECT_NEAR(square / (0.25 * static_cast<double>(2 * d * batches)), 1,
                5 * std::sqrt(2 / freedom));
  }
  EXPECT_EQ(noise(Level::lower, 0, 1, 0, 5).norm(), 0);
}

TEST(BatchedCalls, LeaveAgentsOutThatAreNotActive) {
  Quadratic problem(all_of(5), QuadraticOptions{}, 1);
  const Index p = problem.upper_dimension(), q = problem.lower_dimension();
  AgentMatrix x(p, 5), y(q, 5), v(q, 5), gx(p, 5), gy(q, 5), hv(q, 5), values(1, 5);
  y.setConstant(0.5);
  v.setOnes();
  for (AgentMatrix* block : {&gx, &gy, &hv, &values}) block->setConstant(7);
  const std::vector<int> active{1, 4};
  {
    const ActiveAgents only(problem, active);
    problem.grad_g({}, {{x, y, &gx, &gy}});
    problem.exact_product({}, {x, y, v, &hv, nullptr});
    problem.values(Level::upper, {}, x, y, values);
  }
  EXPECT_EQ(problem.counts().gradients, 2);
  EXPECT_EQ(problem.counts().products, 2);
  EXPECT_EQ(problem.counts().values, 2);
  AgentMatrix all(q, 5);
  problem.grad_g({}, {{x, y, nullptr, &all}});
  EXPECT_EQ(problem.counts().gradients, 2 + 5);
  for (int i = 0; i < 5; ++i) {
    const bool is_active = i == 1 || i == 4;
    EXPECT_EQ(gy.col(i) == all.col(i), is_active);
    EXPECT_EQ((hv.col(i).array() == 7).all(), !is_active);
    EXPECT_EQ(values(0, i) == 7, !is_active);
  }
}

}  // namespace
}  // namespace echelon

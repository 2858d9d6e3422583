// What every registered problem owes to the methods.

#include <gtest/gtest.h>

#include <numeric>

#include "catalog_names.hpp"
#include "contract/compositions.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/random.hpp"

namespace echelon {
namespace {

using testing_support::configuration_of;
using testing_support::small_problem;

constexpr AgentId agents = 3;

std::unique_ptr<BilevelProblem> make(const std::string& name,
                                     const testing_support::Settings& more = {}) {
  using testing_support::operator+;
  testing_support::Settings settings = small_problem(name) + more;
  settings.erase("method.alpha");
  settings["problem.precision"] = "double";
  if (name == "quadratic" || name == "p-q") settings.erase("problem.precision");
  Configuration configuration = configuration_of(settings);
  AgentSet set{agents, {0, 1, 2}};
  const FileDataSource source;
  return find_entry(problem_catalog(), name, "problem")
      .make({set, source, 11, true}, configuration);
}

AgentMatrix random_block(Index rows, std::uint64_t stream, double scale) {
  AgentMatrix block(rows, agents);
  for (AgentId a = 0; a < agents; ++a) {
    Draws draws(1, Purpose::start, a, stream);
    for (Index r = 0; r < rows; ++r) block(r, a) = scale * draws.normal();
  }
  return block;
}

ConstVector column(const AgentView& block, int i) {
  return {block.data() + i * block.outerStride(), block.rows()};
}

class EveryProblem : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<BilevelProblem> problem = make(GetParam());
  Index p = problem->upper_dimension();
  Index q = problem->lower_dimension();
  AgentMatrix x = random_block(p, 1, 0.3);
  AgentMatrix y = random_block(q, 2, 0.1);
  AgentMatrix v = random_block(q, 3, 0.5);
};

TEST_P(EveryProblem, GradientsAreThoseOfTheValues) {
  AgentMatrix gx(p, agents), gy(q, agents);
  const AgentMatrix dx = random_block(p, 4, 1);
  const AgentMatrix dy = random_block(q, 5, 1);
  for (const Level level : {Level::upper, Level::lower}) {
    const EvaluationPoint point{x, y, &gx, &gy};
    if (level == Level::upper) {
      problem->grad_f(Sample::everything(), {point});
    } else {
      problem->grad_g(Sample::everything(), {point});
    }
    for (int i = 0; i < agents; ++i) {
      const double h = 1e-5;
      const auto along = [&](double t) {
        const VectorXd xt = x.col(i) + t * dx.col(i);
        const VectorXd yt = y.col(i) + t * dy.col(i);
        return problem->value(level, i, Sample::everything(), ConstVector(xt.data(), p),
                              ConstVector(yt.data(), q));
      };
      const double slope = gx.col(i).dot(dx.col(i)) + gy.col(i).dot(dy.col(i));
      EXPECT_NEAR((along(h) - along(-h)) / (2 * h), slope, 1e-6 * (1 + std::abs(slope)));
    }
  }
}

TEST_P(EveryProblem, BatchedEqualsColumnByColumnAndSeveralPointsEqualOneAtATime) {
  AgentMatrix gx(p, agents), gy(q, agents), gx_v(p, agents), gy_v(q, agents), alone(q, agents);
  const Sample sample{.iteration = 3, .step = 1};
  problem->grad_g(sample, {{x, y, &gx, &gy}, {x, v, &gx_v, &gy_v}});
  for (int i = 0; i < agents; ++i) {
    VectorXd one_x(p), one_y(q);
    const AgentPoint point{column(x, i), column(y, i), Vector(one_x.data(), p),
                           Vector(one_y.data(), q)};
    const AgentPoint second{column(x, i), column(v, i), Vector(nullptr, 0),
                            Vector(alone.col(i).data(), q)};
    const AgentPoint both[] = {point, second};
    problem->gradient(Level::lower, i, sample, both);
    EXPECT_EQ(one_x, gx.col(i));
    EXPECT_EQ(one_y, gy.col(i));
    EXPECT_EQ(alone.col(i), gy_v.col(i));
  }
  problem->grad_g(sample, {{x, v, nullptr, &alone}});
  EXPECT_LT((alone - gy_v).norm(), 1e-12 * (1 + gy_v.norm()));
}

TEST_P(EveryProblem, DifferencesAgreeWithExactProducts) {
  if (!problem->has_exact_products()) return;
  AgentMatrix hv(q, agents), jv(p, agents), hv_d(q, agents), jv_d(p, agents);
  problem->exact_product(Sample::everything(), {x, y, v, &hv, &jv});
  for (const auto rule : {DifferenceStep::Rule::relative, DifferenceStep::Rule::capped,
                          DifferenceStep::Rule::absolute}) {
    const double width = rule == DifferenceStep::Rule::relative ? 6e-6 : 1e-4;
    problem->difference_product(Sample::everything(), {x, y, v, &hv_d, &jv_d}, {rule, width});
    EXPECT_LT((hv - hv_d).norm(), 1e-5 * (1 + hv.norm()));
    EXPECT_LT((jv - jv_d).norm(), 1e-5 * (1 + jv.norm()));
  }
}

TEST_P(EveryProblem, CountsItsCallsHonestly) {
  AgentMatrix gy(q, agents), hv(q, agents);
  problem->grad_f(Sample{}, {{x, y, nullptr, &gy}});
  EXPECT_EQ(problem->counts().gradients, agents);
  problem->grad_g(Sample{}, {{x, y, nullptr, &gy}, {x, v, nullptr, &hv}});
  EXPECT_EQ(problem->counts().gradients, 3 * agents);
  problem->difference_product(Sample{}, {x, y, v, &hv, nullptr}, {});
  EXPECT_EQ(problem->counts().gradients, 5 * agents);
  const AgentMatrix zero(q, agents);
  problem->difference_product(Sample{}, {x, y, zero, &hv, nullptr}, {});
  EXPECT_EQ(problem->counts().gradients, 5 * agents);
  EXPECT_EQ(hv.norm(), 0);
  EXPECT_EQ(problem->counts().products, 0);
  if (!problem->has_exact_products()) return;
  problem->exact_product(Sample{}, {x, y, v, &hv, nullptr});
  EXPECT_EQ(problem->counts().products, agents);
}

TEST_P(EveryProblem, ReportsAsManyFiguresAsItNames) {
  VectorXd sums = VectorXd::Zero(problem->metric_sums());
  for (int i = 0; i < agents; ++i) problem->add_metric_sums(i, column(x, i), column(y, i), sums);
  EXPECT_EQ(problem->finish_metrics(sums).size(), problem->metric_names().size());
  for (std::size_t b = 0; b < problem->baselines().size(); ++b) {
    VectorXd gy(q);
    problem->baseline_gradient(b, 0, column(y, 0), Vector(gy.data(), q));
    EXPECT_TRUE(gy.allFinite());
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryProblem, testing_support::every_name(problem_catalog()),
                         testing_support::suffix);

}  // namespace
}  // namespace echelon

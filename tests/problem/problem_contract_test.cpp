// What every registered problem owes to the methods.

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cctype>
#include <set>

#include "contract/compositions.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/analytic.hpp"

namespace echelon {
namespace {

using testing_support::configuration_of;
using testing_support::small_problem;

constexpr AgentId agents = 3;

/// A problem of the catalog, or `analytic:` and one of its instances.
struct Case {
  std::string name;
  std::string instance;
};

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const auto& entry : problem_catalog()) cases.push_back({entry.name, ""});
  for (const auto& entry : analytic_catalog()) cases.push_back({"analytic", entry.name});
  return cases;
}

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name << " " << one.instance;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name =
      info.param.name + (info.param.instance.empty() ? "" : "_") + info.param.instance;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
}

std::unique_ptr<BilevelProblem> make(const Case& wanted,
                                     const testing_support::Settings& more = {}) {
  using testing_support::operator+;
  testing_support::Settings settings = small_problem(wanted.name) + more;
  settings.erase("method.alpha");
  if (settings.contains("problem.images") || settings.contains("problem.data")) {
    settings["problem.precision"] = "double";
  }
  if (!wanted.instance.empty()) settings["problem.instance"] = wanted.instance;
  Configuration configuration = configuration_of(settings);
  AgentSet set{agents, {0, 1, 2}};
  const FileDataSource source;
  const ProblemEntry& entry = problem_catalog().at(wanted.name);
  PartOptions options = entry.options;
  configuration.read("problem", options);
  return entry.make({set, source, 11, true}, options);
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
ConstVector view(const VectorXd& v) {
  return {v.data(), v.size()};
}
Vector output(VectorXd& v) {
  return {v.data(), v.size()};
}

/// Half way from the start to the projections of random points: inside convex sets.
void move_inside(AgentMatrix& block, const FeasibleSet& set, const VectorXd& start) {
  for (Index i = 0; i < block.cols(); ++i) {
    VectorXd point = block.col(i) + start;
    set.project(point);
    block.col(i) = 0.5 * (point + start);
  }
}

class EveryProblem : public testing::TestWithParam<Case> {
 protected:
  EveryProblem() {
    move_inside(x, problem->upper_set(), problem->start_x());
    move_inside(y, problem->lower_set(), problem->start_y());
  }

  std::unique_ptr<BilevelProblem> problem = make(GetParam());
  Index p = problem->upper_dimension();
  Index q = problem->lower_dimension();
  AgentMatrix x = random_block(p, 1, 0.6);
  AgentMatrix y = random_block(q, 2, 0.2);
  AgentMatrix v = random_block(q, 3, 0.5);
};

/// Means over the agents at one point.
struct Means {
  double f = 0;
  VectorXd fx, fy, gy;
  Eigen::MatrixXd hessian;  ///< q x q
  Eigen::MatrixXd mixed;    ///< p x q
};

Means means_at(const BilevelProblem& problem, const VectorXd& x, const VectorXd& y) {
  const Index p = x.size();
  const Index q = y.size();
  Means means{0,
              VectorXd::Zero(p),
              VectorXd::Zero(q),
              VectorXd::Zero(q),
              Eigen::MatrixXd::Zero(q, q),
              Eigen::MatrixXd::Zero(p, q)};
  VectorXd of_x(p), of_y(q);
  const Sample all = Sample::everything();
  for (int i = 0; i < agents; ++i) {
    const AgentPoint point{view(x), view(y), output(of_x), output(of_y)};
    means.f += problem.value(Level::upper, i, all, view(x), view(y)) / agents;
    problem.gradient(Level::upper, i, all, {&point, 1});
    means.fx += of_x / agents;
    means.fy += of_y / agents;
    problem.gradient(Level::lower, i, all, {&point, 1});
    means.gy += of_y / agents;
    for (Index j = 0; j < q; ++j) {
      const VectorXd unit = VectorXd::Unit(q, j);
      const AgentProduct product{view(x), view(y), view(unit), output(of_y), output(of_x)};
      if (problem.has_exact_products()) {
        problem.product(i, all, product);
      } else {
        problem.difference_product(i, all, product, DifferenceStep{});
      }
      means.hessian.col(j) += of_y / agents;
      means.mixed.col(j) += of_x / agents;
    }
  }
  return means;
}

TEST_P(EveryProblem, GradientsAreThoseOfTheValues) {
  AgentMatrix gx(p, agents), gy(q, agents);
  const AgentMatrix dx = random_block(p, 4, 1);
  const AgentMatrix dy = random_block(q, 5, 1);
  for (const Level level : {Level::upper, Level::lower}) {
    const EvaluationPoint point{x, y, &gx, &gy};
    // The y-gradient leaves a nonsmooth term out.
    const double weight = level == Level::lower && problem->has_nonsmooth_term() ? 0 : 1;
    if (level == Level::upper) {
      problem->grad_f(Sample::everything(), {point});
    } else {
      problem->grad_g(Sample::everything(), {point});
    }
    for (int i = 0; i < agents; ++i) {
      const double h = 1e-5;
      const auto along = [&](double t) {
        const VectorXd xt = x.col(i) + t * dx.col(i);
        const VectorXd yt = y.col(i) + t * weight * dy.col(i);
        return problem->value(level, i, Sample::everything(), ConstVector(xt.data(), p),
                              ConstVector(yt.data(), q));
      };
      const double slope = gx.col(i).dot(dx.col(i)) + weight * gy.col(i).dot(dy.col(i));
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
  if (const auto* metrics = problem->facet<Metrics>()) {
    VectorXd sums = VectorXd::Zero(metrics->metric_sums());
    for (int i = 0; i < agents; ++i) problem->add_metric_sums(i, column(x, i), column(y, i), sums);
    EXPECT_EQ(metrics->finish_metrics(sums).size(), metrics->metric_names().size());
  }
  const auto* given = problem->facet<Baselines>();
  for (std::size_t b = 0; given != nullptr && b < given->baselines().size(); ++b) {
    VectorXd gy(q);
    problem->baseline_gradient(b, 0, column(y, 0), Vector(gy.data(), q));
    EXPECT_TRUE(gy.allFinite());
  }
}

TEST_P(EveryProblem, StartsAndKnownSolutionsAreFeasible) {
  const auto expect_in = [](const FeasibleSet& set, const VectorXd& point) {
    VectorXd moved = point;
    set.project(moved);
    EXPECT_LT((moved - point).norm(), 1e-12 * (1 + point.norm())) << set.text();
  };
  const auto expect_constraints = [&](const VectorXd& at_x, const VectorXd& at_y) {
    const LinearConstraints* constraints = problem->lower_constraints();
    if (constraints == nullptr) return;
    const VectorXd excess = constraints->A * at_y + constraints->B * at_x - constraints->c;
    const bool equal = constraints->kind == LinearConstraints::Kind::equal;
    EXPECT_LT(equal ? excess.norm() : excess.maxCoeff(), 1e-12);
  };
  const VectorXd start_x = problem->start_x();
  const VectorXd start_y = problem->start_y();
  ASSERT_EQ(start_x.size(), p);
  ASSERT_EQ(start_y.size(), q);
  expect_in(problem->upper_set(), start_x);
  expect_in(problem->lower_set(), start_y);
  expect_constraints(start_x, start_y);
  for (const KnownSolution& known : problem->known_solutions(false)) {
    if (known.x.size() > 0) expect_in(problem->upper_set(), known.x);
    if (known.y.size() > 0) expect_in(problem->lower_set(), known.y);
    if (known.x.size() > 0 && known.y.size() > 0) expect_constraints(known.x, known.y);
  }
  for (const KnownSolution& known : problem->known_solutions(true)) EXPECT_EQ(known.y.size(), 0);
}

TEST_P(EveryProblem, KnownSolutionsAreLowerSolutionsWithTheirValue) {
  const auto known = problem->known_solutions(false);
  for (std::size_t k = 0; k < known.size(); ++k) {
    EXPECT_LE(known.front().value, known[k].value);
    if (known[k].x.size() == 0) continue;
    const auto closed_form = problem->lower_solution(known[k].x);
    ASSERT_TRUE(closed_form.has_value() || known[k].y.size() == q);
    const VectorXd at_y = known[k].y.size() == q ? known[k].y : *closed_form;
    const double tolerance = 1e-9 * (1 + std::abs(known[k].value));
    EXPECT_NEAR(means_at(*problem, known[k].x, at_y).f, known[k].value, tolerance);
    if (!closed_form) continue;
    // Of several lower solutions the closed form takes the best for f: no other one at a global
    // minimizer, but maybe one beside a local minimizer.
    const double best = means_at(*problem, known[k].x, *closed_form).f;
    EXPECT_LT(best, known[k].value + tolerance);
    if (k == 0) {
      EXPECT_NEAR(best, known[k].value, tolerance);
    }
  }
}

TEST_P(EveryProblem, LowerSolutionsAreStationary) {
  if (!problem->lower_solution(column(x, 0)) || problem->lower_constraints() != nullptr) return;
  for (int i = 0; i < agents; ++i) {
    const VectorXd at_x = x.col(i);
    const VectorXd at_y = problem->lower_solution(at_x).value();
    VectorXd moved = at_y - means_at(*problem, at_x, at_y).gy;
    problem->lower_prox(1, view(at_x), output(moved));
    problem->lower_set().project(moved);
    EXPECT_LT((moved - at_y).norm(), 1e-9 * (1 + at_y.norm()));
  }
}

// dF = fx - J' H^-1 fy vanishes where nothing constrains and nothing jumps.
TEST_P(EveryProblem, KnownSolutionsAreStationaryInsideTheSets) {
  if (problem->has_nonsmooth_term() || problem->lower_constraints() != nullptr) return;
  const auto is_inside = [](const FeasibleSet& set, const VectorXd& point) {
    for (const double sign : {1.0, -1.0}) {
      VectorXd beside = point + VectorXd::Constant(point.size(), sign * 1e-6);
      const VectorXd before = beside;
      set.project(beside);
      if (beside != before) return false;
    }
    return true;
  };
  const std::set<std::string> jumps{"mb14", "mb16", "mb18v", "mb20", "mirrlees"};
  for (const KnownSolution& known : problem->known_solutions(false)) {
    if (known.x.size() == 0 || known.y.size() == 0 || jumps.contains(GetParam().instance) ||
        !is_inside(problem->upper_set(), known.x) || !is_inside(problem->lower_set(), known.y)) {
      continue;
    }
    const Means means = means_at(*problem, known.x, known.y);
    EXPECT_LT(means.gy.norm(), 1e-8 * (1 + known.y.norm()));
    const Eigen::FullPivLU<Eigen::MatrixXd> hessian(means.hessian);
    if (!hessian.isInvertible()) continue;
    EXPECT_LT((means.fx - means.mixed * hessian.solve(means.fy)).norm(),
              1e-7 * (1 + means.fx.norm()));
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryProblem, testing::ValuesIn(every_case()), case_name);

}  // namespace
}  // namespace echelon

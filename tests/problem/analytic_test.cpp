#include "echelon/problem/analytic.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "data_problem_checks.hpp"
#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

Analytic make(const std::string& instance, AnalyticOptions options = {}, AgentId agents = 1) {
  options.instance = instance;
  return Analytic(all_agents(agents), options, 5);
}

/// Equidistant numbers, or one.
struct Axis {
  double low, high;
  int count;

  double at(int i) const { return count == 1 ? low : low + (high - low) * i / (count - 1); }
};

/// Calls `visit` with every point of the grid.
void for_each_point(const std::vector<Axis>& axes, const std::function<void(VectorXd&)>& visit) {
  VectorXd point(std::ssize(axes));
  std::vector<int> index(axes.size(), 0);
  while (true) {
    for (std::size_t d = 0; d < axes.size(); ++d) {
      point(static_cast<Index>(d)) = axes[d].at(index[d]);
    }
    visit(point);
    std::size_t d = 0;
    while (d < axes.size() && ++index[d] == axes[d].count) index[d++] = 0;
    if (d == axes.size()) return;
  }
}

bool contains(const FeasibleSet& set, const VectorXd& point) {
  VectorXd moved = point;
  set.project(moved);
  return (moved - point).norm() < 1e-9;
}

bool is_feasible(const LinearConstraints* constraints, const VectorXd& x, const VectorXd& y) {
  if (constraints == nullptr) return true;
  const VectorXd excess = constraints->A * y + constraints->B * x - constraints->c;
  const bool equal = constraints->kind == LinearConstraints::Kind::equal;
  return (equal ? excess.lpNorm<Eigen::Infinity>() : excess.maxCoeff()) < 1e-9;
}

/// F(x) from values alone: of the grid points that are best for g, up to `slack`, the best for f.
double optimistic_value(const BilevelProblem& problem, const VectorXd& x,
                        const std::vector<Axis>& y_axes, double slack) {
  std::vector<std::pair<double, VectorXd>> near;
  double best_g = std::numeric_limits<double>::infinity();
  const Sample all = Sample::everything();
  for_each_point(y_axes, [&](VectorXd& y) {
    if (!contains(problem.lower_set(), y) || !is_feasible(problem.lower_constraints(), x, y)) {
      return;
    }
    const double g = problem.value(Level::lower, 0, all, view(x), view(y));
    if (g < best_g - slack) near.clear();
    best_g = std::min(best_g, g);
    if (g <= best_g + slack) near.emplace_back(g, y);
  });
  double value = std::numeric_limits<double>::infinity();
  for (const auto& [g, y] : near) {
    if (g > best_g + slack) continue;
    value = std::min(value, problem.value(Level::upper, 0, all, view(x), view(y)));
  }
  return value;
}

/// What the literature says, and a grid to look for it.
struct GridSearch {
  std::string instance;
  double value;  ///< F*
  std::vector<Axis> x, y;
  double tolerance = 2e-3;
  double slack = 1e-12;
  std::int64_t dimension = 0;
};

const Axis unit{-1, 1, 401};

const std::vector<GridSearch>& grid_searches() {
  static const std::vector<GridSearch> searches{
      {"lls", 0, {{-1, 3, 81}}, {{-1, 3, 81}, {-1, 3, 81}}},
      {"merely-convex", 0, {{-1, 3, 81}}, {{-1, 3, 81}, {-1, 3, 81}}, 1e-12, 1e-12, 1},
      {"min-max", 0, {{-10, 10, 201}}, {{-10, 10, 201}}, 1e-12},
      {"pbgd", 0.199911, {{0, 3, 601}}, {{-3.5, 0.5, 801}}},
      {"sine", 0.253749, {{0, 5, 501}}, {{2, 7, 2001}}, 5e-3, 1e-5},
      {"lasso", -0.5, {{0, 1, 11}, {0, 1, 11}}, {{-1, 1, 201}, {-1, 1, 201}}, 1e-12, 1e-12, 2},
      {"mb12", 0, {unit}, {unit}},
      {"mb14", 0.25, {unit}, {unit}},
      {"mb16", -2, {unit}, {unit}},
      {"mb17", 0.1875, {unit}, {unit}},
      {"mb18", -1, {unit}, {unit}},
      {"mb18v", 0.25, {unit}, {unit}},
      {"mb20", 0.3125, {unit}, {unit}},
      {"mb21", 0.209505, {unit}, {{-1, 1, 2001}}},
      {"mac-hurter", 81.3279, {{10, 10.04, 4001}}, {{0, 2, 1001}}},
      {"henderson-quandt", -3266.667, {{0, 200, 601}}, {{0, 100, 1201}}, 1},
      {"mirrlees", 1.0018, {{0, 2, 201}}, {{-2, 2, 4001}}},
      {"lampariello-3.2", 0.5, {{-1, 2, 301}}, {{-1, 2, 301}}, 1e-10},
      {"de-silva", -1, {{0, 1, 21}, {0, 1, 21}}, {{0.5, 1.5, 41}, {0.5, 1.5, 41}}, 1e-12},
      {"bard98-02", 0, {{0, 1, 51}, {0, 1, 51}}, {{0, 1, 101}}, 1e-12},
      {"yezza96", 1.5, {{0, 1, 401}}, {{0, 1, 401}}, 1e-12},
      {"clark-westerberg", 5, {{0, 6, 601}}, {{0, 8, 1601}}, 1e-9},
      {"tuy", 22.5, {{0, 5, 501}}, {{0, 12, 2401}}, 5e-2},
      {"p-q-eq",
       0.290278,
       {{-1, 2, 301}, {-1, 2, 301}},
       {{-1, 2, 301}, {-1, 2, 301}},
       1e-3,
       1e-12,
       2},
  };
  return searches;
}

TEST(Analytic, OptimaAreThoseOfAGrid) {
  for (const GridSearch& search : grid_searches()) {
    const Analytic problem = make(search.instance, {.dimension = search.dimension});
    double found = std::numeric_limits<double>::infinity();
    for_each_point(search.x, [&](VectorXd& x) {
      if (!contains(problem.upper_set(), x)) return;
      found = std::min(found, optimistic_value(problem, x, search.y, search.slack));
    });
    EXPECT_NEAR(found, search.value, search.tolerance) << search.instance;
    EXPECT_NEAR(problem.known_solutions(false).front().value, search.value,
                5e-5 * (1 + std::abs(search.value)))
        << search.instance;
  }
}

/// The optimum of `coreset` is only approached, as weights vanish.
TEST(Analytic, CoresetsApproachTheirOptima) {
  for (const auto& [instance, value] : {std::pair{"coreset", 0.72}, {"coreset-vertex", 4.5}}) {
    const Analytic problem = make(instance);
    double found = std::numeric_limits<double>::infinity();
    const Axis weight{0, 1, 21};
    for_each_point({weight, weight, weight}, [&](VectorXd& weights) {
      const double last = 1 - weights(0) - weights(1) - weights(2);
      if (last < -1e-12) return;
      VectorXd x(4);
      x << weights, std::max(last, 0.0);
      for (Index j = 0; j < 4; ++j) x(j) = std::log(x(j) + 1e-12);
      const VectorXd y = problem.lower_solution(x).value();
      EXPECT_LT(gradients_at(problem, Level::lower, 0, Sample::everything(), x, y).y.norm(), 1e-12);
      found =
          std::min(found, problem.value(Level::upper, 0, Sample::everything(), view(x), view(y)));
    });
    EXPECT_NEAR(found, value, 1e-9);
    const KnownSolution known = problem.known_solutions(false).front();
    EXPECT_EQ(known.value, value);
    EXPECT_EQ(known.x.size(), 0);
    VectorXd target(2);
    target << 3, -2;
    const double factor = instance == std::string("coreset") ? 0.1 : 0.5;
    EXPECT_NEAR(factor * (known.y - target).squaredNorm(), value, 1e-14);
  }
}

/// A point of the unit ball or of the simplex, made without the projections of the library.
VectorXd drawn_from(const FeasibleSet& set, const VectorXd& normal) {
  if (set.kind() == FeasibleSet::Kind::simplex) return normal.cwiseAbs() / normal.lpNorm<1>();
  return set.kind() == FeasibleSet::Kind::ball ? normal / std::max(1.0, normal.norm()) : normal;
}

/// F* by arithmetic of its own.
struct SetCase {
  std::string instance;
  double value;
};

TEST(Analytic, OptimaInBallsAndSimplicesAreThoseOfARandomSearch) {
  const Sample all = Sample::everything();
  for (const auto& [instance, value] : std::vector<SetCase>{{"ball", 2},
                                                            {"two-balls", 2.019448724536},
                                                            {"simplex", 0.111666666667},
                                                            {"simplex-weights", 0.72}}) {
    SCOPED_TRACE(instance);
    const Analytic problem = make(instance);
    const KnownSolution known = problem.known_solutions(false).front();
    EXPECT_NEAR(known.value, value, 1e-11);
    const Index p = problem.upper_dimension();
    const Index q = problem.lower_dimension();
    double nearest = std::numeric_limits<double>::infinity();
    for (std::uint64_t draw = 0; draw < 20000; ++draw) {
      // Far and wide, then ever nearer to the minimizer.
      const double width = draw % 2 == 0 ? 2 : std::pow(0.999, static_cast<double>(draw));
      VectorXd x = (draw % 2 == 0 ? 0 : 1) * known.x + width * random_vector(p, 2 * draw, 1);
      problem.upper_set().project(x);
      const VectorXd y = problem.lower_solution(x).value();
      // g is convex in y: no other point of its set is better, as the gradient at y says.
      const VectorXd gy = gradients_at(problem, Level::lower, 0, all, x, y).y;
      const VectorXd other = drawn_from(problem.lower_set(), random_vector(q, 2 * draw + 1, 1));
      EXPECT_GT(gy.dot(other - y), -1e-12);
      const double F = problem.value(Level::upper, 0, all, view(x), view(y));
      EXPECT_GT(F, value - 1e-11);
      nearest = std::min(nearest, F);
    }
    EXPECT_LT(nearest, value + 1e-6);
  }
}

TEST(Analytic, ListsAllLocalMinimizersOfPbgd) {
  const Analytic problem = make("pbgd");
  const auto F = [&](double t) {
    const VectorXd x = VectorXd::Constant(1, t);
    const VectorXd y = problem.lower_solution(x).value();
    return problem.value(Level::upper, 0, Sample::everything(), view(x), view(y));
  };
  EXPECT_NEAR(F(0), 0.755113, 1e-6);
  EXPECT_NEAR(F(3), 1.468527, 1e-6);
  std::vector<double> found;
  for (double t = 1e-4; t < 3; t += 1e-4) {
    if (F(t) < F(t - 1e-4) && F(t) <= F(t + 1e-4)) found.push_back(t);
  }
  const auto known = problem.known_solutions(false);
  ASSERT_EQ(found.size(), 3u);
  ASSERT_EQ(known.size(), 3u);
  EXPECT_NEAR(known[0].x(0), 1.215145, 1e-6);
  EXPECT_NEAR(known[1].x(0), 0.382360, 1e-6);
  EXPECT_NEAR(known[2].x(0), 2.829642, 1e-6);
  EXPECT_NEAR(known[1].value, 0.442706, 1e-6);
  EXPECT_NEAR(known[2].value, 1.243458, 1e-6);
  EXPECT_NEAR(found[0], known[1].x(0), 1e-4);
  EXPECT_NEAR(found[1], known[0].x(0), 1e-4);
  EXPECT_NEAR(found[2], known[2].x(0), 1e-4);
}

TEST(Analytic, LocalMinimizersOfSineAndOfLinearConstraints) {
  const auto sine = make("sine").known_solutions(false);
  EXPECT_NEAR(sine[0].x(0), 2.356194, 1e-6);
  EXPECT_NEAR(sine[0].y(0), 4.356194, 1e-6);
  EXPECT_NEAR(sine[1].value, 15.52, 5e-3);
  EXPECT_NEAR(sine[3].value, 70.26, 5e-3);
  const auto clark = make("clark-westerberg").known_solutions(false);
  ASSERT_EQ(clark.size(), 3u);
  EXPECT_EQ(clark[1].value, 9);
  EXPECT_EQ(clark[2].value, 9.8);
  EXPECT_EQ(make("tuy").known_solutions(false)[2].value, 24.5);
}

TEST(Analytic, LassoHasTheGradientsOfItsWholeLowerLevelAwayFromKinks) {
  const Analytic problem = make("lasso");
  const VectorXd x = VectorXd::LinSpaced(20, 0.1, 0.9);
  const VectorXd y = random_vector(20, 1, 1);
  const VectorXd along = random_vector(20, 2, 1);
  const auto value = [&](double t) {
    const VectorXd moved = y + t * along;
    return problem.value(Level::lower, 0, Sample::everything(), view(x), view(moved));
  };
  const VectorXd gy = gradients_at(problem, Level::lower, 0, Sample::everything(), x, y).y +
                      x.cwiseProduct(y.cwiseSign());
  EXPECT_NEAR((value(1e-6) - value(-1e-6)) / 2e-6, gy.dot(along), 1e-7);
  // The proximal map against its definition, coordinate by coordinate.
  VectorXd moved = y;
  problem.lower_prox(0.7, view(x), output(moved));
  for (Index i = 0; i < 20; ++i) {
    const auto objective = [&](double u) {
      return 0.7 * x(i) * std::abs(u) + 0.5 * (u - y(i)) * (u - y(i));
    };
    for (const double step : {-0.1, -1e-3, 1e-3, 0.1}) {
      EXPECT_LT(objective(moved(i)), objective(moved(i) + step));
    }
  }
}

TEST(Analytic, StartsAreThoseOfTheLiterature) {
  EXPECT_EQ(make("pbgd").start_x()(0), 0.2);
  EXPECT_EQ(make("pbgd", {.start = 2}).start_x()(0), 2.5);
  EXPECT_EQ(make("pbgd", {.start = 2}).start_y()(0), -2.2);
  EXPECT_EQ(make("sine", {.start = 1}).start_x()(0), 0);
  EXPECT_EQ(make("coreset", {.start = 2}).start_y()(0), 3.5);
  EXPECT_EQ(make("min-max").start_y()(0), 4);
  EXPECT_EQ(make("lasso").start_x()(7), 0.025);
  EXPECT_EQ(make("merely-convex").start_y().size(), 20);
  EXPECT_EQ(make("merely-convex", {.dimension = 3}).start_y(), VectorXd::Constant(6, 0.01));
}

std::string message_of(const std::string& instance, const AnalyticOptions& options) {
  try {
    make(instance, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(Analytic, RefusesWhatAnInstanceDoesNotHave) {
  EXPECT_EQ(message_of("pbgd", {.start = 3}),
            "problem.start: 3 (instance `pbgd` has 3 starts); choose one of 0 to 2");
  EXPECT_EQ(message_of("lls", {.start = 1}),
            "problem.start: 1 (instance `lls` has 1 start); choose 0");
  EXPECT_EQ(message_of("mb12", {.dimension = 3}),
            "problem.dimension: 3 (instance `mb12` has a fixed size); leave it out");
  EXPECT_EQ(message_of("lasso", {.dimension = 3}),
            "problem.dimension: 3 (instance `lasso` has two halves); choose an even number");
  EXPECT_NE(message_of("mb13", {}).find("nearest is `mb1"), std::string::npos);
}

TEST(Analytic, PerturbationsHaveZeroMean) {
  for (const auto& entry : analytic_catalog()) {
    const Analytic plain = make(entry.name);
    const Analytic perturbed = make(entry.name, {.heterogeneity = 2}, 7);
    check_same_mean(plain, perturbed, 1e-12);
    const VectorXd x = random_vector(perturbed.upper_dimension(), 1, 1);
    const VectorXd y = random_vector(perturbed.lower_dimension(), 2, 1);
    EXPECT_NE(perturbed.value(Level::lower, 0, {}, view(x), view(y)),
              perturbed.value(Level::lower, 1, {}, view(x), view(y)))
        << entry.name;
    EXPECT_EQ(perturbed.known_solutions(false).front().value,
              plain.known_solutions(false).front().value);
    EXPECT_TRUE(perturbed.known_solutions(true).empty());
    EXPECT_FALSE(plain.known_solutions(true).empty());
    // An agent is the same wherever it lives.
    const Analytic elsewhere(AgentSet{7, {4}}, {.instance = entry.name, .heterogeneity = 2}, 5);
    EXPECT_EQ(gradients_at(perturbed, Level::upper, 4, {}, x, y).x,
              gradients_at(elsewhere, Level::upper, 0, {}, x, y).x);
  }
}

TEST(Analytic, ProductsAreThoseOfTheGradients) {
  for (const auto& entry : analytic_catalog()) {
    SCOPED_TRACE(entry.name);
    check_products(make(entry.name, {.heterogeneity = 1}, 2), Sample::everything(), 1e-6);
    check_points(make(entry.name, {.heterogeneity = 1, .noise = 0.1}, 2), Sample{.iteration = 3});
  }
}

TEST(Analytic, NoiseIsThatOfTheSample) {
  const Analytic noisy = make("pbgd", {.noise = 0.5});
  const VectorXd x = noisy.start_x();
  const VectorXd y = noisy.start_y();
  const auto at = [&](const Sample& sample) {
    return gradients_at(noisy, Level::lower, 0, sample, x, y).y(0);
  };
  EXPECT_EQ(at({.iteration = 3}), at({.iteration = 3}));
  EXPECT_NE(at({.iteration = 3}), at({.iteration = 4}));
  const double exact = at(Sample::everything());
  const double parts = at({.batches = 2, .batch = 0}) + at({.batches = 2, .batch = 1});
  EXPECT_NEAR(parts / 2, exact, 1e-14);
}

}  // namespace
}  // namespace echelon

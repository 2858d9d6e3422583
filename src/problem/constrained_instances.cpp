// Box constraints in several dimensions, and lower levels with linear constraints.

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "analytic_entries.hpp"

namespace echelon::detail {

namespace {

using V = const ConstVector&;

// y*(x) is x cut off at 1/2 and 3/2, and has a kink at x*.
AnalyticInstance de_silva() {
  const VectorXd ones = VectorXd::Ones(2);
  AnalyticInstance instance;
  instance.p = instance.q = 2;
  instance.f = [ones](V x, V y) { return x.squaredNorm() - 2 * x.dot(ones) + y.squaredNorm(); };
  instance.fx = [ones](V x, V) -> VectorXd { return 2 * (x - ones); };
  instance.fy = [](V, V y) -> VectorXd { return 2 * y; };
  instance.g = [](V x, V y) { return (y - x).squaredNorm(); };
  instance.gx = [](V x, V y) -> VectorXd { return 2 * (x - y); };
  instance.gy = [](V x, V y) -> VectorXd { return 2 * (y - x); };
  instance.hv = [](V, V, V v) -> VectorXd { return 2 * v; };
  instance.jv = [](V, V, V v) -> VectorXd { return -2 * v; };
  instance.upper = uniform_box(2, 0, 10);
  instance.lower = uniform_box(2, 0.5, 1.5);
  instance.starts = {{2 * ones, ones}};
  instance.solutions = {{0.5 * ones, 0.5 * ones, -1}};
  instance.lower_solution = [](const VectorXd& x) -> VectorXd {
    return x.cwiseMax(0.5).cwiseMin(1.5);
  };
  return instance;
}

// y*(x) is 1 + x1 - 2 x2 cut off at 0 and 1; the bound is active at x*.
AnalyticInstance bard98() {
  const VectorXd coupling{{-1.0, 2.0}};
  const VectorXd target{{0.8, 0.2}};
  AnalyticInstance instance;
  instance.p = 2;
  instance.f = [target](V x, V y) {
    return 0.5 * (x - target).squaredNorm() + 0.5 * (y(0) - 1) * (y(0) - 1);
  };
  instance.fx = [target](V x, V) -> VectorXd { return x - target; };
  instance.fy = [](V, V y) { return number(y(0) - 1); };
  instance.g = [coupling](V x, V y) { return 0.5 * y(0) * y(0) - y(0) + coupling.dot(x) * y(0); };
  instance.gx = [coupling](V, V y) -> VectorXd { return y(0) * coupling; };
  instance.gy = [coupling](V x, V y) { return number(y(0) - 1 + coupling.dot(x)); };
  instance.hv = [](V, V, V v) -> VectorXd { return v; };
  instance.jv = [coupling](V, V, V v) -> VectorXd { return v(0) * coupling; };
  instance.upper = uniform_box(2, 0, 1);
  instance.lower = uniform_box(1, 0, 1);
  instance.starts = {{VectorXd::Constant(2, 0.5), number(0.5)}};
  instance.solutions = {{target, number(1), 0}};
  instance.lower_solution = [coupling](const VectorXd& x) {
    return number(std::clamp(1 - coupling.dot(x), 0.0, 1.0));
  };
  return instance;
}

/// One x and one y with rows a_r y + b_r x <= c_r.
LinearConstraints scalar_rows(const std::vector<std::array<double, 3>>& rows) {
  const auto count = static_cast<Index>(rows.size());
  LinearConstraints constraints{LinearConstraints::Kind::at_most, Eigen::MatrixXd(count, 1),
                                Eigen::MatrixXd(count, 1), VectorXd(count)};
  for (Index r = 0; r < count; ++r) {
    const auto& [a, b, c] = rows[static_cast<std::size_t>(r)];
    constraints.A(r, 0) = a;
    constraints.B(r, 0) = b;
    constraints.c(r) = c;
  }
  return constraints;
}

// y*(x) is 1 + 2x, then 5 from x = 2 on, then 7 - x/2 from x = 4 on; beyond x = 6 the lower level
// has no feasible point.
AnalyticInstance clark_westerberg() {
  AnalyticInstance instance = scalar_instance({
      .f = [](double x, double y) { return (x - 3) * (x - 3) + (y - 2) * (y - 2); },
      .fx = [](double x, double) { return 2 * (x - 3); },
      .fy = [](double, double y) { return 2 * (y - 2); },
      .g = [](double, double y) { return (y - 5) * (y - 5); },
      .gx = [](double, double) { return 0.0; },
      .gy = [](double, double y) { return 2 * (y - 5); },
      .gyy = [](double, double) { return 2.0; },
      .gxy = [](double, double) { return 0.0; },
  });
  instance.upper = uniform_box(1, 0, 6);
  instance.lower = uniform_box(1, 0, 8);
  instance.constraints = scalar_rows({{1, -2, 1}, {-2, 1, -2}, {2, 1, 14}});
  instance.starts = {{number(0), number(1)}};
  instance.solutions = {
      {number(1), number(3), 5}, {number(3), number(5), 9}, {number(4.4), number(4.8), 9.8}};
  instance.lower_solution = [](const VectorXd& x) {
    return number(std::min({5.0, 1 + 2 * x(0), 7 - x(0) / 2}));
  };
  return instance;
}

// y*(x) is the smallest of 15 - 3x, 7 - x and 5 - x/3; beyond x = 5 the lower level has no feasible
// point.
AnalyticInstance tuy() {
  AnalyticInstance instance = scalar_instance({
      .f = [](double x, double y) { return x * x + y * y; },
      .fx = [](double x, double) { return 2 * x; },
      .fy = [](double, double y) { return 2 * y; },
      .g = [](double, double y) { return -y; },
      .gx = [](double, double) { return 0.0; },
      .gy = [](double, double) { return -1.0; },
      .gyy = [](double, double) { return 0.0; },
      .gxy = [](double, double) { return 0.0; },
  });
  instance.upper = uniform_box(1, 0, 5);
  instance.lower = uniform_box(1, 0, std::numeric_limits<double>::infinity());
  instance.constraints = scalar_rows({{1, 3, 15}, {1, 1, 7}, {3, 1, 15}});
  instance.starts = {{number(1), number(0)}, {number(4.8), number(0)}};
  instance.solutions = {{number(1.5), number(4.5), 22.5},
                        {number(4.5), number(1.5), 22.5},
                        {number(3.5), number(3.5), 24.5}};
  instance.lower_solution = [](const VectorXd& x) {
    return number(std::min({15 - 3 * x(0), 7 - x(0), 5 - x(0) / 3}));
  };
  return instance;
}

// P-Q with e'y = e'x: y*(x) = S x with S = A^-1 - A^-1 e (A^-1 e - e)' / s, s = e'A^-1 e, and x*
// solves [I + S'A S, e; e', 0] (x, nu) = (z, 1).
AnalyticInstance constrained_p_q(Index d) {
  const VectorXd ones = VectorXd::Ones(d);
  const VectorXd A = VectorXd::LinSpaced(d, 0.5, 2.0);
  const VectorXd z = VectorXd::LinSpaced(d, 1 / static_cast<double>(d), 1.0);
  const VectorXd inverse = A.cwiseInverse();
  const Eigen::MatrixXd S = Eigen::MatrixXd(inverse.asDiagonal()) -
                            inverse * (inverse - ones).transpose() / inverse.dot(ones);
  AnalyticInstance instance;
  instance.p = instance.q = d;
  instance.f = [=](V x, V y) {
    return 0.5 * (x - z).squaredNorm() + 0.5 * y.dot(A.cwiseProduct(y));
  };
  instance.fx = [z](V x, V) -> VectorXd { return x - z; };
  instance.fy = [A](V, V y) -> VectorXd { return A.cwiseProduct(y); };
  instance.g = [A](V x, V y) { return 0.5 * y.dot(A.cwiseProduct(y)) - x.dot(y); };
  instance.gx = [](V, V y) -> VectorXd { return -y; };
  instance.gy = [A](V x, V y) -> VectorXd { return A.cwiseProduct(y) - x; };
  instance.hv = [A](V, V, V v) -> VectorXd { return A.cwiseProduct(v); };
  instance.jv = [](V, V, V v) -> VectorXd { return -v; };
  instance.upper = FeasibleSet::affine(ones.transpose(), number(1));
  instance.constraints = {LinearConstraints::Kind::equal, ones.transpose(), -ones.transpose(),
                          number(0)};
  instance.starts = {{ones / static_cast<double>(d), ones / static_cast<double>(d)}};
  // With K = I + S'A S: x = K^-1 (z - nu e), nu such that e'x = 1.
  const Eigen::LLT<Eigen::MatrixXd> K(Eigen::MatrixXd::Identity(d, d) +
                                      S.transpose() * A.asDiagonal() * S);
  const VectorXd free = K.solve(z);
  const VectorXd along = K.solve(ones);
  KnownSolution solution;
  solution.x = free - (free.dot(ones) - 1) / along.dot(ones) * along;
  solution.y = S * solution.x;
  solution.value =
      0.5 * (solution.x - z).squaredNorm() + 0.5 * solution.y.dot(A.cwiseProduct(solution.y));
  instance.solutions = {solution};
  instance.lower_solution = [S](const VectorXd& x) -> VectorXd { return S * x; };
  return instance;
}

}  // namespace

std::vector<AnalyticEntry> constrained_entries() {
  return {
      fixed_entry("de-silva", "lower solution with a kink at the optimum",
                  "f = |x|^2 - 2 (x1 + x2) + |y|^2;  g = |y - x|^2;  0 <= x <= 10, .5 <= y <= 1.5",
                  de_silva),
      fixed_entry("bard98-02", "an active bound of the lower level at the optimum",
                  "f = .5 (x1 - .8)^2 + .5 (x2 - .2)^2 + .5 (y - 1)^2;  "
                  "g = .5 y^2 - y - x1 y + 2 x2 y;  0 <= x, y <= 1",
                  bard98),
      fixed_entry("clark-westerberg",
                  "linear constraints of the lower level; P. Clark, A. Westerberg, 1990",
                  "f = (x - 3)^2 + (y - 2)^2;  g = (y - 5)^2 with -2x + y <= 1, x - 2y <= -2, "
                  "x + 2y <= 14;  0 <= x <= 6, 0 <= y <= 8",
                  clark_westerberg),
      fixed_entry("tuy", "linear lower level with two global optima",
                  "f = x^2 + y^2;  g = -y with 3x + y <= 15, x + y <= 7, x + 3y <= 15;  "
                  "0 <= x <= 5, y >= 0",
                  tuy),
      {"p-q-eq", "equality constraints on both levels",
       "f = 1/2 |x - z|^2 + 1/2 y'A y;  g = 1/2 y'A y - x'y with e'y = e'x;  e'x = 1;  "
       "A = diag(linspace(.5, 2, d)), z_i = i/d",
       6, constrained_p_q},
  };
}

}  // namespace echelon::detail

// Levels kept in a ball or in the simplex, with optima on their surface.

#include <cmath>
#include <limits>

#include "analytic_entries.hpp"

namespace echelon::detail {

namespace {

using V = const ConstVector&;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// f = 1/2 |x - a|^2 + 1/2 |y - b|^2 and g = 1/2 |y - x|^2, so that y*(x) is the projection of x
/// onto the lower set.
AnalyticInstance projection_onto(FeasibleSet lower, const VectorXd& a, const VectorXd& b) {
  AnalyticInstance instance;
  instance.p = instance.q = a.size();
  instance.f = [=](V x, V y) { return 0.5 * (x - a).squaredNorm() + 0.5 * (y - b).squaredNorm(); };
  instance.fx = [a](V x, V) -> VectorXd { return x - a; };
  instance.fy = [b](V, V y) -> VectorXd { return y - b; };
  instance.g = [](V x, V y) { return 0.5 * (y - x).squaredNorm(); };
  instance.gx = [](V x, V y) -> VectorXd { return x - y; };
  instance.gy = [](V x, V y) -> VectorXd { return y - x; };
  instance.hv = [](V, V, V v) -> VectorXd { return v; };
  instance.jv = [](V, V, V v) -> VectorXd { return -v; };
  instance.lower_solution = [lower](const VectorXd& x) -> VectorXd {
    VectorXd y = x;
    lower.project(y);
    return y;
  };
  instance.lower = std::move(lower);
  return instance;
}

void add_solution(AnalyticInstance& instance, const VectorXd& x) {
  const VectorXd y = instance.lower_solution(x);
  const ConstVector at_x(x.data(), x.size());
  const ConstVector at_y(y.data(), y.size());
  instance.solutions.push_back({x, y, instance.f(at_x, at_y)});
}

// a = 2 e and b = 2 n with orthogonal unit vectors e and n. Outside the unit disk, at
// x = r (cos t e + sin t n), F = r^2/2 - 2 r cos t - 2 sin t + 9/2. Free x: r = 2 cos t and
// sin t = 1/2, F* = 2. For |x| <= R below sqrt 3: r = R and tan t = 1/R, F* = (R^2 + 9)/2 -
// 2 sqrt(R^2 + 1). What b asks for lies along the circle: without the derivative of the projection
// x would end at a.
AnalyticInstance disk(double upper_radius) {
  const VectorXd e{{0.6, 0.8}};
  const VectorXd n{{-0.8, 0.6}};
  const VectorXd origin = VectorXd::Zero(2);
  AnalyticInstance instance = projection_onto(FeasibleSet::ball(origin, 1), 2 * e, 2 * n);
  instance.starts = {{origin, origin}};
  if (std::isinf(upper_radius)) {
    add_solution(instance, 1.5 * e + 0.5 * std::sqrt(3.0) * n);
    return instance;
  }
  instance.upper = FeasibleSet::ball(origin, upper_radius);
  add_solution(instance, upper_radius * (upper_radius * e + n).normalized());
  return instance;
}

// The last entry of y is held at 0. On that face y is x less its mean plus 1/3, entry by entry of
// the first three, and dF = 0 asks for the mean of a and, beyond means, half of a + b; x4 = a4.
AnalyticInstance lower_simplex() {
  const VectorXd a{{0.9, 0.2, 0.4, -0.5}};
  const VectorXd b{{0.2, 0.1, 0.6, 0.1}};
  AnalyticInstance instance = projection_onto(FeasibleSet::simplex(), a, b);
  const VectorXd even = VectorXd::Constant(4, 0.25);
  instance.starts = {{even, even}};
  const double mean_a = (a(0) + a(1) + a(2)) / 3;
  const double mean_b = (b(0) + b(1) + b(2)) / 3;
  VectorXd x = a;
  for (Index i = 0; i < 3; ++i) x(i) = mean_a + 0.5 * (a(i) - mean_a + b(i) - mean_b);
  add_solution(instance, x);
  return instance;
}

// y*(x) = sum_j x_j p_j on the simplex; the target's projection onto the hull of the points is
// .8 p_2 + .2 p_4.
AnalyticInstance upper_simplex() {
  const Eigen::Matrix<double, 2, 4> points{{1, 3, -2, -3}, {3, 1, 2, -2}};
  const Eigen::Vector2d target(3, -2);
  AnalyticInstance instance;
  instance.p = 4;
  instance.q = 2;
  instance.f = [=](V, V y) { return 0.1 * (y - target).squaredNorm(); };
  instance.fx = [](V, V) -> VectorXd { return VectorXd::Zero(4); };
  instance.fy = [=](V, V y) -> VectorXd { return 0.2 * (y - target); };
  instance.gx = [=](V, V y) -> VectorXd {
    VectorXd halves(4);
    for (Index j = 0; j < 4; ++j) halves(j) = 0.5 * (y - points.col(j)).squaredNorm();
    return halves;
  };
  instance.g = [gx = instance.gx](V x, V y) { return x.dot(gx(x, y)); };
  const auto total = [](V x) { return x.dot(VectorXd::Ones(4)); };
  instance.gy = [=](V x, V y) -> VectorXd { return total(x) * y - points * x; };
  instance.hv = [=](V x, V, V v) -> VectorXd { return total(x) * v; };
  instance.jv = [=](V, V y, V v) -> VectorXd {
    return VectorXd::Constant(4, y.dot(v)) - points.transpose() * v;
  };
  instance.upper = FeasibleSet::simplex();
  instance.starts = {{VectorXd::Constant(4, 0.25), VectorXd::Zero(2)}};
  instance.lower_solution = [=](const VectorXd& x) -> VectorXd {
    return points * x / total(ConstVector(x.data(), x.size()));
  };
  add_solution(instance, VectorXd{{0, 0.8, 0, 0.2}});
  return instance;
}

}  // namespace

std::vector<AnalyticEntry> set_entries() {
  const std::string squares = "f = 1/2 |x - a|^2 + 1/2 |y - b|^2;  g = 1/2 |y - x|^2;  ";
  const std::string disk_data = "|y| <= 1;  a = (1.2, 1.6), b = (-1.6, 1.2)";
  return {
      fixed_entry("ball", "lower level in a ball, whose surface bends the response of y",
                  squares + disk_data, [] { return disk(infinity); }),
      fixed_entry("two-balls", "both levels in balls, with the optimum on both surfaces",
                  squares + "|x| <= 1.5, " + disk_data, [] { return disk(1.5); }),
      fixed_entry("simplex", "lower level in the simplex, with an entry held at 0 at the optimum",
                  squares + "y >= 0, sum y = 1;  a = (.9, .2, .4, -.5), b = (.2, .1, .6, .1)",
                  lower_simplex),
      fixed_entry("simplex-weights",
                  "weights in the simplex, of four points whose mean is to be near a target",
                  "f = .1 |y - (3, -2)|^2;  g = 1/2 sum_j x_j |y - p_j|^2;  x >= 0, sum x = 1",
                  upper_simplex),
  };
}

}  // namespace echelon::detail

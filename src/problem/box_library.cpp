// Problems with box constraints, most of them with x and y in R: A. Mitsos, P. I. Barton, A test
// set for bilevel programs, MIT 2006 (mb), and R. Paulavicius, C. S. Adjiman, BASBLib.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "analytic_entries.hpp"

namespace echelon::detail {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Where the lower level may have its minimum at x, besides the ends of its box.
using Candidates = std::vector<double> (*)(double x);

struct Interval {
  double low = -infinity;
  double high = infinity;
};

/// The candidate with the smallest g; of equal ones, that with the smallest f.
double best_response(const ScalarFunctions& functions, const Interval& range, double x,
                     std::vector<double> candidates) {
  for (const double end : {range.low, range.high}) {
    if (std::isfinite(end)) candidates.push_back(end);
  }
  double best = std::numeric_limits<double>::quiet_NaN();
  double best_g = infinity;
  for (const double candidate : candidates) {
    if (std::isnan(candidate)) continue;
    const double y = std::clamp(candidate, range.low, range.high);
    const double g = functions.g(x, y);
    const double tie = 1e-12 * (1 + std::abs(g));
    const bool wins =
        g < best_g - tie || (g <= best_g + tie && functions.f(x, y) < functions.f(x, best));
    if (!wins) continue;
    best = y;
    best_g = std::min(g, best_g);
  }
  return best;
}

AnalyticInstance on_boxes(const ScalarFunctions& functions, Interval x_range, Interval y_range,
                          Candidates candidates, std::vector<AnalyticInstance::Start> starts,
                          std::vector<KnownSolution> solutions) {
  AnalyticInstance instance = scalar_instance(functions);
  const auto set = [](const Interval& range) {
    const bool whole = std::isinf(range.low) && std::isinf(range.high);
    return whole ? FeasibleSet() : uniform_box(1, range.low, range.high);
  };
  instance.upper = set(x_range);
  instance.lower = set(y_range);
  instance.starts = std::move(starts);
  instance.solutions = std::move(solutions);
  instance.lower_solution = [=](const VectorXd& x) {
    return number(best_response(functions, y_range, x(0), candidates(x(0))));
  };
  return instance;
}

KnownSolution at(double x, double y, double value) {
  return {number(x), number(y), value};
}

/// On [-1, 1]^2, started at (-1/2, -1/2) and (1/2, 1/2).
AnalyticInstance on_unit_boxes(const ScalarFunctions& functions, Candidates candidates,
                               std::vector<KnownSolution> solutions) {
  return on_boxes(functions, {-1, 1}, {-1, 1}, candidates,
                  {{number(-0.5), number(-0.5)}, {number(0.5), number(0.5)}}, std::move(solutions));
}

/// The two square roots of t: not numbers if t < 0.
std::vector<double> roots(double t) {
  return {std::sqrt(t), -std::sqrt(t)};
}
std::vector<double> zero_and_roots(double t) {
  return {0, std::sqrt(t), -std::sqrt(t)};
}

AnalyticInstance mb12() {
  return on_unit_boxes({
                           .f = [](double x, double y) { return -x + x * y + 10 * y * y; },
                           .fx = [](double, double y) { return y - 1; },
                           .fy = [](double x, double y) { return x + 20 * y; },
                           .g = [](double x, double y) { return -x * y * y + y * y * y * y / 2; },
                           .gx = [](double, double y) { return -y * y; },
                           .gy = [](double x, double y) { return -2 * x * y + 2 * y * y * y; },
                           .gyy = [](double x, double y) { return -2 * x + 6 * y * y; },
                           .gxy = [](double, double y) { return -2 * y; },
                       },
                       zero_and_roots, {at(0, 0, 0)});
}

AnalyticInstance mb14() {
  return on_unit_boxes({
                           .f = [](double x, double y) { return (x - 0.25) * (x - 0.25) + y * y; },
                           .fx = [](double x, double) { return 2 * (x - 0.25); },
                           .fy = [](double, double y) { return 2 * y; },
                           .g = [](double x, double y) { return y * y * y / 3 - x * y; },
                           .gx = [](double, double y) { return -y; },
                           .gy = [](double x, double y) { return y * y - x; },
                           .gyy = [](double, double y) { return 2 * y; },
                           .gxy = [](double, double) { return -1.0; },
                       },
                       roots, {at(0.25, 0.5, 0.25)});
}

AnalyticInstance mb16() {
  return on_unit_boxes(
      {
          .f = [](double x, double y) { return 2 * x + y; },
          .fx = [](double, double) { return 2.0; },
          .fy = [](double, double) { return 1.0; },
          .g = [](double x, double y) { return -x * y * y / 2 - y * y * y * y / 4; },
          .gx = [](double, double y) { return -y * y / 2; },
          .gy = [](double x, double y) { return -x * y - y * y * y; },
          .gyy = [](double x, double y) { return -x - 3 * y * y; },
          .gxy = [](double, double y) { return -y; },
      },
      [](double x) { return zero_and_roots(-x); }, {at(-1, 0, -2), at(-0.5, -1, -2)});
}

AnalyticInstance mb17() {
  return on_unit_boxes(
      {
          .f = [](double x, double y) { return (x + 0.5) * (x + 0.5) + y * y / 2; },
          .fx = [](double x, double) { return 2 * (x + 0.5); },
          .fy = [](double, double y) { return y; },
          .g = [](double x, double y) { return x * y * y / 2 + y * y * y * y / 4; },
          .gx = [](double, double y) { return y * y / 2; },
          .gy = [](double x, double y) { return x * y + y * y * y; },
          .gyy = [](double x, double y) { return x + 3 * y * y; },
          .gxy = [](double, double y) { return y; },
      },
      [](double x) { return zero_and_roots(-x); },
      {at(-0.25, 0.5, 0.1875), at(-0.25, -0.5, 0.1875)});
}

AnalyticInstance mb18_with(ScalarFunctions::Function f, ScalarFunctions::Function fx,
                           const KnownSolution& solution) {
  return on_unit_boxes({
                           .f = f,
                           .fx = fx,
                           .fy = [](double, double y) { return 2 * y; },
                           .g = [](double x, double y) { return x * y * y - y * y * y * y / 2; },
                           .gx = [](double, double y) { return y * y; },
                           .gy = [](double x, double y) { return 2 * x * y - 2 * y * y * y; },
                           .gyy = [](double x, double y) { return 2 * x - 6 * y * y; },
                           .gxy = [](double, double y) { return 2 * y; },
                       },
                       zero_and_roots, {solution});
}

AnalyticInstance mb18() {
  return mb18_with([](double x, double y) { return -x * x + y * y; },
                   [](double x, double) { return -2 * x; }, at(1, 0, -1));
}

AnalyticInstance mb18v() {
  return mb18_with([](double x, double y) { return x * x + y * y; },
                   [](double x, double) { return 2 * x; }, at(0.5, 0, 0.25));
}

AnalyticInstance mb20() {
  return on_unit_boxes({
                           .f = [](double x, double y) { return (x - 0.25) * (x - 0.25) + y * y; },
                           .fx = [](double x, double) { return 2 * (x - 0.25); },
                           .fy = [](double, double y) { return 2 * y; },
                           .g = [](double x, double y) { return -x * x * y + y * y * y / 3; },
                           .gx = [](double x, double y) { return -2 * x * y; },
                           .gy = [](double x, double y) { return -x * x + y * y; },
                           .gyy = [](double, double y) { return 2 * y; },
                           .gxy = [](double x, double) { return -2 * x; },
                       },
                       [](double x) { return roots(x * x); }, {at(0.5, 0.5, 0.3125)});
}

// dg/dy = 4 (y - x/10) (y - (4 - x)/10) (y - (x - 5)/10).
AnalyticInstance mb21() {
  return on_unit_boxes(
      {
          .f = [](double x, double y) { return (x + 0.6) * (x + 0.6) + y * y; },
          .fx = [](double x, double) { return 2 * (x + 0.6); },
          .fy = [](double, double y) { return 2 * y; },
          .g =
              [](double x, double y) {
                const double linear = ((0.004 * x - 0.036) * x + 0.08) * x;
                const double square = (-0.02 * x + 0.16) * x - 0.4;
                return (((y + 4.0 / 30 * (1 - x)) * y + square) * y + linear) * y;
              },
          .gx =
              [](double x, double y) {
                const double linear = (0.012 * x - 0.072) * x + 0.08;
                const double square = -0.04 * x + 0.16;
                return ((-4.0 / 30 * y + square) * y + linear) * y;
              },
          .gy = [](double x,
                   double y) { return 4 * (y - x / 10) * (y - (4 - x) / 10) * (y - (x - 5) / 10); },
          .gyy =
              [](double x, double y) {
                const double a = y - x / 10, b = y - (4 - x) / 10, c = y - (x - 5) / 10;
                return 4 * (a * b + b * c + a * c);
              },
          .gxy =
              [](double x, double y) {
                const double linear = (0.012 * x - 0.072) * x + 0.08;
                const double square = -0.04 * x + 0.16;
                return (-0.4 * y + 2 * square) * y + linear;
              },
      },
      [](double x) {
        return std::vector<double>{x / 10, (4 - x) / 10, (x - 5) / 10};
      },
      {at(-56.0 / 101, 46.0 / 101, 2137.16 / 10201)});
}

AnalyticInstance mac_hurter() {
  return on_boxes({
                      .f = [](double x, double y) { return (x - 1) * (x - 1) + (y - 1) * (y - 1); },
                      .fx = [](double x, double) { return 2 * (x - 1); },
                      .fy = [](double, double y) { return 2 * (y - 1); },
                      .g = [](double x, double y) { return y * y / 2 + 500 * y - 50 * x * y; },
                      .gx = [](double, double y) { return -50 * y; },
                      .gy = [](double x, double y) { return y + 500 - 50 * x; },
                      .gyy = [](double, double) { return 1.0; },
                      .gxy = [](double, double) { return -50.0; },
                  },
                  {}, {}, [](double x) { return std::vector<double>{50 * x - 500}; },
                  {{number(0), number(0)}}, {at(25051.0 / 2501, 2050.0 / 2501, 203401.0 / 2501)});
}

AnalyticInstance henderson_quandt() {
  return on_boxes({
                      .f = [](double x, double y) { return (0.5 * (x + y) - 95) * x; },
                      .fx = [](double x, double y) { return x + 0.5 * y - 95; },
                      .fy = [](double x, double) { return 0.5 * x; },
                      .g = [](double x, double y) { return (y + 0.5 * x - 100) * y; },
                      .gx = [](double, double y) { return 0.5 * y; },
                      .gy = [](double x, double y) { return 2 * y + 0.5 * x - 100; },
                      .gyy = [](double, double) { return 2.0; },
                      .gxy = [](double, double) { return 0.5; },
                  },
                  {0, 200}, {0, infinity}, [](double x) { return std::vector<double>{50 - x / 4}; },
                  {{number(50), number(50)}}, {at(280.0 / 3, 80.0 / 3, -9800.0 / 3)});
}

/// dg/dy / 2 of Mirrlees' problem.
double mirrlees_slope(double x, double y) {
  return x * (y + 1) * std::exp(-(y + 1) * (y + 1)) + (y - 1) * std::exp(-(y - 1) * (y - 1));
}

/// The stationary points in [-2, 2], by bisection between changes of sign.
std::vector<double> mirrlees_candidates(double x) {
  constexpr int cells = 64;
  std::vector<double> found;
  for (int cell = 0; cell < cells; ++cell) {
    double low = -2 + 4.0 * cell / cells;
    double high = low + 4.0 / cells;
    const bool rises = mirrlees_slope(x, low) < 0;
    if (rises == (mirrlees_slope(x, high) < 0)) continue;
    for (int halving = 0; halving < 60; ++halving) {
      const double middle = (low + high) / 2;
      ((mirrlees_slope(x, middle) < 0) == rises ? low : high) = middle;
    }
    found.push_back(low);
  }
  return found;
}

// The lower level has two equally good solutions at x = 1 and jumps to the other one beyond; y* is
// the positive root of (y + 1) e^(-(y + 1)^2) + (y - 1) e^(-(y - 1)^2).
AnalyticInstance mirrlees() {
  return on_boxes(
      {
          .f = [](double x, double y) { return (x - 2) * (x - 2) + (y - 1) * (y - 1); },
          .fx = [](double x, double) { return 2 * (x - 2); },
          .fy = [](double, double y) { return 2 * (y - 1); },
          .g =
              [](double x, double y) {
                return -x * std::exp(-(y + 1) * (y + 1)) - std::exp(-(y - 1) * (y - 1));
              },
          .gx = [](double, double y) { return -std::exp(-(y + 1) * (y + 1)); },
          .gy = [](double x, double y) { return 2 * mirrlees_slope(x, y); },
          .gyy =
              [](double x, double y) {
                const double a = (y + 1) * (y + 1), b = (y - 1) * (y - 1);
                return x * (2 - 4 * a) * std::exp(-a) + (2 - 4 * b) * std::exp(-b);
              },
          .gxy = [](double, double y) { return 2 * (y + 1) * std::exp(-(y + 1) * (y + 1)); },
      },
      {}, {-2, 2}, mirrlees_candidates, {{number(0), number(0)}},
      {at(1, 0.9575040240772688, 1.0018059079696253)});
}

AnalyticInstance lampariello() {
  return on_boxes({
                      .f = [](double x, double y) { return x * x + y * y; },
                      .fx = [](double x, double) { return 2 * x; },
                      .fy = [](double, double y) { return 2 * y; },
                      .g = [](double x, double y) { return (x + y - 1) * (x + y - 1); },
                      .gx = [](double x, double y) { return 2 * (x + y - 1); },
                      .gy = [](double x, double y) { return 2 * (x + y - 1); },
                      .gyy = [](double, double) { return 2.0; },
                      .gxy = [](double, double) { return 2.0; },
                  },
                  {}, {}, [](double x) { return std::vector<double>{1 - x}; },
                  {{number(0), number(0)}}, {at(0.5, 0.5, 0.5)});
}

AnalyticInstance yezza96() {
  return on_boxes({
                      .f = [](double x, double y) { return -(4 * x - 3) * y + 2 * x + 1; },
                      .fx = [](double, double y) { return -4 * y + 2; },
                      .fy = [](double x, double) { return -(4 * x - 3); },
                      .g = [](double x, double y) { return -(1 - 4 * x) * y - 2 * x - 2; },
                      .gx = [](double, double y) { return 4 * y - 2; },
                      .gy = [](double x, double) { return -(1 - 4 * x); },
                      .gyy = [](double, double) { return 0.0; },
                      .gxy = [](double, double) { return 4.0; },
                  },
                  {0, 1}, {0, 1}, [](double) { return std::vector<double>{}; },
                  {{number(0.5), number(0.5)}}, {at(0.25, 0, 1.5)});
}

}  // namespace

std::vector<AnalyticEntry> box_entries() {
  const std::string test_set = "box-constrained test set of Mitsos and Barton";
  const std::string squares = "  |x|, |y| <= 1";
  const auto mb = [&](const char* name, const char* formula,
                      std::function<AnalyticInstance()> make) {
    return fixed_entry(name, test_set, formula + squares, std::move(make));
  };
  return {
      mb("mb12", "f = -x + x y + 10 y^2;  g = -x y^2 + y^4 / 2;", mb12),
      mb("mb14", "f = (x - .25)^2 + y^2;  g = y^3 / 3 - x y;", mb14),
      mb("mb16", "f = 2x + y;  g = -x y^2 / 2 - y^4 / 4;", mb16),
      mb("mb17", "f = (x + .5)^2 + y^2 / 2;  g = x y^2 / 2 + y^4 / 4;", mb17),
      mb("mb18", "f = -x^2 + y^2;  g = x y^2 - y^4 / 2;", mb18),
      mb("mb18v", "f = x^2 + y^2;  g = x y^2 - y^4 / 2;", mb18v),
      mb("mb20", "f = (x - .25)^2 + y^2;  g = -x^2 y + y^3 / 3;", mb20),
      mb("mb21",
         "f = (x + .6)^2 + y^2;  g = y^4 + (4/30)(1 - x) y^3 + (-.02 x^2 + .16 x - .4) y^2 + "
         "(.004 x^3 - .036 x^2 + .08 x) y;",
         mb21),
      fixed_entry("mac-hurter", "quadratics with a stiff F",
                  "f = (x - 1)^2 + (y - 1)^2;  "
                  "g = y^2 / 2 + 500 y - 50 x y",
                  mac_hurter),
      fixed_entry("henderson-quandt", "a market of two suppliers",
                  "f = (.5 (x + y) - 95) x;  g = (y + .5 x - 100) y;  0 <= x <= 200, y >= 0",
                  henderson_quandt),
      fixed_entry("mirrlees", "lower solution that jumps at the optimum",
                  "f = (x - 2)^2 + (y - 1)^2;  g = -x e^(-(y + 1)^2) - e^(-(y - 1)^2);  |y| <= 2",
                  mirrlees),
      fixed_entry("lampariello-3.2", "quadratics without constraints",
                  "f = x^2 + y^2;  g = (x + y - 1)^2", lampariello),
      fixed_entry("yezza96", "bilinear, with a tie of the lower level at the optimum",
                  "f = -(4x - 3) y + 2x + 1;  g = -(1 - 4x) y - 2x - 2;  0 <= x, y <= 1", yezza96),
  };
}

}  // namespace echelon::detail

// Instances with formulas for values, derivatives and solutions.

#include <array>
#include <cmath>
#include <numbers>

#include "analytic_entries.hpp"
#include "echelon/core/error.hpp"
#include "echelon/problem/proximal.hpp"

namespace echelon::detail {

namespace {

using std::numbers::pi;

using V = const ConstVector&;

VectorXd zeros(Index size) {
  return VectorXd::Zero(size);
}
VectorXd ones(Index size) {
  return VectorXd::Ones(size);
}

/// Four points of the plane, as columns, and the factors of the squared distances in f and g.
struct Coreset {
  Eigen::Matrix<double, 2, 4> points;
  double f_factor, g_factor;

  static Eigen::Vector2d target() { return {3, -2}; }

  static Eigen::Vector4d softmax(const VectorXd& x) {
    const double largest = x.maxCoeff();
    Eigen::Vector4d weights;
    double total = 0;
    for (Index j = 0; j < 4; ++j) total += weights(j) = std::exp(x(j) - largest);
    return weights / total;
  }
  Eigen::Vector2d mixture(const VectorXd& x) const { return points * softmax(x); }

  /// Of y -> <mixture(x), y>, the gradient in x.
  VectorXd pull_back(const VectorXd& x, const Eigen::Vector2d& y) const {
    const Eigen::Vector4d weights = softmax(x);
    const Eigen::Vector2d mean = points * weights;
    VectorXd result(4);
    for (Index j = 0; j < 4; ++j) result(j) = weights(j) * (points.col(j) - mean).dot(y);
    return result;
  }
};

AnalyticInstance coreset(const Coreset& data, const KnownSolution& solution) {
  AnalyticInstance instance;
  instance.p = 4;
  instance.q = 2;
  const double cf = data.f_factor;
  const double cg = data.g_factor;
  instance.f = [cf](V, V y) { return cf * (y - Coreset::target()).squaredNorm(); };
  instance.fx = [](V, V) -> VectorXd { return zeros(4); };
  instance.fy = [cf](V, V y) -> VectorXd { return 2 * cf * (y - Coreset::target()); };
  instance.g = [=](V x, V y) { return cg * (y - data.mixture(x)).squaredNorm(); };
  instance.gx = [=](V x, V y) -> VectorXd {
    return -2 * cg * data.pull_back(x, y - data.mixture(x));
  };
  instance.gy = [=](V x, V y) -> VectorXd { return 2 * cg * (y - data.mixture(x)); };
  instance.hv = [cg](V, V, V v) -> VectorXd { return 2 * cg * v; };
  instance.jv = [=](V x, V, V v) -> VectorXd { return -2 * cg * data.pull_back(x, v); };
  for (const Eigen::Vector2d& y :
       {Eigen::Vector2d(0, 3), Eigen::Vector2d(-3, 1), Eigen::Vector2d(3.5, -1)}) {
    instance.starts.push_back({zeros(4), y});
  }
  instance.solutions = {solution};
  instance.lower_solution = [data](const VectorXd& x) -> VectorXd { return data.mixture(x); };
  return instance;
}

// F* = 1/10 of the squared distance of the target from the hull: attained on the edge from the
// second to the fourth point only as the other weights vanish.
AnalyticInstance published_coreset() {
  Coreset data{{}, 0.1, 1};
  data.points << 1, 3, -2, -3, 3, 1, 2, -2;
  return coreset(data, {{}, VectorXd{{1.8, 0.4}}, 0.72});
}

// The projection of the target is the second point.
AnalyticInstance vertex_coreset() {
  Coreset data{{}, 0.5, 0.5};
  data.points << 1, 3, -2, -3, 3, 1, 2, 2;
  return coreset(data, {{}, VectorXd{{3.0, 1.0}}, 4.5});
}

/// y = (y1, y2) with y2 free in the lower level.
AnalyticInstance merely_convex(Index d, double start) {
  AnalyticInstance instance;
  instance.p = d;
  instance.q = 2 * d;
  const auto join = [d](const VectorXd& first, const VectorXd& second) {
    VectorXd result(2 * d);
    result << first, second;
    return result;
  };
  instance.f = [d](V x, V y) {
    return 0.5 * (x - y.tail(d)).squaredNorm() + 0.5 * (y.head(d) - ones(d)).squaredNorm();
  };
  instance.fx = [d](V x, V y) -> VectorXd { return x - y.tail(d); };
  instance.fy = [=](V x, V y) -> VectorXd { return join(y.head(d) - ones(d), y.tail(d) - x); };
  instance.g = [d](V x, V y) { return 0.5 * y.head(d).squaredNorm() - x.dot(y.head(d)); };
  instance.gx = [d](V, V y) -> VectorXd { return -y.head(d); };
  instance.gy = [=](V x, V y) -> VectorXd { return join(y.head(d) - x, zeros(d)); };
  instance.hv = [=](V, V, V v) -> VectorXd { return join(v.head(d), zeros(d)); };
  instance.jv = [d](V, V, V v) -> VectorXd { return -v.head(d); };
  instance.starts = {{start * ones(d), start * ones(2 * d)}};
  instance.solutions = {{ones(d), ones(2 * d), 0}};
  instance.lower_solution = [join](const VectorXd& x) { return join(x, x); };
  return instance;
}

// F = 10 |x|, and any y at x = 0.
AnalyticInstance min_max() {
  AnalyticInstance instance = scalar_instance({
      .f = [](double x, double y) { return x * y; },
      .fx = [](double, double y) { return y; },
      .fy = [](double x, double) { return x; },
      .g = [](double x, double y) { return -x * y; },
      .gx = [](double, double y) { return -y; },
      .gy = [](double x, double) { return -x; },
      .gyy = [](double, double) { return 0.0; },
      .gxy = [](double, double) { return -1.0; },
  });
  instance.upper = instance.lower = uniform_box(1, -10, 10);
  instance.starts = {{number(4), number(4)}};
  instance.solutions = {{number(0), {}, 0}};
  instance.lower_solution = [](const VectorXd& x) {
    return number(x(0) > 0 ? 10 : x(0) < 0 ? -10 : 0);
  };
  return instance;
}

// y*(x) = -x. The minimizers are those of F(x) = cos(2 - 4x) / (1 + e^(2 - 4x)) + 1/2 ln((4x - 2)^2
// + 1), to the last digit.
AnalyticInstance pbgd() {
  AnalyticInstance instance = scalar_instance({
      .f =
          [](double x, double y) {
            const double r = 4 * x - 2;
            return std::cos(4 * y + 2) / (1 + std::exp(-r)) + 0.5 * std::log(r * r + 1);
          },
      .fx =
          [](double x, double y) {
            const double r = 4 * x - 2;
            const double e = std::exp(-r);
            return 4 * e * std::cos(4 * y + 2) / ((1 + e) * (1 + e)) + 4 * r / (r * r + 1);
          },
      .fy = [](double x, double y) { return -4 * std::sin(4 * y + 2) / (1 + std::exp(2 - 4 * x)); },
      .g =
          [](double x, double y) {
            const double t = x + y;
            return t * t + x * std::sin(t) * std::sin(t);
          },
      .gx =
          [](double x, double y) {
            const double t = x + y;
            return 2 * t + x * std::sin(2 * t) + std::sin(t) * std::sin(t);
          },
      .gy = [](double x, double y) { return 2 * (x + y) + x * std::sin(2 * (x + y)); },
      .gyy = [](double x, double y) { return 2 + 2 * x * std::cos(2 * (x + y)); },
      .gxy = [](double x,
                double y) { return 2 + 2 * x * std::cos(2 * (x + y)) + std::sin(2 * (x + y)); },
  });
  instance.upper = uniform_box(1, 0, 3);
  for (const double x : {0.2, 1.0, 2.5}) {
    instance.starts.push_back({number(x), number(0.3 - x)});
  }
  constexpr std::array<std::array<double, 2>, 3> minima{{{1.2151454754759206, 0.1999108877004030},
                                                         {0.3823600747669884, 0.4427057224444998},
                                                         {2.8296418000222125, 1.2434582728208743}}};
  for (const auto& [x, value] : minima) {
    instance.solutions.push_back({number(x), number(-x), value});
  }
  instance.lower_solution = [](const VectorXd& x) -> VectorXd { return -x; };
  return instance;
}

/// The element of {-pi/2 + 2 k pi} that is nearest to t, moved by `branch` elements.
double nearest_minimum_of_sine(double t, int branch) {
  return 2 * pi * (std::round((t + pi / 2) / (2 * pi)) + branch) - pi / 2;
}

// Every C of {-pi/2 + 2 k pi} is a branch y = C + c - x of lower minimizers, with one minimizer
// x = ((1 - q) a + q C) / (1 + q) of f on it.
AnalyticInstance sine(Index q) {
  constexpr double a = 2;
  constexpr double c = 2;
  const auto size = static_cast<double>(q);
  AnalyticInstance instance;
  instance.q = q;
  instance.f = [q](V x, V y) {
    return (x(0) - a) * (x(0) - a) + (y - (a + c) * ones(q)).squaredNorm();
  };
  instance.fx = [](V x, V) -> VectorXd { return number(2 * (x(0) - a)); };
  instance.fy = [q](V, V y) -> VectorXd { return 2 * (y - (a + c) * ones(q)); };
  instance.g = [=](V x, V y) {
    double total = 0;
    for (Index i = 0; i < q; ++i) total += std::sin(x(0) + y(i) - c);
    return total;
  };
  instance.gy = [q](V x, V y) -> VectorXd {
    VectorXd result(q);
    for (Index i = 0; i < q; ++i) result(i) = std::cos(x(0) + y(i) - c);
    return result;
  };
  instance.gx = [gy = instance.gy, q](V x, V y) -> VectorXd {
    return number(gy(x, y).dot(ones(q)));
  };
  instance.hv = [=](V x, V y, V v) -> VectorXd {
    VectorXd result(q);
    for (Index i = 0; i < q; ++i) result(i) = -std::sin(x(0) + y(i) - c) * v(i);
    return result;
  };
  instance.jv = [hv = instance.hv, q](V x, V y, V v) -> VectorXd {
    return number(hv(x, y, v).dot(ones(q)));
  };
  for (const double x : {-6.0, 0.0, 3.0}) instance.starts.push_back({number(x), zeros(q)});
  for (const int branch : {0, -1, 1, -2}) {
    const double C = nearest_minimum_of_sine(2 * a, branch);
    const double x = ((1 - size) * a + size * C) / (1 + size);
    instance.solutions.push_back(
        {number(x), (C + c - x) * ones(q), size * (C - 2 * a) * (C - 2 * a) / (1 + size)});
  }
  instance.lower_solution = [q](const VectorXd& x) -> VectorXd {
    return (nearest_minimum_of_sine(x(0) + a, 0) + c - x(0)) * ones(q);
  };
  return instance;
}

// y_i*(x) = soft threshold of a_i = +-1/d at x_i.
AnalyticInstance lasso(Index d) {
  require(d % 2 == 0, ErrorKind::usage, "problem.dimension: ", d,
          " (instance `lasso` has two halves); choose an even number");
  const double size = 1 / static_cast<double>(d);
  VectorXd a = VectorXd::Constant(d, size);
  a.tail(d / 2) *= -1;
  AnalyticInstance instance;
  instance.p = instance.q = d;
  instance.f = [d](V, V y) { return y.dot(ones(d)); };
  instance.fx = [d](V, V) -> VectorXd { return zeros(d); };
  instance.fy = [d](V, V) -> VectorXd { return ones(d); };
  instance.g = [a](V x, V y) { return 0.5 * (y - a).squaredNorm() + x.dot(y.cwiseAbs()); };
  instance.gx = [](V, V y) -> VectorXd { return y.cwiseAbs(); };
  instance.gy = [a](V, V y) -> VectorXd { return y - a; };
  instance.hv = [](V, V, V v) -> VectorXd { return v; };
  instance.jv = [](V, V y, V v) -> VectorXd { return y.cwiseSign().cwiseProduct(v); };
  instance.upper = uniform_box(d, 0, 1);
  instance.prox = [d](double t, const ConstVector& x, Vector y) {
    for (Index i = 0; i < d; ++i) y(i) = soft_threshold(y(i), t * x(i));
  };
  instance.starts = {{0.5 * size * ones(d), zeros(d)}};
  KnownSolution solution{{}, a, -0.5};
  solution.y.head(d / 2).setZero();
  instance.solutions = {solution};
  instance.lower_solution = [a](const VectorXd& x) {
    VectorXd y(a.size());
    for (Index i = 0; i < y.size(); ++i) y(i) = soft_threshold(a(i), x(i));
    return y;
  };
  return instance;
}

}  // namespace

std::vector<AnalyticEntry> closed_form_entries() {
  const std::string bome = "M. Ye et al., NeurIPS 2022, arXiv:2209.08709";
  const std::string meha = "R. Liu et al., ICML 2024, arXiv:2405.09927";
  return {
      fixed_entry("coreset", "weights of four points whose mixture is near a target; " + bome,
                  "f = .1 |y - (3, -2)|^2;  g = |y - sum_j softmax(x)_j p_j|^2", published_coreset),
      fixed_entry("coreset-vertex", "the same with an optimum at one of the points",
                  "f = 1/2 |y - (3, -2)|^2;  g = 1/2 |y - sum_j softmax(x)_j p_j|^2",
                  vertex_coreset),
      fixed_entry("lls", "lower level with a line of minimizers",
                  "f = 1/2 (x - y2)^2 + 1/2 (y1 - 1)^2;  g = 1/2 y1^2 - x y1",
                  [] { return merely_convex(1, 0); }),
      fixed_entry("min-max", "zero-sum game on which gradient steps cycle",
                  "f = x y;  g = -x y;  |x|, |y| <= 10", min_max),
      fixed_entry("pbgd",
                  "F with three local minimizers; H. Shen, T. Chen, ICML 2023, arXiv:2302.05185",
                  "f = cos(4y + 2) / (1 + e^(2 - 4x)) + 1/2 ln((4x - 2)^2 + 1);  "
                  "g = (x + y)^2 + x sin^2(x + y);  0 <= x <= 3",
                  pbgd),
      {"sine",
       "lower level with infinitely many minimizers; R. Liu et al., ICML 2021, "
       "arXiv:2106.07991",
       "f = (x - 2)^2 + |y - 4|^2;  g = sum_i sin(x + y_i - 2)", 1, sine},
      {"merely-convex", "lower level with a subspace of minimizers; " + meha,
       "f = 1/2 |x - y2|^2 + 1/2 |y1 - 1|^2;  g = 1/2 |y1|^2 - x'y1", 10,
       [](Index d) { return merely_convex(d, 0.01); }},
      {"lasso", "nonsmooth lower level with a threshold per coordinate; " + meha,
       "f = sum_i y_i;  g = 1/2 |y - a|^2 + sum_i x_i |y_i|, a_i = +1/d, then -1/d;  0 <= x <= 1",
       20, lasso},
  };
}

}  // namespace echelon::detail

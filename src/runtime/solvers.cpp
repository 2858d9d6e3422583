#include "echelon/runtime/solvers.hpp"

#include <cmath>
#include <deque>

namespace echelon {

namespace {

struct Pair {
  VectorXd step;
  VectorXd change;
  double inverse;  // 1 / <step, change>
};

VectorXd lbfgs_direction(const std::deque<Pair>& pairs, const VectorXd& gradient) {
  VectorXd direction = -gradient;
  if (pairs.empty()) return direction / std::max(1.0, gradient.norm());
  std::vector<double> coefficients(pairs.size());
  for (std::size_t i = pairs.size(); i-- > 0;) {
    coefficients[i] = pairs[i].inverse * pairs[i].step.dot(direction);
    direction -= coefficients[i] * pairs[i].change;
  }
  const Pair& newest = pairs.back();
  direction *= 1 / (newest.inverse * newest.change.squaredNorm());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double beta = pairs[i].inverse * pairs[i].change.dot(direction);
    direction += (coefficients[i] - beta) * pairs[i].step;
  }
  return direction;
}

/// A step t with |slope(t)| <= 0.9 |slope(0)|; the slope of a convex function rises along the
/// direction.
double search(const std::function<double(double)>& slope, double slope_0) {
  double low = 0;
  double slope_low = slope_0;
  double high = 0;
  double slope_high = 0;
  double t = 1;
  for (int trial = 0; trial < 40; ++trial) {
    const double here = slope(t);
    if (std::abs(here) <= 0.9 * std::abs(slope_0)) return t;
    if (here < 0) {
      low = t;
      slope_low = here;
    } else {
      high = t;
      slope_high = here;
    }
    if (high == 0) {
      t *= 2;
    } else {
      const double secant = low - slope_low * (high - low) / (slope_high - slope_low);
      const double margin = 0.1 * (high - low);
      t = std::isfinite(secant) ? std::min(std::max(secant, low + margin), high - margin)
                                : 0.5 * (low + high);
    }
  }
  return t;
}

}  // namespace

SolverResult minimize(const std::function<void(const VectorXd& y, VectorXd& gradient)>& gradient,
                      VectorXd& y, const SolverOptions& options) {
  constexpr std::size_t memory = 20;
  VectorXd g(y.size());
  VectorXd next_g(y.size());
  VectorXd next_y(y.size());
  std::deque<Pair> pairs;
  SolverResult result;
  gradient(y, g);
  const double target = options.tolerance * (1 + g.norm());
  for (;; ++result.iterations) {
    result.residual = g.norm();
    result.converged = result.residual <= target;
    if (result.converged || !std::isfinite(result.residual) ||
        result.iterations == options.iterations)
      return result;
    VectorXd direction = lbfgs_direction(pairs, g);
    if (direction.dot(g) >= 0) {
      pairs.clear();
      direction = lbfgs_direction(pairs, g);
    }
    const auto slope = [&](double t) {
      next_y = y + t * direction;
      gradient(next_y, next_g);
      return direction.dot(next_g);
    };
    search(slope, direction.dot(g));
    const VectorXd step = next_y - y;
    const VectorXd change = next_g - g;
    const double product = step.dot(change);
    if (product > 1e-14 * step.norm() * change.norm()) {
      pairs.push_back({step, change, 1 / product});
      if (pairs.size() > memory) pairs.pop_front();
    } else if (pairs.empty()) {
      return result;  // rounding has taken over
    } else {
      pairs.clear();
    }
    y = next_y;
    g = next_g;
  }
}

SolverResult conjugate_gradient(const std::function<void(const VectorXd& v, VectorXd& hv)>& product,
                                const VectorXd& b, VectorXd& v, const SolverOptions& options) {
  VectorXd hv(v.size());
  product(v, hv);
  VectorXd residual = b - hv;
  VectorXd direction = residual;
  double square = residual.squaredNorm();
  const double target = options.tolerance * (1 + b.norm());
  SolverResult result;
  for (;; ++result.iterations) {
    result.residual = std::sqrt(square);
    result.converged = result.residual <= target;
    if (result.converged || result.iterations == options.iterations) return result;
    product(direction, hv);
    const double curvature = direction.dot(hv);
    if (!(curvature > 0)) return result;
    v += square / curvature * direction;
    residual -= square / curvature * hv;
    const double next = residual.squaredNorm();
    direction = residual + next / square * direction;
    square = next;
  }
}

}  // namespace echelon

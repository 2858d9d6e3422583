#include "curvature.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>

#include "echelon/core/random.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

constexpr Index most_exact = 32;
constexpr int norm_steps = 10;
constexpr int power_steps = 30;
constexpr int most_descents = 10000;
constexpr double push = 0.1;
constexpr std::uint32_t own_stream = 1;  ///< of random samples

VectorXd random_unit_vector(std::uint64_t seed, Index size) {
  Draws draws(seed, Purpose::probe);
  VectorXd vector(size);
  for (Index i = 0; i < size; ++i) vector(i) = draws.normal();
  return vector.normalized();
}

}  // namespace

void SafeguardOptions::visit(OptionVisitor& visitor) {
  visitor("safeguard", safeguard,
          "leave points that are stationary for the lower level but no minimizers of it");
  visitor("safeguard_tolerance", safeguard_tolerance, above(0),
          "residual of the lower level below which its curvature is tested");
  visitor("lower_step", lower_step, above(0),
          "step of descents of the lower level alone; about .5 / L_g");
}

MeanLowerLevel::MeanLowerLevel(const MethodContext& context, const ProductOptions& products)
    : problem_(context.problem),
      network_(context.network),
      products_(context.problem, products),
      q_(context.problem.lower_dimension()),
      y_(q_, network_.agents().count()),
      v_(q_, network_.agents().count()),
      result_(q_, network_.agents().count()) {}

VectorXd MeanLowerLevel::mean(const AgentView& block) {
  VectorXd result;
  network_.mean(block, result);
  return result;
}

VectorXd MeanLowerLevel::gradient(const Sample& sample, const AgentView& x, const VectorXd& y) {
  y_.colwise() = y;
  problem_.grad_g(sample, {{x, y_, nullptr, &result_}});
  return mean(result_);
}

VectorXd MeanLowerLevel::residual(const Sample& sample, const AgentView& x, const VectorXd& y) {
  VectorXd result = gradient(sample, x, y);
  to_lower_residual(problem_.lower_set(), y, result);
  return result;
}

void MeanLowerLevel::descend(const Sample& sample, const AgentView& x, VectorXd& y, double step,
                             double tolerance) {
  const FeasibleSet& set = problem_.lower_set();
  for (int t = 0; t < most_descents; ++t) {
    const VectorXd gy = gradient(sample, x, y);
    VectorXd left = gy;
    to_lower_residual(set, y, left);
    if (left.norm() <= tolerance) return;
    y -= step * gy;
    set.project(y);
  }
}

VectorXd MeanLowerLevel::hessian_times(const Sample& sample, const AgentView& x, const VectorXd& y,
                                       const VectorXd& v) {
  y_.colwise() = y;
  v_.colwise() = v;
  products_(sample, {x, y_, v_, &result_, nullptr});
  return mean(result_);
}

MeanLowerLevel::Curvature MeanLowerLevel::least_curvature(const Sample& sample, const AgentView& x,
                                                          const VectorXd& y, std::uint64_t seed) {
  if (q_ <= most_exact) {
    Eigen::MatrixXd hessian(q_, q_);
    for (Index j = 0; j < q_; ++j) {
      hessian.col(j) = hessian_times(sample, x, y, VectorXd::Unit(q_, j));
    }
    hessian = (0.5 * (hessian + hessian.transpose())).eval();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> pairs(hessian);
    return {pairs.eigenvectors().col(0), pairs.eigenvalues()(0)};
  }
  VectorXd u = random_unit_vector(seed, q_);
  double norm = 0;
  for (int t = 0; t < norm_steps && u.norm() > 0; ++t) {
    u.normalize();
    u = hessian_times(sample, x, y, u);
    norm = std::max(norm, u.norm());
  }
  const double shift = 1.5 * norm;  // the power steps come from below
  u = random_unit_vector(seed, q_);
  for (int t = 0; t < power_steps && norm > 0; ++t) {
    u = (shift * u - hessian_times(sample, x, y, u)).eval();
    u.normalize();
  }
  return {u, u.dot(hessian_times(sample, x, y, u))};
}

void CurvatureSafeguard::operator()(std::uint64_t k) {
  if (!options.safeguard || k == 0 || k % period != 0) return;
  const Sample sample{.iteration = k, .stream = own_stream};
  VectorXd mean = lower.mean(y);
  if (lower.residual(sample, x, mean).norm() > threshold) return;
  const auto [direction, curvature] = lower.least_curvature(sample, x, mean, method_.context.seed);
  const double round_off = 1e-6 * (1 + mean.norm());  // of differences
  if (curvature >= -round_off) return;
  at_mean.colwise() = mean;
  gradient(sample);
  const double slope = direction.dot(lower.mean(fy));
  mean -= (slope < 0 ? -push : push) * direction;
  y.set().project(mean);
  lower.descend(sample, x, mean, options.lower_step, options.safeguard_tolerance);
  at_mean.colwise() = mean;
  y.restart(at_mean);
}

}  // namespace echelon::detail

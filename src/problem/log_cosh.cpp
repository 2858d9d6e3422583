#include "echelon/problem/log_cosh.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include "echelon/problem/catalog.hpp"
#include "published_draws.hpp"

namespace echelon {

namespace {

using Eigen::MatrixXd;

constexpr Index p = 4;
constexpr Index q = 6;
constexpr double cosh_factor = 0.3;
constexpr double x_factor = 0.3;  // f has half of it

double log_cosh(double t) {
  return std::abs(t) + std::log1p(std::exp(-2 * std::abs(t))) - std::numbers::ln2;
}

VectorXd tanh_of(const VectorXd& y) {
  VectorXd result(y.size());
  for (Index j = 0; j < y.size(); ++j) result(j) = std::tanh(y(j));
  return result;
}

/// d2/dy2 of the log-cosh term.
VectorXd cosh_curvature(const VectorXd& y) {
  const VectorXd t = tanh_of(y);
  return cosh_factor * (VectorXd::Ones(y.size()) - t.cwiseProduct(t));
}

LogCoshTerms draw_terms(detail::PublishedDraws& draws) {
  const MatrixXd R = draws.matrix(q, q);
  LogCoshTerms terms;
  terms.A = 0.5 * MatrixXd::Identity(q, q) + R * R.transpose() / 6;
  terms.C = 0.5 * draws.matrix(p, q);
  terms.a = draws.matrix(q, 1);
  terms.t = 2 * draws.matrix(q, 1);
  terms.s = 2 * draws.matrix(p, 1);
  terms.constant = 0.5 * terms.t.squaredNorm() + 0.5 * x_factor * terms.s.squaredNorm();
  return terms;
}

LogCoshTerms mean_of(const std::vector<LogCoshTerms>& all) {
  LogCoshTerms mean{MatrixXd::Zero(q, q), MatrixXd::Zero(p, q), VectorXd::Zero(q),
                    VectorXd::Zero(q),    VectorXd::Zero(p),    0};
  const auto n = static_cast<double>(all.size());
  for (const LogCoshTerms& one : all) {
    mean.A += one.A / n;
    mean.C += one.C / n;
    mean.a += one.a / n;
    mean.t += one.t / n;
    mean.s += one.s / n;
    mean.constant += one.constant / n;
  }
  return mean;
}

double upper_value(const LogCoshTerms& terms, const VectorXd& x, const VectorXd& y) {
  return 0.5 * y.squaredNorm() - terms.t.dot(y) +
         x_factor * (0.5 * x.squaredNorm() - terms.s.dot(x)) + terms.constant;
}

// Each Newton step shrinks the error to at most 3/5 of it: the derivative of the map lies between A
// and A + .3 I, and A is at least I/2. So it ends from any start, and quadratically.
VectorXd solve_lower(const LogCoshTerms& terms, const VectorXd& x) {
  VectorXd y = VectorXd::Zero(q);
  const VectorXd linear = terms.C.transpose() * x + terms.a;
  for (int step = 0; step < 100; ++step) {
    const VectorXd gradient = terms.A * y + linear + cosh_factor * tanh_of(y);
    MatrixXd hessian = terms.A;
    hessian.diagonal() += cosh_curvature(y);
    const VectorXd change = hessian.llt().solve(gradient);
    y -= change;
    if (change.norm() <= 1e-15 * (1 + y.norm())) break;
  }
  return y;
}

/// F, its gradient, and its Hessian with what may make it indefinite cut off.
struct Hyperobjective {
  double value = 0;
  VectorXd gradient = VectorXd::Zero(p);
  MatrixXd hessian = MatrixXd::Zero(p, p);
};

// With Y = dy*/dx = -H^-1 C', v = H^-1 fy and D = diag of d3g/dy3, the gradient is fx + Y'fy and
// the Hessian .3 I + Y'(I - diag(v) D) Y.
void add_response(const LogCoshTerms& terms, const VectorXd& x, double weight,
                  Hyperobjective& sum) {
  const VectorXd y = solve_lower(terms, x);
  const VectorXd curvature = cosh_curvature(y);
  MatrixXd H = terms.A;
  H.diagonal() += curvature;
  const Eigen::LLT<MatrixXd> factor(H);
  const MatrixXd Y = -factor.solve(terms.C.transpose());
  const VectorXd fy = y - terms.t;
  const VectorXd v = factor.solve(fy);
  const VectorXd third = -2 * curvature.cwiseProduct(tanh_of(y));
  const VectorXd bend = (VectorXd::Ones(q) - v.cwiseProduct(third)).cwiseMax(0.0);
  sum.value += weight * upper_value(terms, x, y);
  sum.gradient += weight * (x_factor * (x - terms.s) + Y.transpose() * fy);
  sum.hessian +=
      weight * (x_factor * MatrixXd::Identity(p, p) + Y.transpose() * bend.asDiagonal() * Y);
}

Hyperobjective hyperobjective(std::span<const LogCoshTerms> groups, const VectorXd& x) {
  Hyperobjective sum;
  for (const LogCoshTerms& terms : groups) {
    add_response(terms, x, 1 / static_cast<double>(groups.size()), sum);
  }
  return sum;
}

/// Newton's method with halved steps while F does not fall; `groups` are lower levels of their own.
KnownSolution minimize_F(std::span<const LogCoshTerms> groups) {
  VectorXd x = VectorXd::Zero(p);
  Hyperobjective here = hyperobjective(groups, x);
  for (int step = 0; step < 200; ++step) {
    VectorXd change = -here.hessian.llt().solve(here.gradient);
    if (change.norm() <= 1e-15 * (1 + x.norm())) break;
    Hyperobjective next = hyperobjective(groups, x + change);
    // Rounding alone may raise F by as much at the minimizer.
    while (next.value > here.value + 1e-13 * std::abs(here.value)) {
      change /= 2;
      next = hyperobjective(groups, x + change);
    }
    x += change;
    here = next;
  }
  return {x, {}, here.value};
}

}  // namespace

void LogCoshOptions::visit(OptionVisitor& visitor) {
  visitor("noise", noise, at_least(0),
          "standard deviation of Gaussian noise on each gradient entry");
}

LogCosh::LogCosh(AgentSet agents, const LogCoshOptions& options, std::uint64_t seed)
    : BilevelProblem(std::move(agents)), noise_(options.noise, seed) {
  detail::PublishedDraws draws;
  for (AgentId agent = 0; agent < this->agents().total; ++agent) {
    terms_.push_back(draw_terms(draws));
  }
  mean_ = mean_of(terms_);
}

Index LogCosh::upper_dimension() const {
  return p;
}
Index LogCosh::lower_dimension() const {
  return q;
}

double LogCosh::value(Level level, int local, const Sample&, const ConstVector& x,
                      const ConstVector& y) const {
  const LogCoshTerms& own = terms(local);
  if (level == Level::upper) {
    return 0.5 * (y - own.t).squaredNorm() + 0.5 * x_factor * (x - own.s).squaredNorm();
  }
  double sum = 0;
  for (Index j = 0; j < q; ++j) sum += log_cosh(y(j));
  return 0.5 * y.dot(own.A * y) + x.dot(own.C * y) + own.a.dot(y) + cosh_factor * sum;
}

void LogCosh::gradient(Level level, int local, const Sample& sample,
                       std::span<const AgentPoint> points) const {
  const LogCoshTerms& own = terms(local);
  const AgentId agent = agents().local[static_cast<std::size_t>(local)];
  for (AgentPoint point : points) {
    if (level == Level::upper) {
      if (point.wants_gx()) point.gx = x_factor * (point.x - own.s);
      if (point.wants_gy()) point.gy = point.y - own.t;
    } else {
      if (point.wants_gx()) point.gx.noalias() = own.C * point.y;
      if (point.wants_gy()) {
        point.gy.noalias() = own.A * point.y;
        point.gy.noalias() += own.C.transpose() * point.x;
        point.gy += own.a + cosh_factor * tanh_of(point.y);
      }
    }
    noise_.add(level, agent, sample, point.gx, point.gy, q);
  }
}

void LogCosh::product(int local, const Sample&, const AgentProduct& product) const {
  const LogCoshTerms& own = terms(local);
  AgentProduct at = product;
  if (at.wants_hv()) {
    at.hv.noalias() = own.A * at.v;
    at.hv += cosh_curvature(at.y).cwiseProduct(at.v);
  }
  if (at.wants_jv()) at.jv.noalias() = own.C * at.v;
}

std::vector<KnownSolution> LogCosh::known_solutions(bool personal) const {
  if (personal) return {minimize_F(terms_)};
  KnownSolution solution = minimize_F({&mean_, 1});
  solution.y = solve_lower(mean_, solution.x);
  return {solution};
}

std::optional<VectorXd> LogCosh::lower_solution(const VectorXd& x) const {
  return solve_lower(mean_, x);
}

namespace detail {

std::vector<ProblemEntry> log_cosh_parts() {
  return {problem_part<LogCosh, LogCoshOptions>(
      {.name = "log-cosh",
       .summary = "fixed heterogeneous agents, quadratics with a log-cosh term",
       .formula = "g_i = 1/2 y'A_i y + x'C_i y + a_i'y + .3 sum_j log cosh y_j;  "
                  "f_i = 1/2 |y - t_i|^2 + .15 |x - s_i|^2;  p = 4, q = 6"})};
}

}  // namespace detail

}  // namespace echelon

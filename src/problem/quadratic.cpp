#include "echelon/problem/quadratic.hpp"

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <cmath>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"

namespace echelon {

namespace {

// Iteration numbers of the draws that make up an instance.
enum Part : std::uint64_t {
  spectrum_basis,
  coupling,
  own_curvature,
  own_coupling,
  offsets,
  common_offsets
};

/// Beyond this many upper unknowns the closed form is not evaluated: its matrix is dense.
constexpr Index most_solved = 3000;

Eigen::MatrixXd normal_matrix(Draws draws, Index rows, Index columns) {
  Eigen::MatrixXd matrix(rows, columns);
  for (Index c = 0; c < columns; ++c) {
    for (Index r = 0; r < rows; ++r) matrix(r, c) = draws.normal();
  }
  return matrix;
}

/// Gaussian, scaled so that the largest singular value is about 1.
Eigen::MatrixXd unit_gaussian(const Draws& draws, Index rows, Index columns) {
  const double scale =
      std::sqrt(static_cast<double>(rows)) + std::sqrt(static_cast<double>(columns));
  return normal_matrix(draws, rows, columns) / scale;
}

VectorXd normal_vector(Draws& draws, Index size) {
  VectorXd vector(size);
  for (Index i = 0; i < size; ++i) vector(i) = draws.normal();
  return vector;
}

}  // namespace

void QuadraticOptions::visit(OptionVisitor& visitor) {
  visitor("upper_dimension", upper_dimension, between(1, 1e6), "p, length of x");
  visitor("lower_dimension", lower_dimension, between(1, 1e4), "q, length of y");
  visitor("heterogeneity", heterogeneity, at_least(0),
          "how far the agents' objectives lie apart; 0 = all equal");
  visitor("condition", condition, at_least(1),
          "condition number of the common lower-level Hessian");
  visitor.choice(
      "matrices", matrices, {"own", "shared"},
      "whether agents have matrices of their own, or share them and differ by offsets only");
  visitor("noise", noise, at_least(0),
          "standard deviation of Gaussian noise on each gradient entry");
}

void PqOptions::visit(OptionVisitor& visitor) {
  visitor("dimension", dimension, between(1, 1e4), "length of x and of y");
  visitor("heterogeneity", heterogeneity, at_least(0),
          "size of linear perturbations with zero mean over the agents");
  visitor("noise", noise, at_least(0),
          "standard deviation of Gaussian noise on each gradient entry");
}

Quadratic::Quadratic(AgentSet agents, const QuadraticOptions& options, std::uint64_t seed)
    : BilevelProblem(std::move(agents)),
      p_(options.upper_dimension),
      q_(options.lower_dimension),
      seed_(seed),
      heterogeneity_(options.heterogeneity),
      noise_(options.noise, seed),
      own_matrices_(options.matrices == "own"),
      F_(Eigen::MatrixXd::Identity(q_, q_)),
      h_(0.5) {
  const Eigen::MatrixXd basis =
      Eigen::HouseholderQR<Eigen::MatrixXd>(
          normal_matrix(Draws(seed_, Purpose::problem_data, 0, spectrum_basis), q_, q_))
          .householderQ();
  VectorXd spectrum(q_);
  for (Index i = 0; i < q_; ++i) {
    const double position = q_ == 1 ? 1.0 : static_cast<double>(i) / static_cast<double>(q_ - 1);
    spectrum(i) = std::pow(options.condition, position - 1);
  }
  base_.A = basis * spectrum.asDiagonal() * basis.transpose();
  base_.A = (0.5 * (base_.A + base_.A.transpose())).eval();
  base_.C =
      unit_gaussian(Draws(seed_, Purpose::problem_data, 0, coupling), p_, q_) / options.condition;
  for (const AgentId agent : this->agents().local) {
    if (own_matrices_) matrices_.push_back(make_matrices(agent));
    terms_.push_back(make_terms(agent));
  }
  if (!own_matrices_) matrices_.push_back(base_);
}

Quadratic::Quadratic(AgentSet agents, const PqOptions& options, std::uint64_t seed)
    : BilevelProblem(std::move(agents)),
      p_(options.dimension),
      q_(options.dimension),
      seed_(seed),
      heterogeneity_(options.heterogeneity),
      noise_(options.noise, seed),
      is_pq_(true) {
  base_.A = VectorXd::LinSpaced(q_, 0.5, 2.0).asDiagonal();
  base_.C = -Eigen::MatrixXd::Identity(p_, q_);
  F_ = base_.A;
  const AgentId n = this->agents().total;
  mean_delta_a_ = mean_delta_u_ = VectorXd::Zero(q_);
  mean_delta_w_ = VectorXd::Zero(p_);
  VectorXd sum_a = mean_delta_a_, sum_u = mean_delta_u_, sum_w = mean_delta_w_;
  for (AgentId agent = 0; agent < n; ++agent) {
    const QuadraticTerms terms = make_terms(agent);
    sum_a += terms.a;
    sum_u += terms.u;
    sum_w += terms.w.array().matrix() + VectorXd::Ones(p_);
  }
  mean_delta_a_ = sum_a / n;
  mean_delta_u_ = sum_u / n;
  mean_delta_w_ = sum_w / n;
  for (const AgentId agent : this->agents().local) terms_.push_back(make_terms(agent));
  matrices_.push_back(base_);
}

QuadraticMatrices Quadratic::make_matrices(AgentId agent) const {
  if (!own_matrices_) return base_;
  const double h = heterogeneity_;
  const Eigen::MatrixXd root =
      unit_gaussian(Draws(seed_, Purpose::problem_data, agent, own_curvature), q_, q_);
  const Eigen::MatrixXd other =
      unit_gaussian(Draws(seed_, Purpose::problem_data, agent, own_coupling), p_, q_);
  const double scale = 1 / (1 + h);  // keeps the largest eigenvalue near 1
  const Eigen::MatrixXd curvature = root * root.transpose();
  return {scale * (base_.A + 0.5 * h * (curvature + curvature.transpose())),
          scale * (base_.C +
                   h * base_.C.norm() / std::sqrt(static_cast<double>(std::min(p_, q_))) * other)};
}

QuadraticTerms Quadratic::make_terms(AgentId agent) const {
  Draws own(seed_, Purpose::problem_data, agent, offsets);
  QuadraticTerms terms;
  if (is_pq_) {
    terms.a = heterogeneity_ * normal_vector(own, q_) - mean_delta_a_;
    terms.u = heterogeneity_ * normal_vector(own, q_) - mean_delta_u_;
    terms.w = heterogeneity_ * normal_vector(own, p_) - mean_delta_w_ - VectorXd::Ones(p_);
    terms.c = 0.5 * static_cast<double>(p_);  // of 1/2 |x - 1|^2
    return terms;
  }
  Draws common(seed_, Purpose::problem_data, 0, common_offsets);
  const VectorXd a = normal_vector(common, q_) + heterogeneity_ * normal_vector(own, q_);
  const VectorXd t = normal_vector(common, q_) + heterogeneity_ * normal_vector(own, q_);
  const VectorXd s = normal_vector(common, p_) + heterogeneity_ * normal_vector(own, p_);
  terms.a = a;
  terms.u = -t;
  terms.w = -h_ * s;
  terms.c = 0.5 * t.squaredNorm() + 0.5 * h_ * s.squaredNorm();
  return terms;
}

double Quadratic::value(Level level, int local, const Sample&, const ConstVector& x,
                        const ConstVector& y) const {
  const QuadraticTerms& terms = terms_[static_cast<std::size_t>(local)];
  if (level == Level::upper) {
    return 0.5 * y.dot(F_ * y) + terms.u.dot(y) + 0.5 * h_ * x.squaredNorm() + terms.w.dot(x) +
           terms.c;
  }
  const QuadraticMatrices& own = matrices(local);
  return 0.5 * y.dot(own.A * y) + x.dot(own.C * y) + terms.a.dot(y);
}

void Quadratic::gradient(Level level, int local, const Sample& sample,
                         std::span<const AgentPoint> points) const {
  const QuadraticTerms& terms = terms_[static_cast<std::size_t>(local)];
  const QuadraticMatrices& own = matrices(local);
  for (AgentPoint point : points) {
    if (level == Level::upper) {
      if (point.wants_gx()) point.gx = h_ * point.x + terms.w;
      if (point.wants_gy()) {
        point.gy.noalias() = F_ * point.y;
        point.gy += terms.u;
      }
    } else {
      if (point.wants_gx()) point.gx.noalias() = own.C * point.y;
      if (point.wants_gy()) {
        point.gy.noalias() = own.A * point.y;
        point.gy.noalias() += own.C.transpose() * point.x;
        point.gy += terms.a;
      }
    }
    noise_.add(level, agents().local[static_cast<std::size_t>(local)], sample, point.gx, point.gy,
               q_);
  }
}

void Quadratic::product(int local, const Sample&, const AgentProduct& product) const {
  const QuadraticMatrices& own = matrices(local);
  Vector hv = product.hv;
  Vector jv = product.jv;
  if (product.wants_hv()) hv.noalias() = own.A * product.v;
  if (product.wants_jv()) jv.noalias() = own.C * product.v;
}

// With y_i(x) = M_i x + b_i the upper objective is quadratic: (mean M'FM + H) x = - mean (M'(F b +
// u) + w). A shared lower level has one M = -A^-1 C' and b = -A^-1 a from the means.
std::vector<KnownSolution> Quadratic::known_solutions(bool personal) const {
  if (p_ > most_solved) return {};
  const AgentId n = agents().total;
  Eigen::MatrixXd A = Eigen::MatrixXd::Zero(q_, q_);
  Eigen::MatrixXd C = Eigen::MatrixXd::Zero(p_, q_);
  Eigen::MatrixXd hessian = Eigen::MatrixXd::Zero(p_, p_);
  VectorXd right = VectorXd::Zero(p_);
  QuadraticTerms mean{VectorXd::Zero(q_), VectorXd::Zero(q_), VectorXd::Zero(p_), 0};
  const auto add = [&](const Eigen::MatrixXd& M, const VectorXd& b, const VectorXd& u,
                       double weight) {
    hessian += weight * M.transpose() * F_ * M;
    right -= weight * M.transpose() * (F_ * b + u);
  };
  Eigen::LLT<Eigen::MatrixXd> factor(base_.A);
  Eigen::MatrixXd M = -factor.solve(base_.C.transpose());
  for (AgentId agent = 0; agent < n; ++agent) {
    const QuadraticTerms terms = make_terms(agent);
    mean.a += terms.a / n;
    mean.u += terms.u / n;
    mean.w += terms.w / n;
    mean.c += terms.c / n;
    if (own_matrices_) {
      const QuadraticMatrices own = make_matrices(agent);
      A += own.A / n;
      C += own.C / n;
      if (personal) {
        factor.compute(own.A);
        M = -factor.solve(own.C.transpose());
      }
    }
    if (personal) add(M, -factor.solve(terms.a), terms.u, 1.0 / n);
  }
  if (!personal) {
    factor.compute(own_matrices_ ? A : base_.A);
    M = -factor.solve((own_matrices_ ? C : base_.C).transpose());
    add(M, -factor.solve(mean.a), mean.u, 1.0);
  }
  hessian.diagonal().array() += h_;
  KnownSolution solution;
  solution.x = hessian.llt().solve(right - mean.w);
  if (personal) return {solution};
  solution.y = M * solution.x - factor.solve(mean.a);
  solution.value = 0.5 * solution.y.dot(F_ * solution.y) + mean.u.dot(solution.y) +
                   0.5 * h_ * solution.x.squaredNorm() + mean.w.dot(solution.x) + mean.c;
  return {solution};
}

std::int64_t Quadratic::data_bytes() const {
  Index numbers = F_.size();
  for (const QuadraticMatrices& own : matrices_) numbers += own.A.size() + own.C.size();
  for (const QuadraticTerms& own : terms_) numbers += own.a.size() + own.u.size() + own.w.size();
  return static_cast<std::int64_t>(numbers) * static_cast<std::int64_t>(sizeof(double));
}

namespace detail {

std::vector<ProblemEntry> quadratic_parts() {
  return {
      problem_part<Quadratic, QuadraticOptions>(
          {.name = "quadratic",
           .summary = "random quadratics with a closed-form solution, heterogeneous by a parameter",
           .formula =
               "g_i = 1/2 y'A_i y + x'C_i y + a_i'y;  f_i = 1/2 |y - t_i|^2 + 1/4 |x - s_i|^2"}),
      problem_part<Quadratic, PqOptions>(
          {.name = "p-q",
           .summary = "one quadratic with x* = A (A + I)^-1 1, for checking methods",
           .formula = "g = 1/2 y'A y - x'y;  f = 1/2 |x - 1|^2 + 1/2 y'A y;  A = diag(linspace(.5, "
                      "2, d))"})};
}

}  // namespace detail

}  // namespace echelon

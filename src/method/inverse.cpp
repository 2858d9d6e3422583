#include "inverse.hpp"

#include <vector>

#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"

namespace echelon::detail {

namespace {

constexpr double relative_residual = 1e-14;  // of conjugate gradients, where they stop

ConstVector column(const AgentView& block, int i) {
  return {block.data() + i * block.outerStride(), block.rows()};
}

/// v <- (diag(d) + 1/N sum_b g_b g_b')^-1 v by the Sherman-Morrison recursion over b, M_0 = 1/d:
///
///     M_b = M_{b-1} - k_b k_b' / (N + g_b' k_b),    k_b = M_{b-1} g_b
///
/// with the k_b kept in place of matrices: O(N^2 q) operations, N q numbers. Infinite where d is 0.
void apply_inverse(const HessianFactors& hessian, double damping, Eigen::Ref<VectorXd> v) {
  const VectorXd diagonal = hessian.diagonal.array() + damping;
  const auto count = static_cast<double>(hessian.factors.cols());
  Eigen::MatrixXd kept(hessian.factors.rows(), hessian.factors.cols());
  VectorXd weights(hessian.factors.cols());
  const auto apply_first = [&](Index terms, Eigen::Ref<VectorXd> u) {
    const VectorXd original = u;
    u = u.cwiseQuotient(diagonal);
    for (Index b = 0; b < terms; ++b) u -= weights(b) * kept.col(b).dot(original) * kept.col(b);
  };
  for (Index b = 0; b < kept.cols(); ++b) {
    kept.col(b) = hessian.factors.col(b);
    apply_first(b, kept.col(b));
    weights(b) = 1 / (count + hessian.factors.col(b).dot(kept.col(b)));
  }
  apply_first(kept.cols(), v);
}

}  // namespace

InverseHessian::InverseHessian(MethodBase& method, const InverseOptions& options,
                               const Products& products, const AgentView& x, const AgentView& y)
    : method_(method),
      options_(options),
      x_(x),
      y_(y),
      mean_(method.context, options.alone),
      direction_(method.q, method.m),
      hd_(hessian_times(products, x, y, direction_)),
      product_(method, {&hd_}),
      solution_(method.q, method.m) {
  if (options.by_factors()) require_factors();
}

void InverseHessian::require_factors() const {
  BilevelProblem& problem = method_.problem;
  require(!problem.is_regularized(), ErrorKind::usage,
          "method.inverse = woodfisher with problem.tikhonov: the problem gives the factors of H "
          "without the regularization; choose cg");
  if (method_.m == 0) return;
  const VectorXd x = problem.start_x();
  const VectorXd y = problem.start_y();
  const auto factors = problem.hessian_factors(0, {x.data(), x.size()}, {y.data(), y.size()});
  require(factors.has_value(), ErrorKind::usage,
          "method.inverse = woodfisher: this problem gives no factors of its Hessian; choose cg or "
          "neumann");
}

void InverseHessian::operator()(const Evaluation& call, AgentView& v) {
  if (options_.inverse == "cg") {
    conjugate_gradients(call, v);
  } else if (options_.inverse == "neumann") {
    neumann(call, v);
  } else if (options_.by_factors()) {
    woodfisher(call, v);
  } else {
    v *= options_.eta;
  }
}

// An agent stops where curvature is not positive or the residual is small, by d = 0; its products
// are free then. Means go on, since ranks without agents cannot know.
void InverseHessian::conjugate_gradients(const Evaluation& call, AgentView& v) {
  AgentView& residual = v;
  std::vector<double> goal, square;
  for (Index i = 0; i < v.cols(); ++i) {
    square.push_back(residual.col(i).squaredNorm());
    goal.push_back(relative_residual * relative_residual * square.back());
  }
  direction_.copy_from(residual);
  solution_.setZero();
  for (std::int64_t t = 0; t < options_.solver_steps; ++t) {
    product_(call);
    mean_(hd_);
    parallel_for(method_.m, [&](int i) {
      const auto place = static_cast<std::size_t>(i);
      auto d = direction_.col(i);
      auto hd = hd_.col(i);
      hd += options_.damping * d;
      const double curvature = d.dot(hd);
      if (!(curvature > 0)) {
        d.setZero();
        return;
      }
      const double step = square[place] / curvature;
      solution_.col(i) += step * d;
      residual.col(i) -= step * hd;
      const double next = residual.col(i).squaredNorm();
      d = residual.col(i) + next / square[place] * d;
      square[place] = next;
      if (next <= goal[place]) d.setZero();
    });
  }
  v = solution_;
}

/// d <- d - eta H d from d = v on; v <- eta times the sum of all d, or times Q and a random one.
void InverseHessian::neumann(const Evaluation& call, AgentView& v) {
  const Sample sample = call.sample();
  const auto terms = static_cast<std::uint64_t>(options_.solver_steps);
  std::uint64_t last = terms;
  if (options_.is_random()) {
    Draws draws(method_.context.seed, Purpose::truncation, 0, sample.iteration, sample.step);
    last = draws.below(terms);
  }
  direction_.copy_from(v);
  for (std::uint64_t j = 1; j <= last; ++j) {
    Sample own = sample;
    own.stream += static_cast<std::uint32_t>(j);
    product_(call.with(own));
    mean_(hd_);
    direction_ -= options_.eta * hd_;
    if (!options_.is_random()) v += direction_;
  }
  if (options_.is_random()) v = direction_;
  v *= options_.is_random() ? static_cast<double>(terms) * options_.eta : options_.eta;
}

void InverseHessian::woodfisher(const Evaluation& call, AgentView& v) {
  const AgentView &x = call.at(x_), &y = call.at(y_);
  parallel_for(method_.m, [&](int i) {
    const auto factors = method_.problem.hessian_factors(i, column(x, i), column(y, i));
    apply_inverse(factors.value(), options_.damping, v.col(i));
  });
  mean_(v);
}

}  // namespace echelon::detail

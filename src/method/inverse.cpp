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

InverseHessian::InverseHessian(const MethodContext& context, const InverseOptions& options,
                               Products products)
    : problem_(context.problem),
      options_(options),
      products_(products),
      mean_(context, options.alone),
      seed_(context.seed),
      solution_(problem_.lower_dimension(), context.network.agents().count()),
      direction_(problem_.lower_dimension(), context.network.agents().count()),
      hv_(problem_.lower_dimension(), context.network.agents().count()) {
  if (!options.by_factors()) return;
  require(!problem_.is_regularized(), ErrorKind::usage,
          "method.inverse = woodfisher with problem.tikhonov: the problem gives the factors of H "
          "without the regularization; choose cg");
  if (context.network.agents().count() == 0) return;
  const VectorXd x = problem_.start_x();
  const VectorXd y = problem_.start_y();
  const auto factors = problem_.hessian_factors(0, {x.data(), x.size()}, {y.data(), y.size()});
  require(factors.has_value(), ErrorKind::usage,
          "method.inverse = woodfisher: this problem gives no factors of its Hessian; choose cg or "
          "neumann");
}

void InverseHessian::apply(const Sample& sample, const AgentView& x, const AgentView& y,
                           AgentMatrix& v) {
  if (options_.inverse == "cg") {
    conjugate_gradients(sample, x, y, v);
  } else if (options_.inverse == "neumann") {
    neumann(sample, x, y, v);
  } else if (options_.by_factors()) {
    woodfisher(x, y, v);
  } else {
    v *= options_.eta;
  }
}

// An agent stops where curvature is not positive or the residual is small, by d = 0; its products
// are free then. Means go on, since ranks without agents cannot know.
void InverseHessian::conjugate_gradients(const Sample& sample, const AgentView& x,
                                         const AgentView& y, AgentMatrix& v) {
  AgentMatrix& residual = v;
  std::vector<double> goal, square;
  for (Index i = 0; i < v.cols(); ++i) {
    square.push_back(residual.col(i).squaredNorm());
    goal.push_back(relative_residual * relative_residual * square.back());
  }
  direction_.copy_from(residual);
  solution_.setZero();
  for (std::int64_t t = 0; t < options_.solver_steps; ++t) {
    products_(sample, {x, y, direction_, &hv_, nullptr});
    mean_(hv_);
    parallel_for(static_cast<int>(v.cols()), [&](int i) {
      const auto place = static_cast<std::size_t>(i);
      auto d = direction_.col(i);
      auto hd = hv_.col(i);
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
  v.copy_from(solution_);
}

void InverseHessian::neumann(const Sample& sample, const AgentView& x, const AgentView& y,
                             AgentMatrix& v) {
  if (options_.truncation == "random") {
    const auto terms = static_cast<std::uint64_t>(options_.solver_steps);
    const auto last = static_cast<std::int64_t>(
        Draws(seed_, Purpose::truncation, 0, sample.iteration, sample.step).below(terms));
    for (std::int64_t j = 1; j <= last; ++j) neumann_step(sample, j, x, y, v);
    v *= static_cast<double>(terms) * options_.eta;
    return;
  }
  direction_.copy_from(v);
  for (std::int64_t j = 1; j <= options_.solver_steps; ++j) {
    neumann_step(sample, j, x, y, direction_);
    v += direction_;
  }
  v *= options_.eta;
}

/// u <- u - eta H u
void InverseHessian::neumann_step(const Sample& sample, std::int64_t j, const AgentView& x,
                                  const AgentView& y, AgentMatrix& u) {
  Sample own = sample;
  own.stream += static_cast<std::uint32_t>(j);
  products_(own, {x, y, u, &hv_, nullptr});
  mean_(hv_);
  u -= options_.eta * hv_;
}

void InverseHessian::woodfisher(const AgentView& x, const AgentView& y, AgentMatrix& v) {
  parallel_for(static_cast<int>(v.cols()), [&](int i) {
    const auto factors = problem_.hessian_factors(i, column(x, i), column(y, i));
    apply_inverse(factors.value(), options_.damping, v.col(i));
  });
  mean_(v);
}

}  // namespace echelon::detail

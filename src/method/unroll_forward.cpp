#include <algorithm>
#include <cmath>

#include "entries.hpp"
#include "unroll.hpp"

namespace echelon::detail {

namespace {

struct ForwardOptions : UnrollOptions {
  double difference_step = 6e-6;

  void visit(OptionVisitor& visitor) {
    UnrollOptions::visit(visitor);
    visitor("difference_step", difference_step, above(0),
            "width of differences along (e_j, s_j): step (1 + max(|x|, |y|)) / |(e_j, s_j)|");
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    const double from_x = start_at_x ? 1 : 0;
    return {.y_steps = 0,
            .p_exact = from_x,
            .q_exact = steps + from_x,
            .gradients = steps + 1,
            .per_x = {.gradients = 2 * steps, .q_exact = steps}};
  }
};

/// Forward mode: S_t = dy_t / dx, q x p, is carried along with y_t, one column s_j = S e_j after
/// the other.
///
///     for t = 0 .. T-1:   s_j <- P' (s_j - beta mean (H s_j + J e_j)),   j = 1 .. p
///                         y_{t+1} = P(y_t - beta mean grad_y g(x, y_t))
///     D = grad_x f(x, y_T) + S_T' grad_y f(x, y_T)
///
/// with J = d2g/dydx. H s_j + J e_j is the derivative of grad_y g along (e_j, s_j), by central
/// differences. S starts at 0, or at I where y starts at x.
class ForwardUnroll final : public Unroll {
 public:
  ForwardUnroll(const MethodContext& context, const ForwardOptions& options)
      : Unroll(context, options),
        options_(options),
        fy_(q_, m_),
        x_ahead_(p_, m_),
        x_behind_(p_, m_),
        y_ahead_(q_, m_),
        y_behind_(q_, m_),
        gy_ahead_(q_, m_),
        gy_behind_(q_, m_),
        gy_(q_, m_),
        before_(q_, m_) {
    for (Index j = 0; j < p_; ++j) columns_.emplace_back(q_, m_);
  }

 private:
  void differentiate(const Sample& sample, double beta, const AgentView& x, AgentView& y,
                     AgentView& direction) override {
    for (Index j = 0; j < p_; ++j) {
      column(j).setZero();
      if (options_.start_at_x) column(j).row(j).setOnes();
    }
    for (std::int64_t t = 0; t < options_.inner_steps; ++t) {
      const Sample drawn = at_step(sample, t);
      problem_.grad_g(drawn, {{x, y, nullptr, &gy_}});
      for (Index j = 0; j < p_; ++j) {
        differentiate_along(drawn, j, x, y);
        average(gy_ahead_);
        column(j) -= beta * gy_ahead_;
      }
      advance(beta, gy_, y, before_);
      for (AgentMatrix& each : columns_) apply_projection_derivative(before_, each);
    }
    problem_.grad_f(at_step(sample, options_.inner_steps), {{x, y, &direction, &fy_}});
    parallel_for(m_, [&](int i) {
      for (Index j = 0; j < p_; ++j) direction(j, i) += column(j).col(i).dot(fy_.col(i));
    });
  }

  AgentMatrix& column(Index j) { return columns_[static_cast<std::size_t>(j)]; }

  /// Into gy_ahead: H s_j + J e_j of each agent.
  void differentiate_along(const Sample& sample, Index j, const AgentView& x, const AgentView& y) {
    const AgentView& s = column(j);
    const auto width = [&](int i) {
      const double scale =
          1 + std::max(x.col(i).lpNorm<Eigen::Infinity>(), y.col(i).lpNorm<Eigen::Infinity>());
      return options_.difference_step * scale / std::sqrt(1 + s.col(i).squaredNorm());
    };
    parallel_for(m_, [&](int i) {
      const double d = width(i);
      x_ahead_.col(i) = x.col(i);
      x_behind_.col(i) = x.col(i);
      x_ahead_(j, i) += d;
      x_behind_(j, i) -= d;
      y_ahead_.col(i) = y.col(i) + d * s.col(i);
      y_behind_.col(i) = y.col(i) - d * s.col(i);
    });
    problem_.grad_g(sample, {{x_ahead_, y_ahead_, nullptr, &gy_ahead_},
                             {x_behind_, y_behind_, nullptr, &gy_behind_}});
    parallel_for(m_, [&](int i) {
      gy_ahead_.col(i) = (gy_ahead_.col(i) - gy_behind_.col(i)) / (2 * width(i));
    });
  }

  ForwardOptions options_;
  std::vector<AgentMatrix> columns_;  ///< of S
  AgentMatrix fy_;
  AgentMatrix x_ahead_, x_behind_, y_ahead_, y_behind_, gy_ahead_, gy_behind_, gy_, before_;
};

}  // namespace

static MethodEntry unroll_forward_entry() {
  MethodEntry entry{
      .name = "unroll-forward",
      .summary =
          "differentiates f through all steps of the lower level, from the first to the "
          "last; for few upper unknowns",
      .formula =
          "S_0 = 0;  S_{t+1} = (I - beta H_t) S_t - beta J_t, "
          "y_{t+1} = y_t - beta gy(x,y_t), t < T;  x <- x - alpha (fx + S_T^T fy)",
      .reference =
          "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785 "
          "(forward hypergradient)",
      .assumes =
          "lower level strongly convex; the error of the gradient is about "
          "(1 - beta mu)^T; 2 p gradients for each step of y, and p copies of it",
      .fails =
          "biased with few or small steps of y; of several minimizers it takes the one next "
          "to the start",
      .serves = {.set = true},
      .uses_products = true,
      .means_first = false};
  bind<ForwardUnroll>(entry, ForwardOptions{});
  return entry;
}

std::vector<MethodEntry> unroll_forward_parts() {
  return {unroll_forward_entry()};
}

}  // namespace echelon::detail

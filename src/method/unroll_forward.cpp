#include <cmath>

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
  using Options = ForwardOptions;
  ForwardUnroll(const MethodContext& its_context, const Options& its_options)
      : Unroll(its_context, its_options), step(its_options.difference_step) {
    for (Index j = 0; j < p; ++j) S.emplace_back(q, m);
  }

 private:
  void differentiate(const Evaluation& call) override {
    for (Index j = 0; j < p; ++j) {
      s(j).setZero();
      if (options.start_at_x) s(j).row(j).setOnes();
    }
    for (std::int64_t t = 0; t < options.inner_steps; ++t) {
      const Evaluation now = call.at_step(t);
      lower(now);
      for (Index j = 0; j < p; ++j) {
        differentiate_along(now, j);
        mean(change);
        s(j) -= beta * change;
      }
      advance(gy, before);
      for (AgentMatrix& column : S) apply_projection_derivative(before, column);
    }
    upper(call.at_step(options.inner_steps));
    AgentView& direction = call.into(D);
    parallel_for(m, [&](int i) {
      for (Index j = 0; j < p; ++j) direction(j, i) += s(j).col(i).dot(fy.col(i));
    });
  }

  AgentMatrix& s(Index j) { return S[static_cast<std::size_t>(j)]; }

  /// change <- H s_j + J e_j of each agent.
  void differentiate_along(const Evaluation& call, Index j) {
    const AgentView& at = call.at(x);
    const auto width = [&](int i) {
      const double scale =
          1 + std::max(at.col(i).lpNorm<Eigen::Infinity>(), y_t.col(i).lpNorm<Eigen::Infinity>());
      return step * scale / std::sqrt(1 + s(j).col(i).squaredNorm());
    };
    parallel_for(m, [&](int i) {
      const double d = width(i);
      x_ahead.col(i) = at.col(i);
      x_behind.col(i) = at.col(i);
      x_ahead(j, i) += d;
      x_behind(j, i) -= d;
      y_ahead.col(i) = y_t.col(i) + d * s(j).col(i);
      y_behind.col(i) = y_t.col(i) - d * s(j).col(i);
    });
    both_sides(call);
    parallel_for(
        m, [&](int i) { change.col(i) = (gy_ahead.col(i) - gy_behind.col(i)) / (2 * width(i)); });
  }

  const double step;
  std::vector<AgentMatrix> S;  ///< its columns s_j
  Block x_ahead{p, m}, x_behind{p, m}, y_ahead{q, m}, y_behind{q, m}, change{q, m}, before{q, m};
  Gradient gy = dg_dy(x, y_t), fy = df_dy(x, y_t);
  Gradient gy_ahead = dg_dy(x_ahead, y_ahead), gy_behind = dg_dy(x_behind, y_behind);
  Direct lower{*this, {&gy}}, upper{*this, {&D, &fy}}, both_sides{*this, {&gy_ahead, &gy_behind}};
};

}  // namespace

std::vector<MethodEntry> unroll_forward_parts() {
  return {method_entry<ForwardUnroll>(
      {.name = "unroll-forward",
       .summary = "differentiates f through all steps of the lower level, from the first to the "
                  "last; for few upper unknowns",
       .formula = "S_0 = 0;  S_{t+1} = (I - beta H_t) S_t - beta J_t, "
                  "y_{t+1} = y_t - beta gy(x,y_t), t < T;  x <- x - alpha (fx + S_T^T fy)",
       .reference = "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, "
                    "arXiv:1703.01785 (forward hypergradient)",
       .assumes = "lower level strongly convex; the error of the gradient is about "
                  "(1 - beta mu)^T; 2 p gradients for each step of y, and p copies of it",
       .fails = "biased with few or small steps of y; of several minimizers it takes the one next "
                "to the start",
       .serves = {.set = true},
       .uses_products = true})};
}

}  // namespace echelon::detail

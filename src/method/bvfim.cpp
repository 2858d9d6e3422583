#include <algorithm>
#include <cmath>

#include "adam.hpp"

namespace echelon::detail {

namespace {

struct BvfimOptions {
  std::int64_t z_steps = 50, y_steps = 25;
  double alpha = 0.01, beta = 0.01, gamma = 0.01;
  double mu = 0.01, theta = 0.01, sigma = 0.001, slack = 0, bound = 1;
  std::string decay = "geometric";
  AdamOptions adam;

  void visit(OptionVisitor& visitor) {
    visitor("z_steps", z_steps, at_least(1), "steps of z per iteration");
    visitor("y_steps", y_steps, at_least(1), "steps of y per iteration");
    visitor("alpha", alpha, at_least(0), "step of x by Adam, per entry and iteration");
    visitor("beta", beta, at_least(0), "step of y");
    visitor("gamma", gamma, at_least(0), "step of z");
    visitor("mu", mu, at_least(0), "weight of d_k |z|^2 in the value function");
    visitor("theta", theta, at_least(0), "weight of d_k |y|^2 in the loss of y");
    visitor("sigma", sigma, at_least(0), "weight of the barrier");
    visitor("slack", slack, at_least(0), "added to the value function");
    visitor("bound", bound, any_number(),
            "m: a known bound above -min g; y diverges if it is none");
    visitor.choice("decay", decay, {"geometric", "power", "harmonic", "logarithmic"},
                   "d_k = 1.1^-(k+1), (k+1)^-1.1, 1 / (1.1 (k+1)), or 1 / log(1.1 (k+2))");
    adam.visit(visitor);
  }

  /// d_k; the logarithmic one would start below 0 at k + 1 = 1.
  double regularization(std::uint64_t k) const {
    const double count = static_cast<double>(k) + 1;
    if (decay == "geometric") return std::pow(1.1, -count);
    if (decay == "power") return std::pow(count, -1.1);
    if (decay == "harmonic") return 1 / (1.1 * count);
    return 1 / std::log(1.1 * (count + 1));
  }
};

/// Barrier on the regularized value function, in the form of the released code, where the barrier's
/// argument has the value V + m + 1e-8 whatever y is:
///
///     repeat T_z times:  z <- z - gamma (grad_y g(x, z) + 2 mu d_k z)
///     V = mean g(x, z) + mu d_k |z|^2 + slack,        w = sigma d_k / (V + m + 1e-8)
///     repeat T_y times:  y <- y - beta mean (grad_y f + 2 theta d_k y + w grad_y g(x, y))
///     x <- x - alpha Adam(mean (grad_x f + w (grad_x g(x, y) - grad_x g(x, z))))
///
/// V is an exact mean: w has a pole at V = -m, which single agents' values may cross.
class Bvfim final : public ComposedMethod<BvfimOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const double d = options.regularization(k);
    const Steps z_steps{k, options.z_steps};
    const Steps y_steps{k, options.y_steps, z_steps.next().step + 1};
    for (const Sample& step : z_steps) {
      of_z(step);
      z.descend(options.gamma, gy_z + 2 * options.mu * d * z.value());
    }
    value(z_steps.next());
    find_weight(d);
    for (const Sample& step : y_steps) {
      of_y(step);
      parallel_for(m, [&](int i) {
        dy.col(i) = fy.col(i) + 2 * options.theta * d * y.value().col(i) + weight(0, i) * dy.col(i);
      });
      y_direction.update();
      y.descend(options.beta, y_direction(dy));
    }
    of_x(y_steps.next());
    parallel_for(m,
                 [&](int i) { dx.col(i) = fx.col(i) + weight(0, i) * (dx.col(i) - gx_z.col(i)); });
    x_direction.update();
    x.descend(options.alpha, adam.direction(k, x_direction(dx), x));
  }

 private:
  void find_weight(double d) {
    parallel_for(m, [&](int i) {
      V(0, i) += options.mu * d * z.value().col(i).squaredNorm() + options.slack;
    });
    average(V);
    parallel_for(m, [&](int i) {
      const double above = std::max(V(0, i) + options.bound, 0.0);
      weight(0, i) = options.sigma * d / (above + 1e-8);
    });
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  LowerCopy z{*this, "z"};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gx_z = dg_dx(x, z), gy_z = dg_dy(x, z);
  Gradient dx = dg_dx(x, y), dy = dg_dy(x, y);  ///< directions, at first the gradients of g
  Value V = value_of(Level::lower, x, z);
  Means y_direction{*this, "y_direction", {&dy}}, x_direction{*this, "x_direction", {&dx}};
  Together of_z{*this, {&gy_z}}, of_y{*this, {&fy, &dy}}, of_x{*this, {&fx, &dx, &gx_z}};
  Direct value{*this, {&V}};
  ExactMean average{context};
  Adam adam{*this, "adam", options.adam, x};
  Block weight{1, m};
};

}  // namespace

std::vector<MethodEntry> bvfim_parts() {
  return {method_entry<Bvfim>(
      {.name = "bvfim",
       .summary = "barrier on a regularized value function; a baseline, for nonconvex lower levels",
       .formula =
           "T_z times: z <- z - gamma (gy(x,z) + 2 mu d_k z);  V = g(x,z) + mu d_k |z|^2, "
           "w = sigma d_k / (V + m);  T_y times: y <- y - beta (fy + 2 theta d_k y + w gy);  "
           "x by Adam along fx + w (gx(x,y) - gx(x,z))",
       .reference = "R. Liu, X. Liu, X. Yuan, S. Zeng, J. Zhang, ICML 2021, arXiv:2106.07991",
       .assumes = "a bound of the lower level is known; no solution is guaranteed",
       .fails = "the weight of the lower level vanishes with d_k unless the bound is tight: ends "
                "near the minimizer of f alone",
       .serves = {},
       .means_first = true})};
}

}  // namespace echelon::detail

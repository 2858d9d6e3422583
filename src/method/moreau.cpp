#include <cmath>

#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct MoreauOptions : JointSteps {
  MoreauOptions() { alpha = 0.02, beta = gamma = 0.1; }
  double mu = 0.01, mu_exponent = 0, smoothing = 1;

  void visit(OptionVisitor& visitor) {
    JointSteps::visit(visitor, "theta");
    visitor("mu", mu, above(0),
            "weight of f; the bias of x is about mu, and x takes about 1 / (alpha mu) iterations");
    visitor("mu_exponent", mu_exponent, {.low = 0, .high = 0.5, .high_open = true},
            "e in mu (k + 1)^-e");
    visitor("smoothing", smoothing, above(0),
            "gamma of the Moreau envelope min over u of g(x, u) + |u - y|^2 / 2 gamma");
  }

  double weight(std::uint64_t k) const {
    return mu * std::pow(static_cast<double>(k) + 1, -mu_exponent);
  }
};

/// Descends mu f + g - (Moreau envelope of g). Single loop, Jacobi, theta starts at y:
///
///     theta <- theta - gamma (grad_y g(x, theta) + (theta - y) / smoothing)
///     x     <- x - alpha (mu grad_x f(x, y) + grad_x g(x, y) - grad_x g(x, theta))
///     y     <- y - beta (mu grad_y f(x, y) + grad_y g(x, y) - (y - theta) / smoothing)
class Moreau final : public ComposedMethod<MoreauOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const double mu = options.weight(k);
    gradients({.iteration = k});
    pull = (y.value() - theta.value()) / options.smoothing;
    theta.descend(options.of_copy(k), gy_theta - pull);
    x.descend(options.upper(k), mu * fx + gx_y - gx_theta);
    y.descend(options.lower(k), mu * fy + gy_y - pull);
  }

 private:
  Upper x{*this, "x"};
  Lower y{*this, "y"};
  LowerCopy theta{*this, "theta"};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gx_y = dg_dx(x, y), gy_y = dg_dy(x, y);
  Gradient gx_theta = dg_dx(x, theta), gy_theta = dg_dy(x, theta);
  Together gradients{*this, {&fx, &fy, &gx_y, &gy_y, &gx_theta, &gy_theta}};
  Block pull{q, m};
};

}  // namespace

std::vector<MethodEntry> moreau_parts() {
  return {method_entry<Moreau>({
      .name = "moreau",
      .summary = "single loop on a Moreau envelope, small fixed weight of f",
      .formula = "theta <- theta - gamma (gy(x,theta) + (theta - y)/s);  "
                 "x <- x - alpha (mu fx + gx(x,y) - gx(x,theta));  "
                 "y <- y - beta (mu fy + gy(x,y) - (y - theta)/s)",
      .reference = "Y. Ma, X. Wang, W. Yao, J. Zhang, 2026, arXiv:2601.22682 (SUN-DSBO)",
      .assumes = "neither level convex; x is biased by about mu",
      .fails =
          "slow in x where mu is small: about 1 / (alpha mu) iterations; drifts beside the answer "
          "of a bilinear game",
      .serves = {.set = true},
  })};
}

}  // namespace echelon::detail

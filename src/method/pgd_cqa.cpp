#include <cmath>

#include "curvature.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

struct PgdCqaOptions {
  std::string mode = "QP2";
  double alpha = 1, gamma = 0.01, tolerance = 1e-10, largest_multiplier = 0;
  std::int64_t horizon = 0;
  ProductOptions products;
  SafeguardOptions safeguard;

  void visit(OptionVisitor& visitor) {
    visitor.choice("mode", mode, {"QP1", "QP2"},
                   "rate of the constraint: alpha |dh|^2, or alpha |dh| |grad_y g|");
    visitor("alpha", alpha, at_least(0), "how fast the constraint is asked to fall");
    visitor("gamma", gamma, at_least(0), "step size of (x, y)");
    visitor("horizon", horizon, at_least(0),
            "K > 0: alpha and gamma as published for K iterations (QP1: both K^-1/3; QP2: "
            "10 K^-1/3 and 10 K^-2/3); 0: as given");
    visitor("tolerance", tolerance, at_least(0),
            "residual of the lower level below which dh is taken for round-off; 0 = as published");
    visitor("largest_multiplier", largest_multiplier, at_least(0),
            "bound of lambda while agents' means differ; 0 = none");
    products.visit(visitor);
    safeguard.visit(visitor);
  }

  bool first_mode() const { return mode == "QP1"; }
  double root() const { return std::cbrt(static_cast<double>(horizon)); }
  double rate() const { return horizon == 0 ? alpha : (first_mode() ? 1 : 10) / root(); }
  double step() const {
    return horizon == 0 ? gamma : first_mode() ? 1 / root() : 10 / (root() * root());
  }
};

/// Descends f under h(x, y) = |grad_y g|^2 = 0, one quadratic program per step. Jacobi.
///
///     dh = 2 (J'v, H v),  v = grad_y g;   rho = alpha |dh|^2 (QP1)  or  alpha |dh| |v| (QP2)
///     lambda = [(rho - <df, dh>) / |dh|^2]_+
///     (x, y) <- (x, y) - gamma (df + lambda dh)
///
/// rho is multiplied by 1 - tolerance / |v|, so that |v| settles where dh still has a direction:
/// rho alone would take |v| to round-off, and there the constraint drops out for a step.
///
/// df, v and dh are network means. With a set for y as in LowerStationarity.
class PgdCqa final : public ComposedMethod<PgdCqaOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    safeguard(k);
    lower.evaluate({.iteration = k});
    parallel_for(m, [&](int i) { lower.find_direction(i, rate(i), options.largest_multiplier); });
    x.descend(options.step(), lower.dx);
    y.descend(options.step(), lower.dy);
  }

 private:
  double rate(int i) {
    const double residual = lower.r.col(i).norm();
    const double dh = std::sqrt(lower.inner_products(i).bb);
    const double scale = options.first_mode() ? dh * dh / residual : dh;  // dh = 0 if residual is
    return options.rate() * scale * (residual - options.tolerance);
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  LowerStationarity lower{*this, x, y, options.products};
  CurvatureSafeguard safeguard{*this, x, y, options.safeguard, options.products};
};

}  // namespace

std::vector<MethodEntry> pgd_cqa_parts() {
  return {method_entry<PgdCqa>(
      {.name = "pgd-cqa",
       .summary = "descends f under a stationary lower level, by one quadratic program per step",
       .formula = "v = gy;  dh = 2 (J'v, H v);  rho = alpha |dh|^2 or alpha |dh| |v|;  "
                  "(x,y) <- (x,y) - gamma (df + [(rho - <df,dh>)/|dh|^2]_+ dh)",
       .reference = "N. Abolfazli, S. Sharifi, M. Fazlyab, E. Y. Hamedani, TMLR, arXiv:2504.17215",
       .assumes = "nothing convex; first-order stationarity of the lower level is what is kept",
       .fails = "may stop at a maximizer of the lower level; safeguard = yes leaves it",
       .serves = {.set = true},
       .uses_products = true,
       .means_first = true})};
}

}  // namespace echelon::detail

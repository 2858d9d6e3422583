#include "curvature.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

struct RxgfOptions {
  double epsilon = 0.1, alpha = 0.1, gamma = 0.01;
  double start_tolerance = 0, largest_multiplier = 0;
  ProductOptions products;
  SafeguardOptions safeguard;

  void visit(OptionVisitor& visitor) {
    visitor("epsilon", epsilon, at_least(0),
            "|grad_y g| that is tolerated; the error of x follows");
    visitor("alpha", alpha, at_least(0), "how fast |grad_y g|^2 is asked to fall to epsilon^2");
    visitor("gamma", gamma, at_least(0), "step size of (x, y); smaller with epsilon");
    visitor("start_tolerance", start_tolerance, at_least(0),
            "first descend the lower level alone until |grad_y g| is below this; 0 = do not");
    visitor("largest_multiplier", largest_multiplier, at_least(0),
            "bound of lambda while agents' means differ; 0 = none");
    products.visit(visitor);
    safeguard.visit(visitor);
  }
};

/// Control barrier on h(x, y) = |grad_y g|^2 <= epsilon^2, a gradient flow by Euler steps. Jacobi.
///
///     dh = 2 (J'v, H v),  v = grad_y g
///     lambda = [alpha (h - epsilon^2) - <df, dh>]_+ / |dh|^2
///     (x, y) <- (x, y) - gamma (df + lambda dh)
///
/// df, v and dh are network means. With a set for y as in LowerStationarity.
class Rxgf final : public ComposedMethod<RxgfOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    if (k == 0 && options.start_tolerance > 0) solve_lower_level();
    safeguard(k);
    lower.evaluate({.iteration = k});
    parallel_for(m, [&](int i) {
      const double excess = lower.r.col(i).squaredNorm() - options.epsilon * options.epsilon;
      lower.find_direction(i, options.alpha * excess, options.largest_multiplier);
    });
    x.descend(options.gamma, lower.dx);
    y.descend(options.gamma, lower.dy);
  }

 private:
  void solve_lower_level() {
    VectorXd mean = mean_lower.mean(y);
    mean_lower.descend({.stream = 1}, x, mean, options.safeguard.lower_step,
                       options.start_tolerance);
    lower.dy.colwise() = mean;
    y.restart(lower.dy);
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  LowerStationarity lower{*this, x, y, options.products};
  MeanLowerLevel mean_lower{context, options.products};
  CurvatureSafeguard safeguard{
      *this, x, y, options.safeguard, options.products, 1.5 * options.epsilon};
};

}  // namespace

std::vector<MethodEntry> rxgf_parts() {
  return {method_entry<Rxgf>(
      {.name = "rxgf",
       .summary = "gradient flow of f with a barrier that keeps the lower level nearly stationary",
       .formula = "v = gy;  h = |v|^2;  dh = 2 (J'v, H v);  "
                  "(x,y) <- (x,y) - gamma (df + [alpha (h - epsilon^2) - <df,dh>]_+ / |dh|^2 dh)",
       .reference =
           "S. Sharifi, N. Abolfazli, E. Y. Hamedani, M. Fazlyab, ACC 2025, arXiv:2501.16520",
       .assumes = "nothing convex; x is biased by about epsilon",
       .fails = "chatters where gamma is large against epsilon; may stop at a maximizer of the "
                "lower level, which safeguard = yes leaves",
       .serves = {.set = true},
       .uses_products = true,
       .means_first = true})};
}

}  // namespace echelon::detail

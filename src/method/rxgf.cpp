#include <algorithm>

#include "curvature.hpp"
#include "entries.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

struct RxgfOptions {
  double epsilon = 0.1;
  double alpha = 0.1;
  double gamma = 0.01;
  double start_tolerance = 0;
  double largest_multiplier = 0;
  ProductOptions products;
  SafeguardOptions safeguard;

  void visit(OptionVisitor& visitor) {
    visitor("epsilon", epsilon, at_least(0),
            "|grad_y g| that is tolerated; the error of x follows");
    visitor("alpha", alpha, at_least(0), "how fast |grad_y g|^2 is asked to fall to epsilon^2");
    visitor("gamma", gamma, at_least(0), "step of (x, y); smaller with epsilon");
    visitor("start_tolerance", start_tolerance, at_least(0),
            "first descend the lower level alone until |grad_y g| is below this; 0 = start where "
            "the problem says");
    visitor("largest_multiplier", largest_multiplier, at_least(0),
            "bound of lambda while agents' means differ; 0 = none");
    products.visit(visitor);
    safeguard.visit(visitor);
  }

  MethodCost cost() const {
    MethodCost cost;
    LowerStationarity::add_to(cost, products);
    return cost;
  }
};

/// Control barrier on h(x, y) = |grad_y g|^2 <= epsilon^2, a gradient flow by Euler steps. Jacobi.
///
///     dh = 2 (J'v, H v),  v = grad_y g
///     lambda = [alpha (h - epsilon^2) - <df, dh>]_+ / |dh|^2
///     (x, y) <- (x, y) - gamma (df + lambda dh)
///
/// df, v and dh are network means. With a set for y as in LowerStationarity.
class Rxgf final : public Method {
 public:
  Rxgf(const MethodContext& context, const RxgfOptions& options)
      : options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        at_(context, options.products),
        lower_(context, options.products),
        safeguard_(context, options.safeguard, options.products, 1.5 * options.epsilon),
        m_(context.network.agents().count()),
        dx_(context.problem.upper_dimension(), m_),
        dy_(context.problem.lower_dimension(), m_) {}

  void iterate(std::uint64_t k) override {
    if (k == 0 && options_.start_tolerance > 0) solve_lower_level();
    safeguard_(k, x_, y_);
    at_.evaluate({.iteration = k}, x_, y_);
    parallel_for(m_, [&](int i) {
      const double lambda = multiplier(i);
      dx_.col(i) = at_.fx().col(i) + lambda * at_.hx().col(i);
      dy_.col(i) = at_.fy().col(i) + lambda * at_.hy().col(i);
    });
    x_.descend(options_.gamma, dx_);
    y_.descend(options_.gamma, dy_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("means", at_);
  }

 private:
  void solve_lower_level() {
    VectorXd y = lower_.mean(y_);
    lower_.descend({.stream = 1}, x_, y, options_.safeguard.lower_step, options_.start_tolerance);
    dy_.colwise() = y;
    y_.restart(dy_);
  }

  double multiplier(int i) {
    const double excess = at_.r().col(i).squaredNorm() - options_.epsilon * options_.epsilon;
    const double lambda = at_.multiplier(x_, i, options_.alpha * excess);
    const double largest = options_.largest_multiplier;
    return largest > 0 ? std::min(lambda, largest) : lambda;
  }

  RxgfOptions options_;
  ConsensusVariable x_, y_;
  LowerStationarity at_;
  MeanLowerLevel lower_;
  CurvatureSafeguard safeguard_;
  int m_;
  AgentMatrix dx_, dy_;
};

}  // namespace

static MethodEntry rxgf_entry() {
  MethodEntry entry{
      .name = "rxgf",
      .summary = "gradient flow of f with a barrier that keeps the lower level nearly stationary",
      .formula =
          "v = gy;  h = |v|^2;  dh = 2 (J'v, H v);  "
          "(x,y) <- (x,y) - gamma (df + [alpha (h - epsilon^2) - <df,dh>]_+ / |dh|^2 dh)",
      .reference =
          "S. Sharifi, N. Abolfazli, E. Y. Hamedani, M. Fazlyab, ACC 2025, arXiv:2501.16520",
      .assumes = "nothing convex; x is biased by about epsilon",
      .fails =
          "chatters where gamma is large against epsilon; may stop at a maximizer of the lower "
          "level, which safeguard = yes leaves",
      .serves = {.set = true},
      .uses_products = true,
      .means_first = true};
  bind<Rxgf>(entry, RxgfOptions{});
  return entry;
}

std::vector<MethodEntry> rxgf_parts() {
  return {rxgf_entry()};
}

}  // namespace echelon::detail

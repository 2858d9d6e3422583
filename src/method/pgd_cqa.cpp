#include <cmath>

#include "curvature.hpp"
#include "entries.hpp"
#include "lower_stationarity.hpp"

namespace echelon::detail {

namespace {

struct PgdCqaOptions {
  std::string mode = "QP2";
  double alpha = 1;
  double gamma = 0.01;
  std::int64_t horizon = 0;
  double tolerance = 1e-10;
  double largest_multiplier = 0;
  ProductOptions products;
  SafeguardOptions safeguard;

  void visit(OptionVisitor& visitor) {
    visitor.choice("mode", mode, {"QP1", "QP2"},
                   "rate of the constraint: alpha |dh|^2, or alpha |dh| |grad_y g|");
    visitor("alpha", alpha, at_least(0), "how fast the constraint is asked to fall");
    visitor("gamma", gamma, at_least(0), "step of (x, y)");
    visitor("horizon", horizon, at_least(0),
            "K > 0: alpha and gamma as published for K iterations (QP1: both K^-1/3; QP2: "
            "10 K^-1/3 and 10 K^-2/3); 0: as given");
    visitor("tolerance", tolerance, at_least(0),
            "residual of the lower level that is small enough; below, dh would be round-off and "
            "steps would leave the constraint; 0 = as published");
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

  bool first_mode() const { return mode == "QP1"; }
  double rate() const {
    if (horizon == 0) return alpha;
    const double root = std::cbrt(static_cast<double>(horizon));
    return (first_mode() ? 1 : 10) / root;
  }
  double step() const {
    if (horizon == 0) return gamma;
    const double root = std::cbrt(static_cast<double>(horizon));
    return first_mode() ? 1 / root : 10 / (root * root);
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
class PgdCqa final : public Method {
 public:
  PgdCqa(const MethodContext& context, const PgdCqaOptions& options)
      : options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        at_(context, options.products),
        safeguard_(context, options.safeguard, options.products),
        m_(context.network.agents().count()),
        dx_(context.problem.upper_dimension(), m_),
        dy_(context.problem.lower_dimension(), m_) {}

  void iterate(std::uint64_t k) override {
    safeguard_(k, x_, y_);
    at_.evaluate({.iteration = k}, x_, y_);
    parallel_for(m_, [&](int i) {
      const double lambda = multiplier(i);
      dx_.col(i) = at_.fx().col(i) + lambda * at_.hx().col(i);
      dy_.col(i) = at_.fy().col(i) + lambda * at_.hy().col(i);
    });
    x_.descend(options_.step(), dx_);
    y_.descend(options_.step(), dy_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("means", at_);
  }

 private:
  double multiplier(int i) {
    const InnerProducts products = at_.inner_products(i);
    const double residual = at_.r().col(i).norm();
    const double dh = std::sqrt(products.bb);
    const double scale = options_.first_mode() ? dh * dh / residual : dh;  // dh = 0 if residual is
    const double rho = options_.rate() * scale * (residual - options_.tolerance);
    const double lambda = at_.multiplier(x_, i, rho);
    const double largest = options_.largest_multiplier;
    return largest > 0 ? std::min(lambda, largest) : lambda;
  }

  PgdCqaOptions options_;
  ConsensusVariable x_, y_;
  LowerStationarity at_;
  CurvatureSafeguard safeguard_;
  int m_;
  AgentMatrix dx_, dy_;
};

}  // namespace

static MethodEntry pgd_cqa_entry() {
  MethodEntry entry{
      .name = "pgd-cqa",
      .summary = "descends f under a stationary lower level, by one quadratic program per step",
      .formula =
          "v = gy;  dh = 2 (J'v, H v);  rho = alpha |dh|^2 or alpha |dh| |v|;  "
          "(x,y) <- (x,y) - gamma (df + [(rho - <df,dh>)/|dh|^2]_+ dh)",
      .reference = "N. Abolfazli, S. Sharifi, M. Fazlyab, E. Y. Hamedani, TMLR, arXiv:2504.17215",
      .assumes = "nothing convex; first-order stationarity of the lower level is what is kept",
      .fails = "may stop at a maximizer of the lower level; safeguard = yes leaves it",
      .serves = {.set = true},
      .uses_products = true,
      .means_first = true};
  bind<PgdCqa>(entry, PgdCqaOptions{});
  return entry;
}

std::vector<MethodEntry> pgd_cqa_parts() {
  return {pgd_cqa_entry()};
}

}  // namespace echelon::detail

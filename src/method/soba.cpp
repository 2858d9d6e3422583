#include "moving_average.hpp"

namespace echelon::detail {

namespace {

struct SobaOptions {
  double alpha = 0.1;
  double beta = 0.3;
  double gamma = 0.3;
  std::string order = "jacobi";
  AverageOptions average;
  double eta = 1;
  ProductOptions products;
  double radius = 0;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about 1 / L_g");
    visitor("gamma", gamma, at_least(0), "step of v; about 1 / L_g");
    visitor.choice("order", order, {"jacobi", "y-first", "gauss-seidel"},
                   "directions of y, v and x all at the old point; those of v and x at the new y; "
                   "or that of v at the new y and that of x at the new y and v");
    average.visit(visitor);
    visitor("eta", eta, above_up_to(0, 1),
            "x descends along d <- D + (1 - eta) (d - D_old), D_old at the previous point with the "
            "same sample; 1 = along D");
    products.visit(visitor);
    visitor("radius", radius, at_least(0), "v is kept in the ball of this radius; 0 = no ball");
    schedule.visit(visitor);
  }

  bool jacobi() const { return order == "jacobi"; }
  bool y_first() const { return order == "y-first"; }
  bool gauss_seidel() const { return order == "gauss-seidel"; }
  bool corrected() const { return eta < 1; }
};

/// d <- D + (1 - eta) (d - D_old), first d = D, where D_old is D at the previous point.
class CorrectedDirection {
 public:
  CorrectedDirection(MethodBase& method, double eta)
      : eta_(eta),
        turn_(method.context.participation),
        x_(method.p, is_on() ? method.m : 0),
        y_(method.q, x_.cols()),
        v_(method.q, x_.cols()),
        direction_(method.p, x_.cols()),
        old_(method.p, x_.cols()) {
    if (is_on()) method.carry("correction", *this);
  }

  bool is_on() const { return eta_ < 1; }

  /// Replaces D, of the point (x, y, v), by the new d; evaluate(x, y, v, out) is D with the same
  /// sample at another point.
  template <class Evaluate>
  void apply(AgentView& direction, const AgentView& x, const AgentView& y, const AgentView& v,
             const Evaluate& evaluate) {
    if (!is_on()) return;
    if (turn_.has_changed()) started_ = 0;
    if (started_ != 0) {
      evaluate(x_, y_, v_, old_);
      parallel_for(static_cast<int>(direction.cols()), [&](int i) {
        direction.col(i) += (1 - eta_) * (direction_.col(i) - old_.col(i));
      });
    }
    started_ = 1;
    x_.copy_from(x);
    y_.copy_from(y);
    v_.copy_from(v);
    direction_.copy_from(direction);
  }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("x", x_);
    visitor.per_agent("y", y_);
    visitor.per_agent("v", v_);
    visitor.per_agent("direction", direction_);
    visitor.replicated("started", started_);
    visitor.within("turn", turn_);
  }

 private:
  double eta_;
  Turn turn_;
  AgentMatrix x_, y_, v_, direction_, old_;
  std::int64_t started_ = 0;
};

/// Single loop; v follows the solution of H v = grad_y f with H = d2g/dy2, J = d2g/dydx:
///
///     y <- y - beta grad_y g     v <- v - gamma (H v - grad_y f)     x <- x - alpha (grad_x f -
///     J'v)
///
/// at the points that `order` says.
class Soba final : public ComposedMethod<SobaOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const double beta = options.beta * options.schedule.lower(k);
    const double gamma = options.gamma * options.schedule.lower(k);
    const Sample first{.iteration = k}, second{.iteration = k, .step = 1};
    const Sample third{.iteration = k, .step = 2};
    if (options.jacobi()) {
      everything(first);
      find_direction(first);
      y.descend(beta, gy);
      step_v(gamma);
    } else if (options.gauss_seidel()) {
      lower(first);
      y.descend(beta, gy);
      system(second);
      step_v(gamma);
      cross(third);
      find_direction(third);
    } else {
      lower(first);
      y.descend(beta, gy);
      system_and_cross(second);
      find_direction(second);
      step_v(gamma);
    }
    x.descend(options.alpha * options.schedule.upper(k), direction);
  }

 private:
  void step_v(double gamma) {
    v.descend(gamma, hv - fy);
    if (options.radius > 0) v.project_onto_ball(options.radius);
  }

  /// What x descends along, from fx and J'v at the present point with their sample.
  void find_direction(const Sample& sample) {
    parallel_for(m, [&](int i) { direction.col(i) = fx.col(i) - jv.col(i); });
    correction.apply(direction, x, y, v,
                     [&](const AgentView& old_x, const AgentView& old_y, const AgentView& old_v,
                         AgentMatrix& out) {
                       problem.grad_f(sample, {{old_x, old_y, &out, nullptr}});
                       products(sample, {old_x, old_y, old_v, nullptr, &old_jv});
                       out -= old_jv;
                     });
    average.apply(direction);
  }

  Upper x{*this, "x"};
  Lower y{*this, "y"};
  Auxiliary v{*this, "v"};
  Products products{problem, options.products};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gy = dg_dy(x, y);
  Product hv = hessian_times(products, x, y, v), jv = cross_times(products, x, y, v);
  Together everything{*this, {&fx, &fy, &gy, &hv, &jv}, options.jacobi()};
  Together lower{*this, {&gy}, !options.jacobi()};
  Together system{*this, {&fx, &fy, &hv}, options.gauss_seidel()};
  Together cross{*this, {&jv}, options.gauss_seidel()};
  Together system_and_cross{*this, {&fx, &fy, &hv, &jv}, options.y_first()};
  CorrectedDirection correction{*this, options.eta};
  MovingAverage average{*this, options.average, p};
  Block direction{p, m};
  AgentMatrix old_jv{p, m};
};

constexpr const char* formula =
    "y <- y - beta gy;  v <- v - gamma (H v - fy);  x <- x - alpha (fx - J^T v)";

/// Steps (w + k)^-1/3, at most `cap`, times beta / alpha and gamma / alpha; STORM's weight is the
/// square of that of x.
void follow_storm(SobaOptions& options, Chosen<EstimatorEntry>& estimator, double w, double cap) {
  const double offset = 1 / (cap * cap * cap);
  options.schedule = {.upper_decay = 1.0 / 3,
                      .lower_decay = 1.0 / 3,
                      .decay_offset = offset,
                      .decay_start = offset - w};
  estimator = {
      estimator_catalog(), "storm",
      StormOptions{
          .c = cap * cap, .decay = 2.0 / 3, .decay_offset = offset, .decay_start = offset - w}};
}

MethodEntry with_storm(MethodEntry entry, SobaOptions options) {
  entry.reference = "Y. Yang, P. Xiao, K. Ji, NeurIPS 2023, arXiv:2312.03807";
  follow_storm(options, entry.estimator, 8, options.alpha);
  options.radius = 10;
  entry.options = options;
  return entry;
}

}  // namespace

static MethodEntry soba_entry() {
  return method_entry<Soba>(
      {.name = "soba",
       .summary =
           "single loop, Hessian-free: follows the solution of the linear system by gradient "
           "differences",
       .formula = formula,
       .reference =
           "M. Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409 (finite "
           "differences: as in arXiv:2312.03807)",
       .assumes = "lower level strongly convex; no penalty bias",
       .fails = "stops at a wrong point where the lower level has more than one minimizer",
       .serves = {},
       .uses_products = true});
}

static MethodEntry hjfbio_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "hjfbio";
  entry.summary = "SOBA with differences of a fixed width and v kept in a ball (noise-free form)";
  entry.reference = "F. Huang, ICML 2024, arXiv:2407.17823";
  SobaOptions options;
  options.products.difference_rule = "absolute";
  options.products.difference_step = 1e-4;
  options.radius = 1000;
  entry.options = options;
  return entry;
}

static MethodEntry ma_soba_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "ma-soba";
  entry.summary = "SOBA whose x descends along a moving average of its directions";
  entry.formula =
      "y <- y - beta gy;  v <- v - gamma (H v - fy);  r <- (1 - theta) r + theta (fx - J^T v);  "
      "x <- x - alpha r";
  entry.reference = "X. Chen, T. Xiao, K. Balasubramanian, JMLR 25, 2024, arXiv:2306.12067";
  SobaOptions options;
  options.average.theta = 0.3;
  entry.options = options;
  return entry;
}

static MethodEntry fsla_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "fsla";
  entry.summary =
      "SOBA with v and x from the new y, and momentum on x that follows the point: each sample is "
      "also evaluated at the previous one";
  entry.formula =
      "y <- y - beta gy;  v <- v - gamma (H v - fy);  D = fx - J^T v;  "
      "d <- D + (1 - eta) (d - D_old);  x <- x - alpha d";
  entry.reference = "J. Li, B. Gu, H. Huang, AAAI 2022, arXiv:2112.04660";
  SobaOptions options;
  options.order = "y-first";
  options.eta = 0.5;
  entry.options = options;
  return entry;
}

static MethodEntry fdehbo_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "fdehbo";
  entry.summary =
      "SOBA with STORM on all directions unless another estimator is given, steps a = (8 + k)^-1/3 "
      "of at most .1 and weights a^2; differences of a fixed width";
  SobaOptions options;
  options.products.difference_rule = "absolute";
  options.products.difference_step = 1e-4;
  return with_storm(entry, options);
}

static MethodEntry fmbo_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "fmbo";
  entry.summary =
      "SOBA with STORM on all directions unless another estimator is given, steps a = (8 + k)^-1/3 "
      "of at most .1 and weights a^2; exact products";
  SobaOptions options;
  options.products.products = "exact";
  return with_storm(entry, options);
}

std::vector<MethodEntry> soba_parts() {
  return {soba_entry(), hjfbio_entry(), ma_soba_entry(),
          fsla_entry(), fdehbo_entry(), fmbo_entry()};
}

}  // namespace echelon::detail

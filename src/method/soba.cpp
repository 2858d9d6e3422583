#include "entries.hpp"
#include "moving_average.hpp"
#include "products.hpp"

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
  bool gauss_seidel() const { return order == "gauss-seidel"; }
  bool corrected() const { return eta < 1; }

  MethodCost cost() const {
    MethodCost cost{.auxiliary_steps = 1, .gradients = corrected() ? 3.0 : 2.0};
    products.add_to(cost, gauss_seidel() ? 2 : 1, jacobi());
    if (corrected()) products.add_to(cost, 1);
    return cost;
  }
};

/// d <- D + (1 - eta) (d - D_old), first d = D, where D_old is D at the previous point.
class CorrectedDirection {
 public:
  CorrectedDirection(double eta, Index p, Index q, int agents, const Participation* participation)
      : eta_(eta),
        turn_(participation),
        x_(p, is_on() ? agents : 0),
        y_(q, x_.cols()),
        v_(q, x_.cols()),
        direction_(p, x_.cols()),
        old_(p, x_.cols()) {}

  bool is_on() const { return eta_ < 1; }

  /// Replaces D, of the point (x, y, v), by the new d; evaluate(x, y, v, out) is D with the same
  /// sample at another point.
  template <class Evaluate>
  void apply(AgentMatrix& direction, const AgentView& x, const AgentView& y, const AgentView& v,
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
    if (!is_on()) return;
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
class Soba final : public Method {
 public:
  Soba(const MethodContext& context, const SobaOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        v_(context.auxiliary_variable("v", VectorXd::Zero(context.problem.lower_dimension()))),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        correction_(options.eta, p_, q_, m_, context.participation),
        average_(options.average, p_, m_, context.participation),
        fx_(p_, m_),
        fy_(q_, m_),
        gy_(q_, m_),
        hv_(q_, m_),
        jv_(p_, m_),
        gx_(p_, m_),
        direction_(p_, m_) {
    if (options_.jacobi()) {
      estimators_.push_back(context.make_estimator({p_, q_, q_, q_, p_}));
      return;
    }
    estimators_.push_back(context.make_estimator({q_}));
    if (options_.gauss_seidel()) {
      estimators_.push_back(context.make_estimator({p_, q_, q_}));
      estimators_.push_back(context.make_estimator({p_}));
    } else {
      estimators_.push_back(context.make_estimator({p_, q_, q_, p_}));
    }
  }

  void iterate(std::uint64_t k) override {
    const double lower = options_.schedule.lower(k);
    if (options_.jacobi()) {
      estimate(k, 0, everything_, {&fx_, &fy_, &gy_, &hv_, &jv_});
      find_direction(k, 0);
      y_.descend(options_.beta * lower, gy_);
      step_v(options_.gamma * lower);
    } else if (options_.gauss_seidel()) {
      estimate(k, 0, lower_gradient_, {&gy_});
      y_.descend(options_.beta * lower, gy_);
      estimate(k, 1, system_, {&fx_, &fy_, &hv_});
      step_v(options_.gamma * lower);
      estimate(k, 2, cross_product_, {&jv_});
      find_direction(k, 2);
    } else {
      estimate(k, 0, lower_gradient_, {&gy_});
      y_.descend(options_.beta * lower, gy_);
      estimate(k, 1, system_and_cross_product_, {&fx_, &fy_, &hv_, &jv_});
      find_direction(k, 1);
      step_v(options_.gamma * lower);
    }
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("v", v_);
    for (std::size_t stage = 0; stage < estimators_.size(); ++stage) {
      visitor.within("estimator_" + std::to_string(stage), *estimators_[stage]);
    }
    visitor.within("correction", correction_);
    visitor.within("average", average_);
  }

 private:
  static Sample sample_of(std::uint64_t k, std::uint32_t stage) {
    return {.iteration = k, .step = stage};
  }

  void estimate(std::uint64_t k, std::uint32_t stage, const Oracle& oracle,
                std::initializer_list<AgentView*> outputs) {
    estimators_[stage]->estimate(sample_of(k, stage), {&x_.value(), &y_.value(), &v_.value()},
                                 oracle, outputs);
  }

  void step_v(double step) {
    v_.descend(step, hv_ - fy_);
    if (options_.radius > 0) v_.project_onto_ball(options_.radius);
  }

  /// What x descends along, from fx and J'v at the present point with the sample of `stage`.
  void find_direction(std::uint64_t k, std::uint32_t stage) {
    parallel_for(m_, [&](int i) { direction_.col(i) = fx_.col(i) - jv_.col(i); });
    correction_.apply(
        direction_, x_, y_, v_,
        [&](const AgentView& x, const AgentView& y, const AgentView& v, AgentMatrix& out) {
          problem_.grad_f(sample_of(k, stage), {{x, y, &out, nullptr}});
          products_(sample_of(k, stage), {x, y, v, nullptr, &gx_});
          out -= gx_;
        });
    average_.apply(direction_);
  }

  BilevelProblem& problem_;
  SobaOptions options_;
  Products products_;
  ConsensusVariable x_, y_, v_;
  Index p_, q_;
  int m_;
  std::vector<std::unique_ptr<GradientEstimator>> estimators_;  ///< one per stage of the order
  CorrectedDirection correction_;
  MovingAverage average_;
  AgentMatrix fx_, fy_, gy_, hv_, jv_, gx_, direction_;

  // At (x, y, v), with the blocks that they write.
  Oracle everything_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    const bool forward = options_.products.forward();
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
    problem_.grad_g(sample, {{*at[0], *at[1], forward ? &gx_ : nullptr, out[2]}});
    products_(sample, {*at[0], *at[1], *at[2], out[3], out[4], &gx_, out[2]});
  };
  Oracle lower_gradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
  };
  Oracle system_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
    products_(sample, {*at[0], *at[1], *at[2], out[2], nullptr});
  };
  Oracle cross_product_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    products_(sample, {*at[0], *at[1], *at[2], nullptr, out[0]});
  };
  Oracle system_and_cross_product_ = [this](const Sample& sample, OraclePoint at,
                                            OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
    products_(sample, {*at[0], *at[1], *at[2], out[2], out[3]});
  };
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
  bind<Soba>(entry, options);
  return entry;
}

}  // namespace

MethodEntry soba_entry() {
  MethodEntry entry{
      .name = "soba",
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
      .uses_products = true,
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<Soba>(entry, SobaOptions{});
  return entry;
}

MethodEntry hjfbio_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "hjfbio";
  entry.summary = "SOBA with differences of a fixed width and v kept in a ball (noise-free form)";
  entry.reference = "F. Huang, ICML 2024, arXiv:2407.17823";
  SobaOptions options;
  options.products.difference_rule = "absolute";
  options.products.difference_step = 1e-4;
  options.radius = 1000;
  bind<Soba>(entry, options);
  return entry;
}

MethodEntry ma_soba_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "ma-soba";
  entry.summary = "SOBA whose x descends along a moving average of its directions";
  entry.formula =
      "y <- y - beta gy;  v <- v - gamma (H v - fy);  r <- (1 - theta) r + theta (fx - J^T v);  "
      "x <- x - alpha r";
  entry.reference = "X. Chen, T. Xiao, K. Balasubramanian, JMLR 25, 2024, arXiv:2306.12067";
  SobaOptions options;
  options.average.theta = 0.3;
  bind<Soba>(entry, options);
  return entry;
}

MethodEntry fsla_entry() {
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
  bind<Soba>(entry, options);
  return entry;
}

MethodEntry fdehbo_entry() {
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

MethodEntry fmbo_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "fmbo";
  entry.summary =
      "SOBA with STORM on all directions unless another estimator is given, steps a = (8 + k)^-1/3 "
      "of at most .1 and weights a^2; exact products";
  SobaOptions options;
  options.products.products = "exact";
  return with_storm(entry, options);
}

}  // namespace echelon::detail

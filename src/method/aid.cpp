#include "entries.hpp"
#include "inverse.hpp"

namespace echelon::detail {

namespace {

struct AidOptions {
  std::int64_t inner_steps = 20;
  double alpha = 0.1;
  double beta = 0.5;
  InverseOptions inverse;
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y before each step of x (T)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about .5 / L_g");
    inverse.visit(visitor);
    products.visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    const double ahead = inverse.one_step() ? 1 : 0;
    const double means = 1 + ahead + inverse.products() + (inverse.by_factors() ? 1 : 0);
    MethodCost cost{
        .y_steps = steps, .q_exact = inverse.alone ? 0 : means, .gradients = steps + 1 + ahead};
    products.add_to(cost, inverse.products() + 1);
    cost.count = inverse.count();
    return cost;
  }
};

/// Approximate implicit differentiation, H = d2g/dy2, J = d2g/dydx:
///
///     T times:  y <- y - beta grad_y g(x, y)                               y goes on from its last
///     solve     H(x, y) v = grad_y f(x, y)                                 as `inverse` says
///     x <- x - alpha (grad_x f(x, y) - J(x, y)'v)
///
/// For a shared lower level the system is that of the means, which are exact; it starts anew at
/// each x, and its transient would otherwise enter the answer. `one-step` takes the gradient of f
/// at y - eta grad_y g and v = eta grad_y f. An estimator stands before the steps of y and before
/// the whole direction of x.
class Aid final : public Method {
 public:
  Aid(const MethodContext& context, const AidOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        inverse_(context, options.inverse, products_),
        mean_(context, options.inverse.alone),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        lower_estimator_(context.make_estimator({q_})),
        upper_estimator_(context.make_estimator({p_, p_}, {}, true)),
        gy_(q_, m_),
        v_(q_, m_),
        ahead_(q_, m_),
        fx_(p_, m_),
        jv_(p_, m_) {}

  void iterate(std::uint64_t k) override {
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    const double beta = options_.beta * options_.schedule.lower(k);
    for (std::uint32_t t = 0; t < steps; ++t) {
      lower_estimator_->estimate({.iteration = k, .step = t}, {&x_.value(), &y_.value()},
                                 lower_gradient_, {&gy_});
      y_.descend(beta, gy_);
    }
    upper_estimator_->estimate({.iteration = k, .step = steps}, {&x_.value(), &y_.value()},
                               hypergradient_, {&fx_, &jv_});
    x_.descend(options_.alpha * options_.schedule.upper(k), fx_ - jv_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("lower_estimator", *lower_estimator_);
    visitor.within("upper_estimator", *upper_estimator_);
  }

 private:
  BilevelProblem& problem_;
  AidOptions options_;
  Products products_;
  InverseHessian inverse_;
  ExactMean mean_;
  ConsensusVariable x_, y_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> lower_estimator_, upper_estimator_;
  AgentMatrix gy_, v_, ahead_, fx_, jv_;

  Oracle lower_gradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
  };
  /// Writes fx and J'v. Collective.
  Oracle hypergradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    const AgentView& x = *at[0];
    const AgentView& y = *at[1];
    if (options_.inverse.one_step()) {
      problem_.grad_g(sample, {{x, y, nullptr, &ahead_}});
      mean_(ahead_);
      ahead_ = y - options_.inverse.eta * ahead_;
      problem_.grad_f(sample, {{x, ahead_, out[0], &v_}});
    } else {
      problem_.grad_f(sample, {{x, y, out[0], &v_}});
    }
    mean_(v_);
    inverse_.apply(sample, x, y, v_);
    products_(sample, {x, y, v_, nullptr, out[1]});
  };
};

constexpr const char* formula =
    "T times: y <- y - beta gy;  solve H v = fy;  x <- x - alpha (fx - J^T v)";

MethodEntry entry_of(const std::string& name, const AidOptions& options) {
  MethodEntry entry{
      .name = name,
      .summary = "inner steps, then the linear system by conjugate gradients",
      .formula = formula,
      .reference = "R. Grazzi, L. Franceschi, M. Pontil, S. Salzo, ICML 2020, arXiv:2006.16218",
      .assumes = "lower level strongly convex; the system is that of exact means",
      .fails =
          "where H is singular the system has no solution and v grows without bound, unless damped",
      .serves = {},
      .uses_products = true,
      .means_first = false};
  bind<Aid>(entry, options);
  return entry;
}

AidOptions with(const std::string& inverse) {
  AidOptions options;
  options.inverse.inverse = inverse;
  if (inverse == "neumann") options.inverse.solver_steps = 60;
  if (inverse == "identity") options.inverse.eta = 1;
  return options;
}

/// Single loop with STORM, steps falling like k^-1/3 and its weight like k^-2/3.
MethodEntry single_loop(const std::string& name, const std::string& truncation) {
  AidOptions options = with("neumann");
  options.inner_steps = 1;
  options.beta = 0.3;
  options.inverse.solver_steps = 10;
  options.inverse.truncation = truncation;
  options.schedule = {.upper_decay = 1.0 / 3, .lower_decay = 1.0 / 3, .decay_offset = 10};
  MethodEntry entry = entry_of(name, options);
  entry.formula =
      "with STORM: y <- y - beta gy;  v = Neumann series of fy;  x <- x - alpha (fx - J^T v)";
  entry.fails = "too few terms of the series are a bias: about (1 - eta mu)^Q of v is missing";
  entry.estimator = {estimator_catalog(), "storm",
                     StormOptions{.c = 1, .decay = 2.0 / 3, .decay_offset = 10}};
  return entry;
}

}  // namespace

static MethodEntry aid_cg_entry() {
  return entry_of("aid-cg", with("cg"));
}

static MethodEntry aid_neumann_entry() {
  MethodEntry entry = entry_of("aid-neumann", with("neumann"));
  entry.summary = "inner steps, then the linear system by a Neumann series";
  entry.reference = "J. Lorraine, P. Vicol, D. Duvenaud, AISTATS 2020, arXiv:1911.02590";
  entry.fails = "too few terms of the series are a bias: about (1 - eta mu)^Q of v is missing";
  return entry;
}

static MethodEntry aid_woodfisher_entry() {
  AidOptions options = with("woodfisher");  // steps for least squares
  options.inner_steps = 60;
  options.beta = 0.1;
  MethodEntry entry = entry_of("aid-woodfisher", options);
  entry.summary = "inner steps, then the linear system by the factors of H that the problem gives";
  entry.reference = "S. P. Singh, D. Alistarh, NeurIPS 2020, arXiv:2004.14340 (the recursion)";
  entry.assumes =
      "lower level with a Hessian that is a diagonal plus a mean of outer products; agents alike, "
      "or a lower level of each agent's own";
  entry.fails =
      "biased for a shared lower level of agents that differ: the mean of inverses; diverges "
      "where the diagonal is 0, unless damped";
  return entry;
}

static MethodEntry aid_identity_entry() {
  MethodEntry entry = entry_of("aid-identity", with("identity"));
  entry.summary = "inner steps, and eta in place of the inverse of H";
  entry.formula = "T times: y <- y - beta gy;  x <- x - alpha (fx - eta J^T fy)";
  entry.reference =
      "as in Y. Zhang et al., ICML 2022, arXiv:2112.12376 and NeurIPS 2022, arXiv:2210.04092";
  entry.fails = "biased unless H is a multiple of the identity";
  return entry;
}

static MethodEntry one_step_entry() {
  MethodEntry entry = entry_of("one-step", with("one-step"));
  entry.summary = "inner steps, then the derivative of one further step of y";
  entry.formula =
      "T times: y <- y - beta gy;  y' = y - eta gy;  x <- x - alpha (fx(x,y') - eta J^T fy(x,y'))";
  entry.reference = "H. Liu, K. Simonyan, Y. Yang, ICLR 2019, arXiv:1806.09055 (DARTS)";
  entry.fails = "biased unless eta is near the inverse of H";
  return entry;
}

static MethodEntry stocbio_entry() {
  AidOptions options = with("neumann");
  options.inner_steps = 10;
  options.inverse.solver_steps = 20;
  MethodEntry entry = entry_of("stocbio", options);
  entry.summary = "inner steps, then a Neumann series each of whose terms has a sample of its own";
  entry.reference = "K. Ji, J. Yang, Y. Liang, ICML 2021, arXiv:2010.07962";
  entry.fails = "too few terms of the series are a bias: about (1 - eta mu)^Q of v is missing";
  return entry;
}

static MethodEntry sustain_entry() {
  MethodEntry entry = single_loop("sustain", "random");
  entry.summary =
      "single loop with STORM on y and x unless another estimator is given; one random term of a "
      "Neumann series stands for their sum";
  entry.reference =
      "P. Khanduri, S. Zeng, M. Hong, H.-T. Wai, Z. Wang, Z. Yang, NeurIPS 2021, arXiv:2102.07367";
  return entry;
}

static MethodEntry mrbo_entry() {
  MethodEntry entry = single_loop("mrbo", "sum");
  entry.summary =
      "single loop with STORM on y and x unless another estimator is given; Neumann series";
  entry.reference = "J. Yang, K. Ji, Y. Liang, NeurIPS 2021, arXiv:2106.04692";
  return entry;
}

std::vector<MethodEntry> aid_parts() {
  return {aid_cg_entry(),   aid_neumann_entry(), aid_woodfisher_entry(), aid_identity_entry(),
          one_step_entry(), stocbio_entry(),     sustain_entry(),        mrbo_entry()};
}

}  // namespace echelon::detail

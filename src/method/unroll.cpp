#include "unroll.hpp"

#include <algorithm>

#include "entries.hpp"

namespace echelon::detail {

Unroll::Unroll(const MethodContext& context, const UnrollOptions& options)
    : problem_(context.problem),
      p_(problem_.upper_dimension()),
      q_(problem_.lower_dimension()),
      m_(context.network.agents().count()),
      options_(options),
      set_(problem_.lower_set()),
      mean_(context),
      given_start_(problem_.start_y()),
      x_(context.upper_variable("x")),
      y_(q_, m_),
      start_(q_, m_),
      moving_(q_, m_),
      direction_(p_, m_),
      estimator_(context.make_estimator({p_}, {p_, q_}, true)) {
  require(!options.start_at_x || p_ == q_, ErrorKind::usage, "method.start_at_x = yes: x has ", p_,
          " entries and y has ", q_, "; they must be as many");
  require(!options.start_at_x || !options.warm_start, ErrorKind::usage,
          "method.start_at_x and method.warm_start exclude each other; choose one");
  set_.project(given_start_);
  y_.colwise() = given_start_;
}

void Unroll::iterate(std::uint64_t k) {
  set_start();
  beta_ = options_.beta * options_.schedule.lower(k);
  const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
    moving_.copy_from(*at[1]);
    differentiate(sample, beta_, *at[0], moving_, *out[0]);
    const bool now = at[0] == &x_.value();  // estimators may ask at earlier points too
    if (now) y_.copy_from(moving_);
  };
  estimator_->estimate({.iteration = k}, {&x_.value(), &start_}, oracle, {&direction_});
  x_.descend(options_.alpha * options_.schedule.upper(k), direction_);
}

void Unroll::set_start() {
  if (options_.start_at_x) {
    start_.copy_from(x_);
    mean_(start_);
    project(start_, start_);
  } else if (options_.warm_start) {
    start_.copy_from(y_);
  } else {
    start_.colwise() = given_start_;
  }
}

void Unroll::visit_state(StateVisitor& visitor) {
  visitor.within("x", x_);
  visitor.per_agent("y", y_);
  visitor.within("estimator", *estimator_);
}

void Unroll::advance(double step, AgentView& direction, AgentView& y, AgentView& before) {
  mean_(direction);
  before = y - step * direction;
  project(before, y);
}

void Unroll::apply_projection_derivative(const AgentView& before, AgentView& adjoint) const {
  if (set_.is_whole_space()) return;
  parallel_for(m_, [&](int i) { set_.apply_derivative(before.col(i), adjoint.col(i)); });
}

void Unroll::project(const AgentView& point, AgentView& projected) const {
  parallel_for(m_, [&](int i) {
    projected.col(i) = point.col(i);
    set_.project(projected.col(i));
  });
}

namespace {

struct BackwardOptions : UnrollOptions {
  std::int64_t truncation = 0;
  bool first_order = false;
  ProductOptions product;

  void visit(OptionVisitor& visitor) {
    UnrollOptions::visit(visitor);
    visitor("truncation", truncation, at_least(0),
            "how many of the last steps are differentiated (K); 0 = all");
    visitor("first_order", first_order,
            "no step is differentiated, whatever the truncation: D = fx, plus fy if y starts at x "
            "(first-order MAML)");
    product.visit(visitor);
  }

  std::int64_t reversed_steps() const {
    if (first_order) return 0;
    return truncation == 0 ? inner_steps : std::min(truncation, inner_steps);
  }

  MethodCost cost() const {
    const auto forward = static_cast<double>(inner_steps);
    const auto back = static_cast<double>(reversed_steps());
    MethodCost cost{.y_steps = 0,
                    .p_exact = start_at_x ? 1.0 : 0.0,
                    .q_exact = forward + (start_at_x ? back + 1 : std::max(back, 1.0)),
                    .gradients = forward + 1};
    product.add_to(cost, back);
    return cost;
  }
};

/// d = grad_y g
class GradientSteps {
 public:
  GradientSteps(const MethodContext& context, const BackwardOptions& options)
      : problem_(context.problem), products_(context.problem, options.product) {}

  void direction(const Sample& sample, std::int64_t, const AgentView& x, const AgentView& y,
                 AgentView& d) {
    problem_.grad_g(sample, {{x, y, nullptr, &d}});
  }
  void products(const Sample& sample, std::int64_t, const AgentView& x, const AgentView& y,
                const AgentView& v, AgentView& hv, AgentView& jv) {
    products_(sample, {x, y, v, &hv, &jv});
  }

 private:
  BilevelProblem& problem_;
  Products products_;
};

struct SignOptions : UnrollOptions {
  MethodCost cost() const {
    return {.y_steps = 0,
            .p_exact = start_at_x ? 1.0 : 0.0,
            .q_exact = static_cast<double>(inner_steps) + (start_at_x ? 1 : 0),
            .gradients = static_cast<double>(inner_steps) + 1};
  }
};

/// Steps along signs, whose derivative is zero:
///
///     T times:  y <- P(y - beta sign(mean grad_y g(x, y)))
///     D = grad_x f(x, y);     where y starts at x:  D = grad_x f + mean grad_y f
class SignUnroll final : public Unroll {
 public:
  SignUnroll(const MethodContext& context, const SignOptions& options)
      : Unroll(context, options),
        steps_(options.inner_steps),
        from_x_(options.start_at_x),
        gy_(q_, m_),
        before_(q_, m_) {}

 private:
  void differentiate(const Sample& sample, double beta, const AgentView& x, AgentView& y,
                     AgentView& direction) override {
    for (std::int64_t t = 0; t < steps_; ++t) {
      problem_.grad_g(at_step(sample, t), {{x, y, nullptr, &gy_}});
      average(gy_);
      before_ = y - beta * gy_.array().sign().matrix();
      project(before_, y);
    }
    problem_.grad_f(at_step(sample, steps_), {{x, y, &direction, from_x_ ? &gy_ : nullptr}});
    if (!from_x_) return;
    average(gy_);
    direction += gy_;
  }

  std::int64_t steps_;
  bool from_x_;
  AgentMatrix gy_, before_;
};

}  // namespace

static MethodEntry unroll_backward_entry() {
  MethodEntry entry{
      .name = "unroll-backward",
      .summary =
          "differentiates f through all steps of the lower level, from the last to the "
          "first",
      .formula =
          "y_{t+1} = y_t - beta gy(x,y_t), t < T;  a = fy(x,y_T), D = fx(x,y_T);  "
          "t = T-1 .. 0: D <- D - beta J_t^T a, a <- a - beta H_t a;  x <- x - alpha D",
      .reference =
          "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785 "
          "(reverse hypergradient)",
      .assumes =
          "lower level strongly convex; the error of the gradient is about "
          "(1 - beta mu)^T, so T about 10 / (beta mu); keeps T copies of y",
      .fails =
          "biased with few or small steps of y; of several minimizers it takes the one next "
          "to the start",
      .serves = {.set = true},
      .uses_products = true,
      .means_first = false};
  bind<ReverseUnroll<GradientSteps>>(entry, BackwardOptions{});
  return entry;
}

static MethodEntry unroll_truncated_entry() {
  MethodEntry entry = unroll_backward_entry();
  entry.name = "unroll-truncated";
  entry.summary = "differentiates f through the last K steps of the lower level";
  entry.formula = "as unroll-backward, with t = T-1 .. T-K";
  entry.reference = "A. Shaban, C.-A. Cheng, N. Hatch, B. Boots, AISTATS 2019, arXiv:1810.10667";
  entry.assumes =
      "lower level strongly convex; the error of the gradient is about "
      "(1 - beta mu)^K; keeps K copies of y";
  BackwardOptions options;
  options.truncation = 20;
  options.warm_start = true;
  bind<ReverseUnroll<GradientSteps>>(entry, options);
  return entry;
}

static MethodEntry unroll_sign_entry() {
  MethodEntry entry{
      .name = "unroll-sign",
      .summary = "steps of the lower level along signs, without second derivatives",
      .formula =
          "T times: y <- y - beta sign(gy(x,y));  x <- x - alpha fx(x,y), "
          "plus alpha fy(x,y) if y starts at x",
      .reference = "C. Fan, P. Ram, S. Liu, 2021, arXiv:2109.07497 (Sign-MAML)",
      .assumes = "y starts at x, as in meta-learning",
      .fails =
          "sees nothing of how y depends on x: where y starts elsewhere, it descends grad_x f "
          "alone",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = false};
  SignOptions options;
  options.inner_steps = 5;
  options.beta = 0.01;
  bind<SignUnroll>(entry, options);
  return entry;
}

std::vector<MethodEntry> unroll_parts() {
  return {unroll_backward_entry(), unroll_truncated_entry(), unroll_sign_entry()};
}

}  // namespace echelon::detail

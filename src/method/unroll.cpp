#include "unroll.hpp"

#include <algorithm>

#include "entries.hpp"

namespace echelon::detail {

namespace {

struct BackwardOptions : UnrollOptions {
  std::int64_t truncation = 0;
  ProductOptions product;

  void visit(OptionVisitor& visitor) {
    UnrollOptions::visit(visitor);
    visitor("truncation", truncation, at_least(0),
            "how many of the last steps are differentiated (K); 0 = all");
    product.visit(visitor);
  }

  std::int64_t reversed_steps() const {
    return truncation == 0 ? inner_steps : std::min(truncation, inner_steps);
  }

  MethodCost cost() const {
    const auto forward = static_cast<double>(inner_steps);
    const auto back = static_cast<double>(reversed_steps());
    MethodCost cost{.y_steps = 0,
                    .p_exact = start_at_x ? 1.0 : 0.0,
                    .q_exact = forward + back + (start_at_x ? 1 : 0),
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
///     x <- x - alpha grad_x f(x, y);     with y_0 = x:  x <- x - alpha (grad_x f + mean grad_y f)
class SignUnroll final : public Method {
 public:
  SignUnroll(const MethodContext& context, const SignOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable("x")),
        lower_(context, options),
        fx_(problem_.upper_dimension(), context.network.agents().count()),
        fy_(problem_.lower_dimension(), context.network.agents().count()),
        before_(problem_.lower_dimension(), context.network.agents().count()) {}

  void iterate(std::uint64_t k) override {
    const double beta = options_.beta * options_.schedule.lower(k);
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    AgentMatrix& y = lower_.y();
    lower_.begin(x_);
    for (std::uint32_t t = 0; t < steps; ++t) {
      problem_.grad_g({.iteration = k, .step = t}, {{x_, y, nullptr, &fy_}});
      lower_.average(fy_);
      before_ = y - beta * fy_.array().sign().matrix();
      lower_.project(before_, y);
    }
    const bool wants_fy = options_.start_at_x;
    problem_.grad_f({.iteration = k, .step = steps}, {{x_, y, &fx_, wants_fy ? &fy_ : nullptr}});
    if (wants_fy) {
      lower_.average(fy_);
      fx_ += fy_;
    }
    x_.descend(options_.alpha * options_.schedule.upper(k), fx_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return lower_.y(); }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", lower_);
  }

 private:
  BilevelProblem& problem_;
  SignOptions options_;
  ConsensusVariable x_;
  UnrolledLower lower_;
  AgentMatrix fx_, fy_, before_;
};

}  // namespace

MethodEntry unroll_backward_entry() {
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
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<ReverseUnroll<GradientSteps>>(entry, BackwardOptions{});
  return entry;
}

MethodEntry unroll_truncated_entry() {
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

MethodEntry unroll_sign_entry() {
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
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  SignOptions options;
  options.inner_steps = 5;
  options.beta = 0.01;
  bind<SignUnroll>(entry, options);
  return entry;
}

}  // namespace echelon::detail

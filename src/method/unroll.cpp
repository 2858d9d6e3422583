#include "unroll.hpp"

namespace echelon::detail {

Unroll::Unroll(const MethodContext& its_context, const UnrollOptions& its_options)
    : ComposedMethod(its_context, its_options) {
  require(!options.start_at_x || p == q, ErrorKind::usage, "method.start_at_x = yes: x has ", p,
          " entries and y has ", q, "; they must be as many");
  require(!options.start_at_x || !options.warm_start, ErrorKind::usage,
          "method.start_at_x and method.warm_start exclude each other; choose one");
  set.project(given_start);
  y.colwise() = given_start;
  report_y(y);
}

void Unroll::iterate(std::uint64_t k) {
  beta = options.lower(k);
  set_start();
  hypergradient({.iteration = k});
  x.descend(options.upper(k), D);
}

void Unroll::set_start() {
  if (options.start_at_x) {
    start.copy_from(x);
    mean(start);
    project(start, start);
  } else if (options.warm_start) {
    start.copy_from(y);
  } else {
    start.colwise() = given_start;
  }
}

void Unroll::advance(AgentView& d, AgentView& before) {
  mean(d);
  before = y_t - beta * d;
  project(before, y_t);
}

void Unroll::apply_projection_derivative(const AgentView& before, AgentView& adjoint) const {
  if (set.is_whole_space()) return;
  parallel_for(m, [&](int i) { set.apply_derivative(before.col(i), adjoint.col(i)); });
}

void Unroll::project(const AgentView& point, AgentView& projected) const {
  parallel_for(m, [&](int i) {
    projected.col(i) = point.col(i);
    set.project(projected.col(i));
  });
}

ReverseUnroll::ReverseUnroll(const MethodContext& its_context, const ReverseOptions& its_options)
    : Unroll(its_context, its_options),
      products(problem, its_options.products),
      last(its_options.inner_steps),
      first(last - its_options.reversed_steps()) {
  require(first == 0 || first == last || !options.start_at_x, ErrorKind::usage,
          "method.start_at_x = yes needs the derivative of all steps, or of none; set "
          "method.truncation = 0, or method.first_order = yes");
  for (std::int64_t t = first; t <= last; ++t) path_.emplace_back(q, m);
}

void ReverseUnroll::differentiate(const Evaluation& call) {
  path(0).copy_from(y_t);
  for (std::int64_t t = 0; t < last; ++t) {
    find_direction(call.at_step(t), t);
    advance(d, path(t + 1));
  }
  upper(call.at_step(last));
  AgentView& direction = call.into(D);
  mean(a);
  for (std::int64_t t = last - 1; t >= first; --t) {
    apply_projection_derivative(path(t + 1), a);
    project(path(t), y_back);
    pull_back(call.at_step(t), t);
    direction -= beta * jv;
    if (t == first && !options.start_at_x) break;
    mean(hv);
    a -= beta * hv;
  }
  if (options.start_at_x) direction += a;
}

namespace {

struct BackwardOptions : ReverseOptions {
  void visit(OptionVisitor& visitor) {
    UnrollOptions::visit(visitor);
    visitor("truncation", truncation, at_least(0),
            "number of last steps that are differentiated (K); 0 = all");
    visitor("first_order", first_order,
            "no step is differentiated, whatever the truncation: D = fx, plus fy if y starts at x "
            "(first-order MAML)");
    products.visit(visitor);
  }
};

class BackwardUnroll final : public ReverseUnroll {
 public:
  using Options = BackwardOptions;
  using ReverseUnroll::ReverseUnroll;
};

/// Steps along signs, whose derivative is zero:
///
///     T times:  y <- P(y - beta sign(mean grad_y g(x, y)))
///     D = grad_x f(x, y);     where y starts at x:  D = grad_x f + mean grad_y f
class SignUnroll final : public Unroll {
 public:
  using Unroll::Unroll;

 private:
  void differentiate(const Evaluation& call) override {
    for (std::int64_t t = 0; t < options.inner_steps; ++t) {
      lower(call.at_step(t));
      mean(gy);
      before = y_t - beta * gy.array().sign().matrix();
      project(before, y_t);
    }
    upper(call.at_step(options.inner_steps));
    if (!options.start_at_x) return;
    mean(fy);
    call.into(D) += fy;
  }

  Block before{q, m};
  Gradient gy = dg_dy(x, y_t), fy = df_dy(x, y_t);
  Direct lower{*this, {&gy}}, upper{*this, {&D, options.start_at_x ? &fy : nullptr}};
};

MethodEntry unroll_backward() {
  return method_entry<BackwardUnroll>(
      {.name = "unroll-backward",
       .summary = "differentiates f through all steps of the lower level, from the last to the "
                  "first",
       .formula = "y_{t+1} = y_t - beta gy(x,y_t), t < T;  a = fy(x,y_T), D = fx(x,y_T);  "
                  "t = T-1 .. 0: D <- D - beta J_t^T a, a <- a - beta H_t a;  x <- x - alpha D",
       .reference = "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, "
                    "arXiv:1703.01785 (reverse hypergradient)",
       .assumes = "lower level strongly convex; the error of the gradient is about "
                  "(1 - beta mu)^T, so T about 10 / (beta mu); keeps T copies of y",
       .fails = "biased with few or small steps of y; of several minimizers it takes the one next "
                "to the start",
       .serves = {.set = true},
       .uses_products = true});
}

MethodEntry unroll_truncated() {
  MethodEntry entry = unroll_backward();
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
  entry.options = options;
  return entry;
}

MethodEntry unroll_sign() {
  MethodEntry entry = method_entry<SignUnroll>(
      {.name = "unroll-sign",
       .summary = "steps of the lower level along signs, without second derivatives",
       .formula = "T times: y <- y - beta sign(gy(x,y));  x <- x - alpha fx(x,y), "
                  "plus alpha fy(x,y) if y starts at x",
       .reference = "C. Fan, P. Ram, S. Liu, 2021, arXiv:2109.07497 (Sign-MAML)",
       .assumes = "y starts at x, as in meta-learning",
       .fails = "sees nothing of how y depends on x: where y starts elsewhere, it descends grad_x "
                "f alone",
       .serves = {.set = true}});
  UnrollOptions options;
  options.inner_steps = 5;
  options.beta = 0.01;
  entry.options = options;
  return entry;
}

}  // namespace

std::vector<MethodEntry> unroll_parts() {
  return {unroll_backward(), unroll_truncated(), unroll_sign()};
}

}  // namespace echelon::detail

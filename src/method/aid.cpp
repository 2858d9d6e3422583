#include "inverse.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct AidOptions : NestedSteps {
  InverseOptions inverse;
  ProductOptions products;

  void visit(OptionVisitor& visitor) {
    NestedSteps::visit(visitor);
    inverse.visit(visitor);
    products.visit(visitor);
  }

  Varies varies() const { return inverse.varies(); }
};

/// Approximate implicit differentiation, H = d2g/dy2, J = d2g/dydx:
///
///     T times:  y <- y - beta grad_y g(x, y)                               y goes on from its last
///     solve     H(x, y) v = grad_y f(x, y)                                 as `inverse` says
///     x <- x - alpha (grad_x f(x, y) - J(x, y)'v)
///
/// For a shared lower level the system is that of the means, which are exact; it starts anew at
/// each x, and its transient would otherwise enter the solution. `one-step` takes the gradient of f
/// at y - eta grad_y g and v = eta grad_y f. An estimator stands before the steps of y and before
/// the whole direction of x.
class Aid final : public ComposedMethod<AidOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const Steps steps{k, options.inner_steps};
    for (const Sample& step : steps) {
      lower(step);
      y.descend(options.lower(k), gy);
    }
    hypergradient(steps.next());
    x.descend(options.upper(k), fx - jv);
  }

 private:
  void differentiate(const Evaluation& call) {
    if (options.inverse.one_step()) {
      slope(call);
      mean(gy);
      ahead = call.at(y) - options.inverse.eta * gy;
    }
    upper(call);
    mean(v);
    solve(call, v);
    cross(call);
  }

  Upper x{*this, "x"};
  Lower y{*this, "y"};
  Products products{problem, options.products};
  InverseHessian solve{*this, options.inverse, products, x, y};
  ExactMean mean{context, options.inverse.alone};
  Block ahead{q, m};
  const AgentView& end =
      options.inverse.one_step() ? static_cast<const AgentView&>(ahead) : y.value();
  Gradient gy = dg_dy(x, y), fx = df_dx(x, end), v = df_dy(x, end);  // v: grad_y f, then solved
  Product jv = cross_times(products, x, y, v);
  Together lower{*this, {&gy}};
  Direct slope{*this, {&gy}}, upper{*this, {&fx, &v}}, cross{*this, {&jv}};
  Together hypergradient{*this,
                         {.outputs = {&fx, &jv},
                          .at = {&x.value(), &y.value()},
                          .evaluate = [this](const Evaluation& call) { differentiate(call); },
                          .collective = true}};
};

AidOptions with(const std::string& inverse, std::int64_t inner_steps = 20,
                std::int64_t solver_steps = 20) {
  AidOptions options;
  options.inner_steps = inner_steps;
  options.inverse.inverse = inverse;
  options.inverse.solver_steps = solver_steps;
  return options;
}

/// What `texts` leaves open is that of aid-cg.
MethodEntry entry_of(MethodEntry texts, const AidOptions& options) {
  const auto complete = [](std::string& text, const char* usual) {
    if (text.empty()) text = usual;
  };
  complete(texts.formula,
           "T times: y <- y - beta gy;  solve H v = fy;  x <- x - alpha (fx - J^T v)");
  complete(texts.assumes, "lower level strongly convex; the system is that of exact means");
  complete(texts.fails,
           "too few terms of the series add a bias: about (1 - eta mu)^Q of v is missing");
  texts.uses_products = true;
  MethodEntry entry = method_entry<Aid>(std::move(texts));
  entry.options = options;
  return entry;
}

/// Single loop with STORM, steps falling like k^-1/3 and its weight like k^-2/3.
MethodEntry single_loop(MethodEntry texts, const std::string& truncation) {
  AidOptions options = with("neumann", 1, 10);
  options.beta = 0.3;
  options.inverse.truncation = truncation;
  options.schedule = {.upper_decay = 1.0 / 3, .lower_decay = 1.0 / 3, .decay_offset = 10};
  texts.formula =
      "with STORM: y <- y - beta gy;  v = Neumann series of fy;  x <- x - alpha (fx - J^T v)";
  texts.estimator = {estimator_catalog(), "storm",
                     StormOptions{.c = 1, .decay = 2.0 / 3, .decay_offset = 10}};
  return entry_of(std::move(texts), options);
}

MethodEntry aid_woodfisher() {
  AidOptions options = with("woodfisher", 60);
  options.beta = 0.1;  // for least squares
  return entry_of(
      {.name = "aid-woodfisher",
       .summary = "inner steps, then the linear system by the factors of H that the problem gives",
       .reference = "S. P. Singh, D. Alistarh, NeurIPS 2020, arXiv:2004.14340 (the recursion)",
       .assumes = "the Hessian of the lower level is a diagonal plus a mean of outer products; "
                  "agents are alike, or have lower levels of their own",
       .fails = "biased for a shared lower level of agents that differ: the mean of inverses; "
                "diverges where the diagonal is 0, unless damped"},
      options);
}

MethodEntry aid_identity() {
  AidOptions options = with("identity");
  options.inverse.eta = 1;
  return entry_of(
      {.name = "aid-identity",
       .summary = "inner steps, and eta in place of the inverse of H",
       .formula = "T times: y <- y - beta gy;  x <- x - alpha (fx - eta J^T fy)",
       .reference =
           "as in Y. Zhang et al., ICML 2022, arXiv:2112.12376 and NeurIPS 2022, arXiv:2210.04092",
       .fails = "biased unless H is a multiple of the identity"},
      options);
}

}  // namespace

std::vector<MethodEntry> aid_parts() {
  return {
      entry_of(
          {.name = "aid-cg",
           .summary = "inner steps, then the linear system by conjugate gradients",
           .reference = "R. Grazzi, L. Franceschi, M. Pontil, S. Salzo, ICML 2020, "
                        "arXiv:2006.16218",
           .fails = "where H is singular the system has no solution and v grows without bound, "
                    "unless damped"},
          with("cg")),
      entry_of({.name = "aid-neumann",
                .summary = "inner steps, then the linear system by a Neumann series",
                .reference = "J. Lorraine, P. Vicol, D. Duvenaud, AISTATS 2020, arXiv:1911.02590"},
               with("neumann", 20, 60)),
      aid_woodfisher(),
      aid_identity(),
      entry_of({.name = "one-step",
                .summary = "inner steps, then the derivative of one further step of y",
                .formula = "T times: y <- y - beta gy;  y' = y - eta gy;  "
                           "x <- x - alpha (fx(x,y') - eta J^T fy(x,y'))",
                .reference = "H. Liu, K. Simonyan, Y. Yang, ICLR 2019, arXiv:1806.09055 (DARTS)",
                .fails = "biased unless eta is near the inverse of H"},
               with("one-step")),
      entry_of({.name = "stocbio",
                .summary = "inner steps, then a Neumann series whose terms use independent samples",
                .reference = "K. Ji, J. Yang, Y. Liang, ICML 2021, arXiv:2010.07962"},
               with("neumann", 10, 20)),
      single_loop({.name = "sustain",
                   .summary = "single loop with STORM on y and x unless another estimator is "
                              "given; one random term of a Neumann series replaces their sum",
                   .reference = "P. Khanduri, S. Zeng, M. Hong, H.-T. Wai, Z. Wang, Z. Yang, "
                                "NeurIPS 2021, arXiv:2102.07367"},
                  "random"),
      single_loop({.name = "mrbo",
                   .summary = "single loop with STORM on y and x unless another estimator is "
                              "given; Neumann series",
                   .reference = "J. Yang, K. Ji, Y. Liang, NeurIPS 2021, arXiv:2106.04692"},
                  "sum")};
}

}  // namespace echelon::detail

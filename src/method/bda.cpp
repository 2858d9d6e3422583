#include "entries.hpp"
#include "unroll.hpp"

namespace echelon::detail {

namespace {

struct BdaOptions : UnrollOptions {
  double weight = 0.5;
  double upper_scale = 1;
  double lower_scale = 1;
  ProductOptions product;

  BdaOptions() { inner_steps = 200; }

  void visit(OptionVisitor& visitor) {
    UnrollOptions::visit(visitor);
    visitor("weight", weight, between(0, 1),
            "share of grad_y f in the first step of y (a0); it falls like 1 / (t + 1)");
    visitor("upper_scale", upper_scale, above(0), "factor of grad_y f (s_u)");
    visitor("lower_scale", lower_scale, above(0), "factor of grad_y g (s_l)");
    product.visit(visitor);
  }

  std::int64_t reversed_steps() const { return inner_steps; }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    const double from_x = start_at_x ? 1 : 0;
    MethodCost cost{.y_steps = 0,
                    .p_exact = from_x,
                    .q_exact = 2 * steps + from_x,
                    .gradients = 2 * steps + 1 + 2 * steps};  // products of f: by differences
    product.add_to(cost, steps);
    return cost;
  }
};

/// Bi-level descent aggregation: the lower level steps along both objectives, so that of many
/// minimizers it takes the one that is best for f.
///
///     d_t = a_t s_u grad_y f(x, y) + (1 - a_t) s_l grad_y g(x, y),   a_t = a0 / (t + 1)
class AggregatedSteps {
 public:
  AggregatedSteps(const MethodContext& context, const BdaOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.product),
        fy_(problem_.lower_dimension(), context.network.agents().count()),
        hv_(problem_.lower_dimension(), context.network.agents().count()),
        jv_(problem_.upper_dimension(), context.network.agents().count()) {}

  void direction(const Sample& sample, std::int64_t t, const AgentView& x, const AgentView& y,
                 AgentView& d) {
    problem_.grad_f(sample, {{x, y, nullptr, &fy_}});
    problem_.grad_g(sample, {{x, y, nullptr, &d}});
    d = of_upper(t) * fy_ + of_lower(t) * d;
  }

  void products(const Sample& sample, std::int64_t t, const AgentView& x, const AgentView& y,
                const AgentView& v, AgentView& hv, AgentView& jv) {
    problem_.difference_product(sample, {x, y, v, &hv_, &jv_}, options_.product.difference(),
                                Level::upper);
    products_(sample, {x, y, v, &hv, &jv});
    hv = of_upper(t) * hv_ + of_lower(t) * hv;
    jv = of_upper(t) * jv_ + of_lower(t) * jv;
  }

 private:
  double share(std::int64_t t) const { return options_.weight / static_cast<double>(t + 1); }
  double of_upper(std::int64_t t) const { return share(t) * options_.upper_scale; }
  double of_lower(std::int64_t t) const { return (1 - share(t)) * options_.lower_scale; }

  BilevelProblem& problem_;
  BdaOptions options_;
  Products products_;
  AgentMatrix fy_, hv_, jv_;
};

}  // namespace

static MethodEntry bda_entry() {
  MethodEntry entry{
      .name = "bda",
      .summary = "unrolled steps of the lower level that also descend f, less and less",
      .formula =
          "y_{t+1} = y_t - beta (a_t s_u fy + (1 - a_t) s_l gy), a_t = a0/(t+1), t < T;  "
          "x <- x - alpha d f(x, y_T(x)) / dx, in reverse mode",
      .reference = "R. Liu, P. Mu, X. Yuan, S. Zeng, J. Zhang, ICML 2020, arXiv:2006.04045",
      .assumes = "lower level convex, maybe with many minimizers; keeps T copies of y",
      .fails = "biased by about 1 / T; where F jumps at the optimum it ends beside the jump",
      .serves = {.set = true},
      .uses_products = true,
      .means_first = false};
  bind<ReverseUnroll<AggregatedSteps>>(entry, BdaOptions{});
  return entry;
}

std::vector<MethodEntry> bda_parts() {
  return {bda_entry()};
}

}  // namespace echelon::detail

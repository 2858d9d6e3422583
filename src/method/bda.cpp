#include "unroll.hpp"

namespace echelon::detail {

namespace {

struct BdaOptions : ReverseOptions {
  double weight = 0.5, upper_scale = 1, lower_scale = 1;

  BdaOptions() { inner_steps = 200; }

  void visit(OptionVisitor& visitor) {
    UnrollOptions::visit(visitor);
    visitor("weight", weight, between(0, 1),
            "share of grad_y f in the first step of y (a0); it falls like 1 / (t + 1)");
    visitor("upper_scale", upper_scale, above(0), "factor of grad_y f (s_u)");
    visitor("lower_scale", lower_scale, above(0), "factor of grad_y g (s_l)");
    products.visit(visitor);
  }

  /// Factors of grad_y f and grad_y g in step t.
  double of_upper(std::int64_t t) const { return share(t) * upper_scale; }
  double of_lower(std::int64_t t) const { return (1 - share(t)) * lower_scale; }
  double share(std::int64_t t) const { return weight / static_cast<double>(t + 1); }
};

/// Bi-level descent aggregation: the lower level steps along both objectives, so that of many
/// minimizers it takes the one that is best for f.
///
///     d_t = a_t s_u grad_y f(x, y) + (1 - a_t) s_l grad_y g(x, y),   a_t = a0 / (t + 1)
class Bda final : public ReverseUnroll {
 public:
  using Options = BdaOptions;
  Bda(const MethodContext& its_context, const Options& its_options)
      : ReverseUnroll(its_context, its_options), weights(its_options) {}

 private:
  void find_direction(const Evaluation& call, std::int64_t t) override {
    both_levels(call);
    d = weights.of_upper(t) * fy + weights.of_lower(t) * d;
  }

  void pull_back(const Evaluation& call, std::int64_t t) override {
    problem.difference_product(call.sample(), {call.at(x), y_back, a, &hv_f, &jv_f},
                               weights.products.difference(), Level::upper);
    second(call);
    hv = weights.of_upper(t) * hv_f + weights.of_lower(t) * hv;
    jv = weights.of_upper(t) * jv_f + weights.of_lower(t) * jv;
  }

  const BdaOptions weights;
  Block hv_f{q, m}, jv_f{p, m};  // products of f, always by differences
  Gradient fy = df_dy(x, y_t);
  Direct both_levels{*this, {&fy, &d}};
};

}  // namespace

std::vector<MethodEntry> bda_parts() {
  return {method_entry<Bda>(
      {.name = "bda",
       .summary = "unrolled steps of the lower level that also descend f, less and less",
       .formula = "y_{t+1} = y_t - beta (a_t s_u fy + (1 - a_t) s_l gy), a_t = a0/(t+1), t < T;  "
                  "x <- x - alpha d f(x, y_T(x)) / dx, in reverse mode",
       .reference = "R. Liu, P. Mu, X. Yuan, S. Zeng, J. Zhang, ICML 2020, arXiv:2006.04045",
       .assumes = "lower level convex, maybe with many minimizers; keeps T copies of y",
       .fails = "biased by about 1 / T; where F jumps at the optimum it ends beside the jump",
       .serves = {.set = true},
       .uses_products = true})};
}

}  // namespace echelon::detail

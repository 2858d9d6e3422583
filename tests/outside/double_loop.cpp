#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct DoubleLoopOptions {
  std::int64_t inner_steps = 10;
  double alpha = 0.1;
  double beta = 0.3;
  ProductOptions products;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y and v before each step of x");
    visitor("alpha", alpha, at_least(0), "step size of x");
    visitor("beta", beta, at_least(0), "step size of y and v; about 1 / L_g");
    products.visit(visitor);
  }
};

/// T times: y <- y - beta gy, v <- v - beta (H v - fy);  then x <- x - alpha (fx - J'v).
class DoubleLoop final : public ComposedMethod<DoubleLoopOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    const Steps steps{k, options.inner_steps};
    for (const Sample& step : steps) {
      inner(step);
      y.descend(options.beta, gy);
      v.descend(options.beta, hv - fy);
    }
    outer(steps.next());
    x.descend(options.alpha, fx - jv);
  }

 private:
  Upper x{*this, "x"};
  Lower y{*this, "y"};
  Auxiliary v{*this, "v"};
  Products products{problem, options.products};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gy = dg_dy(x, y);
  Product hv = hessian_times(products, x, y, v), jv = cross_times(products, x, y, v);
  Together inner{*this, {&fy, &gy, &hv}}, outer{*this, {&fx, &jv}};
};

}  // namespace

MethodEntry double_loop() {
  return method_entry<DoubleLoop>({
      .name = "double-loop",
      .summary = "several steps of y and v before each step of x",
      .formula = "T times: y <- y - beta gy, v <- v - beta (H v - fy);  x <- x - alpha (fx - J'v)",
      .reference = "",
      .assumes = "lower level strongly convex",
      .fails = "where the lower level has several minimizers",
      .uses_products = true,
  });
}

}  // namespace outside

#include <algorithm>
#include <cmath>
#include <numbers>

#include "adam.hpp"

namespace echelon::detail {

namespace {

struct ScaleBioOptions {
  double alpha = 0.001, beta = 0.01, gamma = 0.01, lambda = 10, weight_decay = 0;
  std::int64_t horizon = 0;
  AdamOptions adam;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0),
            "step of x, per entry and iteration; well below those of y and z");
    visitor("beta", beta, at_least(0), "step of y, per entry and iteration");
    visitor("gamma", gamma, at_least(0), "step of z, per entry and iteration");
    visitor("lambda", lambda, above(0), "penalty weight; the bias of x is about 1 / lambda");
    visitor("horizon", horizon, at_least(0),
            "iterations K over which steps fall to 0 as (1 + cos(pi k / K)) / 2; 0 = constant");
    visitor("weight_decay", weight_decay, at_least(0),
            "y also shrinks by beta times this; 5e-4 for neural networks");
    adam.visit(visitor);
  }

  double cosine(std::uint64_t k) const {
    if (horizon == 0) return 1;
    const double done = std::min(1.0, static_cast<double>(k) / static_cast<double>(horizon));
    return (1 + std::cos(std::numbers::pi * done)) / 2;
  }
};

/// The directions of f2ba, all at the old (x, y, z) and with one sample; each variable takes one
/// step of AdamW along the network mean of its own:
///
///     z: grad_y g(x, z)          y: grad_y f(x, y) + lambda grad_y g(x, y)
///     x: grad_x f(x, y) + lambda (grad_x g(x, y) - grad_x g(x, z))
class ScaleBio final : public ComposedMethod<ScaleBioOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    directions({.iteration = k});
    means.update();
    const double decay = options.cosine(k);
    z.descend(options.gamma * decay, adam_z.direction(k, means(dz), z));
    y.descend(options.beta * decay, adam_y.direction(k, means(dy), y, options.weight_decay));
    x.descend(options.alpha * decay, adam_x.direction(k, means(dx), x));
  }

 private:
  void find_directions(const Evaluation& call) {
    gradients(call);
    AgentView &to_x = call.into(dx), &to_y = call.into(dy);
    parallel_for(m, [&](int i) {
      to_x.col(i) = fx.col(i) + options.lambda * (to_x.col(i) - gx_z.col(i));
      to_y.col(i) = fy.col(i) + options.lambda * to_y.col(i);
    });
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"}, z{*this, "z"};
  Gradient fx = df_dx(x, y), fy = df_dy(x, y), gx_z = dg_dx(x, z);
  /// Directions, at first the gradients of g.
  Gradient dx = dg_dx(x, y), dy = dg_dy(x, y), dz = dg_dy(x, z);
  Means means{*this, "scalebio", {&dx, &dy, &dz}};
  Direct gradients{*this, {&fx, &fy, &dx, &dy, &gx_z, &dz}};
  Together directions{*this,
                      {.outputs = {&dx, &dy, &dz},
                       .at = {&x.value(), &y.value(), &z.value()},
                       .evaluate = [this](const Evaluation& call) { find_directions(call); }}};
  Adam adam_x{*this, "adam_x", options.adam, x}, adam_y{*this, "adam_y", options.adam, y};
  Adam adam_z{*this, "adam_z", options.adam, z};
};

}  // namespace

std::vector<MethodEntry> scalebio_parts() {
  return {method_entry<ScaleBio>(
      {.name = "scalebio",
       .summary = "penalty with a step of AdamW for each variable; for large networks",
       .formula = "AdamW along z: gy(x,z);  y: fy + lambda gy(x,y);  "
                  "x: fx + lambda (gx(x,y) - gx(x,z))",
       .reference = "R. Pan et al., 2024, arXiv:2406.19976",
       .assumes = "lower level strongly convex; x is biased by about 1 / lambda",
       .fails = "steps have the length of alpha, beta and gamma whatever the gradients: an x as "
                "fast as y and z runs away from them",
       .serves = {.set = true},
       .means_first = true})};
}

}  // namespace echelon::detail

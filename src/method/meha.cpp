#include <cmath>

#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct MehaOptions : JointSteps {
  MehaOptions() { alpha = beta = gamma = 0.1; }
  double smoothing = 1, lambda = 2, lambda_exponent = 0.48;

  void visit(OptionVisitor& visitor) {
    JointSteps::visit(visitor, "theta");
    visitor("smoothing", smoothing, above(0),
            "gamma of the Moreau envelope min over u of g(x, u) + |u - y|^2 / 2 gamma");
    visitor("lambda", lambda, above(0),
            "penalty weight c at k = 0, which divides f; the bias of x is about 1 / c");
    visitor("lambda_exponent", lambda_exponent, {.low = 0, .high = 0.5, .high_open = true},
            "e in lambda (k + 1)^e");
  }

  double penalty(std::uint64_t k) const {
    return lambda * std::pow(static_cast<double>(k) + 1, lambda_exponent);
  }
};

/// Penalty on the gap to the Moreau envelope of a lower level g = g_s + r, r with a proximal map.
/// Single loop, Gauss-Seidel; c = lambda (k + 1)^e, theta starts at y:
///
///     theta <- prox_{gamma r(x,.)}(theta - gamma (grad_y g_s(x, theta) + (theta - y) / smoothing))
///     x     <- x - alpha (grad_x f(x, y) / c + grad_x g(x, y) - grad_x g(x, theta))
///     y     <- prox_{beta r(x,.)}(y - beta (grad_y f(x, y) / c + grad_y g_s(x, y)
///                                           - (y - theta) / smoothing))
class Meha final : public ComposedMethod<MehaOptions> {
 public:
  Meha(const MethodContext& its_context, const MehaOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    if (!problem.has_nonsmooth_term()) return;
    y.require_mappable("the lower level has a proximal map");
    theta.require_mappable("the lower level has a proximal map");
  }

  void iterate(std::uint64_t k) override {
    const double c = options.penalty(k);
    of_theta({.iteration = k, .step = 0});
    theta.descend(options.of_copy(k), gy_theta + (theta.value() - y.value()) / options.smoothing);
    take_prox(theta, options.of_copy(k));
    of_x({.iteration = k, .step = 1});
    x.descend(options.upper(k), fx / c + gx_y - gx_theta);
    of_y({.iteration = k, .step = 2});
    y.descend(options.lower(k), fy / c + gy_y - (y.value() - theta.value()) / options.smoothing);
    take_prox(y, options.lower(k));
  }

 private:
  /// Of step r(x, .) at each agent's own x.
  void take_prox(ConsensusVariable& variable, double step) {
    if (!problem.has_nonsmooth_term()) return;
    const AgentView& at = x;
    variable.map([&](int i, ConsensusVariable::Vector column) {
      problem.lower_prox(step, ConstVector(at.data() + i * at.outerStride(), p), column);
    });
  }

  Upper x{*this, "x"};
  Lower y{*this, "y"};
  LowerCopy theta{*this, "theta"};
  Gradient fx = df_dx(x, y), gx_y = dg_dx(x, y), gx_theta = dg_dx(x, theta);
  Gradient fy = df_dy(x, y), gy_y = dg_dy(x, y), gy_theta = dg_dy(x, theta);
  Together of_theta{*this, {&gy_theta}}, of_x{*this, {&fx, &gx_y, &gx_theta}};
  Together of_y{*this, {&fy, &gy_y}};
};

}  // namespace

std::vector<MethodEntry> meha_parts() {
  return {method_entry<Meha>(
      {.name = "meha",
       .summary = "single loop on a Moreau envelope; lower levels with a proximal map",
       .formula = "theta <- prox(theta - gamma (gy(x,theta) + (theta - y)/s));  "
                  "x <- x - alpha (fx/c + gx(x,y) - gx(x,theta));  "
                  "y <- prox(y - beta (fy/c + gy(x,y) - (y - theta)/s));  c = lambda (k + 1)^e",
       .reference = "R. Liu, Z. Liu, W. Yao, S. Zeng, J. Zhang, ICML 2024, arXiv:2405.09927",
       .assumes = "lower level smooth plus a weakly convex term, 1 / smoothing above twice its "
                  "weak convexity; x is biased by about 1 / c",
       .fails = "where the lower level is not convex, only stationarity is certified; freezes "
                "where the nonsmooth term holds all of y at a kink",
       .serves = {.set = true, .nonsmooth = true}})};
}

}  // namespace echelon::detail

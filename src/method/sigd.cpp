#include "constrained_lower.hpp"
#include "echelon/core/random.hpp"

namespace echelon::detail {

namespace {

struct SigdOptions : ConstrainedOptions {
  double alpha = 0.05;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x; about .1 / sqrt(run.iterations)");
    ConstrainedOptions::visit(visitor);
    schedule.visit(visitor);
  }
};

/// x <- P(x - alpha D(x)), with one perturbation for all iterations.
class Sigd final : public ComposedMethod<SigdOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    lower.differentiate(k, 0);
    x.descend(options.alpha * options.schedule.upper(k), lower.direction);
  }

 private:
  Upper x{*this, "x"};
  ConstrainedLower lower{*this, options, x};
};

struct DsBloOptions : ConstrainedOptions {
  double momentum = 0.9, norm_weight = 20, norm_offset = 20;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("momentum", momentum, between(0, 0.999), "weight of the last direction");
    visitor("norm_weight", norm_weight, at_least(0),
            "gamma_1 of the step 1 / (gamma_1 |r| + gamma_2); x moves at most by 1 / gamma_1");
    visitor("norm_offset", norm_offset, above(0), "gamma_2 of the step");
    ConstrainedOptions::visit(visitor);
    schedule.visit(visitor);
  }
};

/// A fresh perturbation in each iteration, and the gradient at a random point of the last step:
///
///     xbar ~ U[x_old, x];   r <- beta r + (1 - beta) D(xbar)
///     x <- P(x - r / (gamma_1 |mean r| + gamma_2))
class DsBlo final : public ComposedMethod<DsBloOptions> {
 public:
  DsBlo(const MethodContext& its_context, const DsBloOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    last_x.copy_from(x);
  }

  void iterate(std::uint64_t k) override {
    const double share = Draws(context.seed, Purpose::perturbation, 0, k, 1).uniform();
    between = last_x + share * (x.value() - last_x);
    lower.differentiate(k, k);
    r = options.momentum * r + (1 - options.momentum) * lower.direction;
    VectorXd mean;
    network.mean(r, mean);
    const double norm = options.norm_weight * mean.norm() + options.norm_offset;
    last_x.copy_from(x);
    x.descend(options.schedule.upper(k) / norm, r);
  }

 private:
  Upper x{*this, "x"};
  Carried last_x{*this, "last_x", p}, r{*this, "momentum", p};
  Block between{p, m};
  ConstrainedLower lower{*this, options, between};
};

}  // namespace

std::vector<MethodEntry> sigd_parts() {
  MethodEntry sigd{
      .name = "sigd",
      .summary =
          "implicit gradient of a lower level with linear inequalities, from its active rows",
      .formula =
          "y* = argmin g(x,y) + <q,y> s.t. A y + B x <= c, active rows (N, E);  "
          "[H N^T; N 0] (v,w) = (fy,0);  x <- P(x - alpha (fx - J^T v - E^T w))",
      .reference =
          "P. Khanduri, I. Tsaknakis, Y. Zhang, J. Liu, S. Liu, J. Zhang, M. Hong, "
          "ICML 2023",
      .assumes = "g convex in y and its solution unique; few lower unknowns (dense matrices)",
      .fails = "jumps between gradients where the active rows change",
      .serves = {.set = true, .inequalities = true},
      .uses_products = true};
  MethodEntry ds_blo = sigd;
  ds_blo.name = "ds-blo";
  ds_blo.summary = "sigd with fresh perturbations, momentum and steps of bounded length";
  ds_blo.formula =
      "D as sigd, at xbar ~ U[x_old, x] and with a new q;  "
      "m <- beta m + (1-beta) D;  x <- P(x - m/(gamma_1 |m| + gamma_2))";
  ds_blo.reference = "P. Khanduri, I. Tsaknakis, Y. Zhang, S. Liu, M. Hong, 2025, arXiv:2504.04545";
  return {method_entry<Sigd>(sigd), method_entry<DsBlo>(ds_blo)};
}

}  // namespace echelon::detail

#include "echelon/method/terms.hpp"

namespace echelon::detail {

namespace {

struct LowerOnlyOptions {
  double beta = 0.1;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("beta", beta, at_least(0), "step size of y; below 2 / L_g");
    schedule.visit(visitor);
  }
};

/// The lower level alone, at the x where the problem starts:
///
///     y <- y - beta grad_y g(x, y)
///
/// With local-server this is federated averaging.
class LowerOnly final : public ComposedMethod<LowerOnlyOptions> {
 public:
  LowerOnly(const MethodContext& its_context, const LowerOnlyOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    VectorXd start = problem.start_x();
    problem.upper_set().project(start);
    x.colwise() = start;
    report_x(x);
  }

  void iterate(std::uint64_t k) override {
    gradient({.iteration = k});
    y.descend(options.beta * options.schedule.lower(k), gy);
  }

 private:
  Carried x{*this, "x/value", p};
  Lower y{*this, "y"};
  Gradient gy = dg_dy(x, y);
  Together gradient{*this, {&gy}};
};

}  // namespace

std::vector<MethodEntry> lower_only_parts() {
  return {method_entry<LowerOnly>(
      {.name = "lower-only",
       .summary = "descends the lower level alone, x stays; with local-server, federated averaging",
       .formula = "y <- y - beta gy",
       .reference = "with local-server: H. B. McMahan, E. Moore, D. Ramage, S. Hampson, "
                    "B. Aguera y Arcas, AISTATS 2017, arXiv:1602.05629",
       .assumes = "a lower level to train at a given x",
       .fails = "is no bilevel method: f plays no part",
       .serves = {.set = true}})};
}

}  // namespace echelon::detail

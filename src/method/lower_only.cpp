#include "entries.hpp"

namespace echelon::detail {

namespace {

struct LowerOnlyOptions {
  double beta = 0.1;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("beta", beta, at_least(0), "step of y; below 2 / L_g");
    schedule.visit(visitor);
  }

  MethodCost cost() const { return {.x_steps = 0, .gradients = 1}; }
};

/// The lower level alone, at the x where the problem starts:
///
///     y <- y - beta grad_y g(x, y)
///
/// With local-server this is federated averaging.
class LowerOnly final : public Method {
 public:
  LowerOnly(const MethodContext& context, const LowerOnlyOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.problem.upper_dimension(), context.network.agents().count()),
        y_(context.lower_variable("y")),
        estimator_(context.make_estimator({context.problem.lower_dimension()})),
        gy_(context.problem.lower_dimension(), context.network.agents().count()) {
    VectorXd start = problem_.start_x();
    problem_.upper_set().project(start);
    x_.colwise() = start;
  }

  void iterate(std::uint64_t k) override {
    estimator_->estimate({.iteration = k}, {&x_, &y_.value()}, gradient_, {&gy_});
    y_.descend(options_.beta * options_.schedule.lower(k), gy_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.per_agent("x/value", x_);
    visitor.within("y", y_);
    visitor.within("estimator", *estimator_);
  }

 private:
  BilevelProblem& problem_;
  LowerOnlyOptions options_;
  AgentMatrix x_;
  ConsensusVariable y_;
  std::unique_ptr<GradientEstimator> estimator_;
  AgentMatrix gy_;

  Oracle gradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
  };
};

}  // namespace

static MethodEntry lower_only_entry() {
  MethodEntry entry{
      .name = "lower-only",
      .summary = "descends the lower level alone, x stays; with local-server, federated averaging",
      .formula = "y <- y - beta gy",
      .reference =
          "with local-server: H. B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Aguera y Arcas, "
          "AISTATS 2017, arXiv:1602.05629",
      .assumes = "a lower level to train at a given x",
      .fails = "is no bilevel method: f plays no part",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = false};
  bind<LowerOnly>(entry, LowerOnlyOptions{});
  return entry;
}

std::vector<MethodEntry> lower_only_parts() {
  return {lower_only_entry()};
}

}  // namespace echelon::detail

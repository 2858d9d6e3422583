#include <algorithm>
#include <cmath>
#include <numbers>

#include "adam.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct ScaleBioOptions {
  double alpha = 0.001;
  double beta = 0.01;
  double gamma = 0.01;
  double lambda = 10;
  std::int64_t horizon = 0;
  double weight_decay = 0;
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

  MethodCost cost() const { return {.y_steps = 2, .p_means = 1, .q_means = 2, .gradients = 3}; }

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
class ScaleBio final : public Method {
 public:
  ScaleBio(const MethodContext& context, const ScaleBioOptions& options)
      : problem_(context.problem),
        options_(options),
        x_(context.upper_variable_of_means("x")),
        y_(context.lower_variable_of_means("y")),
        z_(context.lower_variable_of_means("z")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        means_(context.mean_tracker("scalebio", {p_, q_, q_})),
        estimator_(context.make_estimator({p_, q_, q_})),
        adam_x_(options.adam, problem_.upper_set(), p_, m_),
        adam_y_(options.adam, problem_.lower_set(), q_, m_),
        adam_z_(options.adam, problem_.lower_set(), q_, m_),
        fx_(p_, m_),
        fy_(q_, m_),
        gx_z_(p_, m_) {}

  void iterate(std::uint64_t k) override {
    AgentView dx = means_.component(0), dy = means_.component(1), dz = means_.component(2);
    estimator_->estimate(
        {.iteration = k}, {&x_.value(), &y_.value(), &z_.value()},
        [&](const Sample& sample, OraclePoint at, OracleOutputs out) { evaluate(sample, at, out); },
        {&dx, &dy, &dz});
    means_.update();
    const double decay = options_.cosine(k);
    z_.descend(options_.gamma * decay, adam_z_.direction(k, means_.mean(2), z_));
    y_.descend(options_.beta * decay,
               adam_y_.direction(k, means_.mean(1), y_, options_.weight_decay));
    x_.descend(options_.alpha * decay, adam_x_.direction(k, means_.mean(0), x_));
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("z", z_);
    visitor.within("means", means_);
    visitor.within("estimator", *estimator_);
    visitor.within("adam_x", adam_x_);
    visitor.within("adam_y", adam_y_);
    visitor.within("adam_z", adam_z_);
  }

 private:
  void evaluate(const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], &fx_, &fy_}});
    problem_.grad_g(sample, {{*at[0], *at[1], out[0], out[1]}, {*at[0], *at[2], &gx_z_, out[2]}});
    AgentView &dx = *out[0], &dy = *out[1];
    parallel_for(m_, [&](int i) {
      dx.col(i) = fx_.col(i) + options_.lambda * (dx.col(i) - gx_z_.col(i));
      dy.col(i) = fy_.col(i) + options_.lambda * dy.col(i);
    });
  }

  BilevelProblem& problem_;
  ScaleBioOptions options_;
  ConsensusVariable x_, y_, z_;
  Index p_, q_;
  int m_;
  MeanTracker means_;
  std::unique_ptr<GradientEstimator> estimator_;
  Adam adam_x_, adam_y_, adam_z_;
  AgentMatrix fx_, fy_, gx_z_;
};

}  // namespace

static MethodEntry scalebio_entry() {
  MethodEntry entry{
      .name = "scalebio",
      .summary = "penalty with a step of AdamW for each variable; for large networks",
      .formula =
          "AdamW along z: gy(x,z);  y: fy + lambda gy(x,y);  "
          "x: fx + lambda (gx(x,y) - gx(x,z))",
      .reference = "R. Pan et al., 2024, arXiv:2406.19976",
      .assumes = "lower level strongly convex; x is biased by about 1 / lambda",
      .fails =
          "steps have the length of alpha, beta and gamma whatever the gradients: an x as fast "
          "as y and z runs away from them",
      .serves = {.set = true},
      .uses_products = false,
      .means_first = true};
  bind<ScaleBio>(entry, ScaleBioOptions{});
  return entry;
}

std::vector<MethodEntry> scalebio_parts() {
  return {scalebio_entry()};
}

}  // namespace echelon::detail

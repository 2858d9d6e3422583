#include "entries.hpp"
#include "products.hpp"

namespace echelon::detail {

namespace {

struct SobaOptions {
  double alpha = 0.1;
  double beta = 0.3;
  double gamma = 0.3;
  ProductOptions products;
  double radius = 0;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about 1 / L_g");
    visitor("gamma", gamma, at_least(0), "step of v; about 1 / L_g");
    products.visit(visitor);
    visitor("radius", radius, at_least(0), "v is kept in the ball of this radius; 0 = no ball");
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    MethodCost cost{.auxiliary_steps = 1, .gradients = 2};
    products.add_to(cost, 1);
    return cost;
  }
};
/// Single loop, Jacobi; v follows the solution of H v = grad_y f with H = d2g/dy2, J = d2g/dydx,
/// all at the old (x, y, v):
///
///     y <- y - beta grad_y g        v <- v - gamma (H v - grad_y f)        x <- x - alpha (grad_x
///     f - J^T v)
class Soba final : public Method {
 public:
  Soba(const MethodContext& context, const SobaOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        x_(context.upper_variable("x")),
        y_(context.lower_variable("y")),
        v_(context.auxiliary_variable("v", VectorXd::Zero(context.problem.lower_dimension()))),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        estimator_(context.make_estimator({p_, q_, q_, q_, p_})),
        fx_(p_, m_),
        fy_(q_, m_),
        gy_(q_, m_),
        hv_(q_, m_),
        jv_(p_, m_) {}

  void iterate(std::uint64_t k) override {
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[2]}});
      products_(sample, {*at[0], *at[1], *at[2], out[3], out[4]});
    };
    const double upper = options_.schedule.upper(k);
    const double lower = options_.schedule.lower(k);
    estimator_->estimate({.iteration = k}, {&x_.value(), &y_.value(), &v_.value()}, oracle,
                         {&fx_, &fy_, &gy_, &hv_, &jv_});
    y_.descend(options_.beta * lower, gy_);
    v_.descend(options_.gamma * lower, hv_ - fy_);
    if (options_.radius > 0) v_.project_onto_ball(options_.radius);
    x_.descend(options_.alpha * upper, fx_ - jv_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", y_);
    visitor.within("v", v_);
    visitor.within("estimator", *estimator_);
  }

 private:
  BilevelProblem& problem_;
  SobaOptions options_;
  Products products_;
  ConsensusVariable x_, y_, v_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> estimator_;
  AgentMatrix fx_, fy_, gy_, hv_, jv_;
};

}  // namespace

MethodEntry soba_entry() {
  MethodEntry entry{
      .name = "soba",
      .summary =
          "single loop, Hessian-free: follows the solution of the linear system by gradient "
          "differences",
      .formula = "y <- y - beta gy;  v <- v - gamma (H v - fy);  x <- x - alpha (fx - J^T v)",
      .reference =
          "M. Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409 (finite "
          "differences: as in arXiv:2312.03807)",
      .assumes = "lower level strongly convex; no penalty bias",
      .fails = "stops at a wrong point where the lower level has more than one minimizer",
      .serves = {},
      .uses_products = true,
      .means_first = false,
      .options = {},
      .make = {},
      .cost = {}};
  bind<Soba>(entry, SobaOptions{});
  return entry;
}

MethodEntry hjfbio_entry() {
  MethodEntry entry = soba_entry();
  entry.name = "hjfbio";
  entry.summary = "SOBA with differences of a fixed width and v kept in a ball (noise-free form)";
  entry.reference = "F. Huang, ICML 2024, arXiv:2407.17823";
  SobaOptions options;
  options.products.difference_rule = "absolute";
  options.products.difference_step = 1e-4;
  options.radius = 1000;
  bind<Soba>(entry, options);
  return entry;
}

}  // namespace echelon::detail

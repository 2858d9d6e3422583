#include <vector>

#include "echelon/core/parallel.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

/// Node j of a difference formula, and its weight c_j.
struct Node {
  int j;
  double weight;
};

/// Nodes of the formula dG/dnu(0) = sum_j c_j G(j nu) / nu + O(nu^order): around 0, one more to the
/// right if their number is odd. Weights are derivatives of the Lagrange polynomials at 0, which
/// for an even order leave node 0 out.
std::vector<Node> stencil(std::int64_t order) {
  const int right = static_cast<int>(order + 1) / 2;
  const int left = right - static_cast<int>(order % 2);
  std::vector<Node> nodes;
  for (int j = -left; j <= right; ++j) {
    double weight = j == 0 ? 0 : 1.0 / j;
    for (int other = -left; other <= right; ++other) {
      if (other == 0 || other == j) continue;
      if (j == 0) weight -= 1.0 / other;
      if (j != 0) weight *= static_cast<double>(other) / (other - j);
    }
    if (j != 0 || left != right) nodes.push_back({j, weight});
  }
  return nodes;
}

struct F2saPOptions {
  std::int64_t order = 2;
  double nu = 1e-3;
  std::int64_t inner_steps = 20;
  double alpha = 0.2;
  double beta = 0.5;
  bool normalize = false;
  std::string restart = "carried";
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("order", order, between(1, 10),
            "p; the bias of x is about nu^p, at p nodes (odd p: p + 1)");
    visitor("nu", nu, above(0), "distance of the nodes; below 2 mu / (p L_f)");
    visitor("inner_steps", inner_steps, at_least(1), "steps of each y_j before each step of x (T)");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y_j on j nu grad_y f + grad_y g; about 1 / L_g");
    visitor("normalize", normalize,
            "x steps by alpha along the direction divided by the norm of its network mean");
    visitor.choice("restart", restart, {"carried", "average"},
                   "where y_j starts at each iteration: where it was, or at the average of the "
                   "nodes (loses the answer; for study)");
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto nodes = static_cast<double>(order + order % 2);
    const auto steps = static_cast<double>(inner_steps);
    return {.y_steps = steps * nodes,
            .p_exact = normalize ? 1.0 : 0.0,
            .gradients = (steps + 1) * (nodes + static_cast<double>(order))};
  }
};

/// F = min over y of nu f + g, differentiated in nu at 0 by a difference formula with nodes j and
/// weights c_j; one lower copy y_j -> argmin over y of j nu f(x, y) + g(x, y) for each node:
///
///     repeat T times, all j:  y_j <- y_j - beta (j nu grad_y f(x, y_j) + grad_y g(x, y_j))
///     D = sum_j c_j (j nu grad_x f(x, y_j) + grad_x g(x, y_j)) / nu
///     x <- x - alpha D     or, normalized,     x <- x - alpha D / |mean D|
///
/// Order 2: nodes -1, 1, weights -1/2, 1/2. y is reported as the average of the y_j. Each y_j goes
/// on from itself: what is missing of its convergence then cancels in the limit, and does not if
/// all start from one point.
class F2saP final : public Method {
 public:
  F2saP(const MethodContext& context, const F2saPOptions& options)
      : problem_(context.problem),
        options_(options),
        nodes_(stencil(options.order)),
        x_(context.upper_variable("x")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        y_(q_, m_),
        dx_(p_, m_) {
    if (options_.normalize) {
      x_.use(make_step_rule({step_rule_catalog(), "normalized"},
                            {context.network, "x", StepRule::Place::upper}));
    }
    copies_.reserve(nodes_.size());  // addresses are kept in `point_`
    for (const Node& node : nodes_) {
      copies_.push_back(context.lower_variable(text("y", node.j)));
      fx_.emplace_back(p_, m_);
      gx_.emplace_back(p_, m_);
      fy_.emplace_back(q_, m_);
      dy_.emplace_back(q_, m_);
    }
    point_.push_back(&x_.value());
    for (const ConsensusVariable& copy : copies_) point_.push_back(&copy.value());
    for (AgentMatrix& direction : dy_) directions_.push_back(&direction);
    if (!carried()) copies_[0].require_mappable("copies restart at their average");
    std::vector<Index> arguments(nodes_.size() + 1, q_);
    arguments[0] = p_;
    inner_ = context.make_estimator(std::vector<Index>(nodes_.size(), q_), arguments);
    outer_ = context.make_estimator({p_}, arguments);
  }

  void iterate(std::uint64_t k) override {
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    const double beta = options_.beta * options_.schedule.lower(k);
    if (!carried()) {
      average();
      for (ConsensusVariable& copy : copies_) copy.restart(y_);
    }
    for (std::uint32_t t = 0; t < steps; ++t) {
      inner_->estimate(
          {.iteration = k, .step = t}, point_,
          [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
            lower_directions(sample, at, out);
          },
          directions_);
      for (std::size_t i = 0; i < nodes_.size(); ++i) copies_[i].descend(beta, dy_[i]);
    }
    AgentView* const outputs[] = {&dx_};
    outer_->estimate(
        {.iteration = k, .step = steps}, point_,
        [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
          upper_direction(sample, at, *out[0]);
        },
        outputs);
    x_.descend(options_.alpha * options_.schedule.upper(k), dx_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override {
    average();
    return y_;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      visitor.within(text("y", nodes_[i].j), copies_[i]);
    }
    visitor.within("inner_estimator", *inner_);
    visitor.within("outer_estimator", *outer_);
  }

 private:
  bool carried() const { return options_.restart == "carried"; }

  void average() {
    parallel_for(m_, [&](int i) {
      y_.col(i) = copies_[0].value().col(i);
      for (std::size_t n = 1; n < copies_.size(); ++n) y_.col(i) += copies_[n].value().col(i);
      y_.col(i) /= static_cast<double>(copies_.size());
    });
  }

  /// All nodes in one pass over the data; node 0 does not need f.
  void lower_directions(const Sample& sample, OraclePoint at, OracleOutputs out) {
    std::vector<EvaluationPoint> of_f, of_g;
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n].j != 0) of_f.push_back({*at[0], *at[n + 1], nullptr, &fy_[n]});
      of_g.push_back({*at[0], *at[n + 1], nullptr, out[n]});
    }
    problem_.grad_f(sample, of_f);
    problem_.grad_g(sample, of_g);
    parallel_for(m_, [&](int i) {
      for (std::size_t n = 0; n < nodes_.size(); ++n) {
        out[n]->col(i) += nodes_[n].j * options_.nu * fy_[n].col(i);
      }
    });
  }

  void upper_direction(const Sample& sample, OraclePoint at, AgentView& out) {
    std::vector<EvaluationPoint> of_f, of_g;
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n].j != 0) of_f.push_back({*at[0], *at[n + 1], &fx_[n], nullptr});
      of_g.push_back({*at[0], *at[n + 1], &gx_[n], nullptr});
    }
    problem_.grad_f(sample, of_f);
    problem_.grad_g(sample, of_g);
    parallel_for(m_, [&](int i) {
      out.col(i).setZero();
      for (std::size_t n = 0; n < nodes_.size(); ++n) {
        out.col(i) += nodes_[n].weight * nodes_[n].j * fx_[n].col(i);
        out.col(i) += nodes_[n].weight / options_.nu * gx_[n].col(i);
      }
    });
  }

  BilevelProblem& problem_;
  F2saPOptions options_;
  std::vector<Node> nodes_;
  ConsensusVariable x_;
  std::vector<ConsensusVariable> copies_;  ///< y_j, in the order of the nodes
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> inner_, outer_;
  std::vector<AgentMatrix> fx_, gx_, fy_, dy_;  ///< fx and fy of node 0 stay 0
  AgentMatrix y_, dx_;
  std::vector<const AgentView*> point_;  ///< x and the y_j
  std::vector<AgentView*> directions_;
};

}  // namespace

static MethodEntry f2sa_p_entry() {
  MethodEntry entry{
      .name = "f2sa-p",
      .summary =
          "fully first-order, value function differentiated by a formula of order p; p = 2 "
          "costs what f2ba does",
      .formula =
          "T times: y_j <- y_j - beta (j nu fy(x,y_j) + gy(x,y_j));  "
          "x <- x - alpha sum_j c_j (j nu fx(x,y_j) + gx(x,y_j)) / nu",
      .reference = "L. Chen, J. Li, M. Chayti, J. Zhang, ICLR 2026, arXiv:2509.02937",
      .assumes = "lower level strongly convex, nu below 2 mu / (p L_f); x is biased by about nu^p",
      .fails =
          "diverges where the lower level has flat directions: j nu f + g of a negative node j "
          "has no minimizer there (order 1 has none)",
      .serves = {.set = true},
      .uses_products = true,  // differences over nu are as sensitive to rounding
      .means_first = false};
  bind<F2saP>(entry, F2saPOptions{});
  return entry;
}

std::vector<MethodEntry> f2sa_p_parts() {
  return {f2sa_p_entry()};
}

}  // namespace echelon::detail

#include <algorithm>

#include "echelon/method/products.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct AdboOptions {
  double alpha = 0.05;
  double beta = 0.1;
  double alpha_server = 0.01;
  double beta_server = 0.01;
  double multiplier_step = 1;
  double dual_step = 0.2;
  double multiplier_decay = 1e-4;
  double dual_decay = 1e-4;
  double inner_step = 0.1;
  double proximity = 1;
  std::int64_t plane_period = 50;
  std::int64_t planes = 100;
  ProductOptions products;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of the agents' x_i");
    visitor("beta", beta, at_least(0), "step of the agents' y_i");
    visitor("alpha_server", alpha_server, at_least(0), "step of the server's v");
    visitor("beta_server", beta_server, at_least(0), "step of the server's z");
    visitor("multiplier_step", multiplier_step, at_least(0), "step of the planes' multipliers");
    visitor("dual_step", dual_step, at_least(0), "step of the duals theta_i of x_i = v");
    visitor("multiplier_decay", multiplier_decay, at_least(0), "c1, which bounds multipliers");
    visitor("dual_decay", dual_decay, at_least(0), "c2, which bounds duals");
    visitor(
        "inner_step", inner_step, above(0),
        "step of y' and z' behind a plane; stands for the inverse of the lower level's Hessian");
    visitor("proximity", proximity, at_least(0), "mu in mu/2 |y'_i - z'|^2 behind a plane");
    visitor("plane_period", plane_period, at_least(1),
            "iterations between new planes, for which the server waits for all agents");
    visitor("planes", planes, between(1, 1000),
            "most planes; a new one takes the place of the one with the smallest multiplier");
    products.visit(visitor);
  }

  MethodCost cost() const {
    const double often = 1 / static_cast<double>(plane_period);
    MethodCost cost{.x_steps = 0, .y_steps = 0, .p_exact = 1 + often, .q_exact = often};
    cost.scalars_exact = static_cast<double>(planes) + 2 * often;
    cost.gradients = 1 + often;
    products.add_to(cost, often);
    cost.count = MethodCost::Count::at_most;
    return cost;
  }
};

/// Asynchronous, consensus form: agents hold (x_i, y_i), the server (v, z); lower-level optimality
/// is a set of cutting planes a_l'v + sum_i b_il'y_i + c_l'z + k_l <= 0 with multipliers lambda_l.
///
///     agents that report:  y_i <- y_i - beta (grad_y f_i + sum_l lambda_l b_il),
///                          x_i <- x_i - alpha (grad_x f_i + theta_i)        lambda as last heard
///     server:              v <- v - alpha_s (sum_l lambda_l a_l - sum_i theta_i)
///                          z <- z - beta_s sum_l lambda_l c_l
///                          lambda_l <- [lambda_l + eta (a_l'v + sum b_il'y_i + c_l'z + k_l
///                                       - c1 lambda_l)]_+
///                          theta_i <- theta_i + eta' (x_i - v - c2 theta_i)    of those who report
///     every T-th iteration, all agents: a step y'_i = y_i - e (grad_y g_i(v, y_i) + mu (y_i - z)),
///     z' = z - e mu sum_i (z - y_i); a new plane is the linearization of
///     h = sum_i |y_i - y'_i|^2 + |z - z'|^2, whose v-gradient is 2 e sum_i J_i'(y_i - y'_i)
///
/// One step behind a plane, as in the released code, so that -e J stands for the response -H^-1 J
/// of the lower level; the v-gradient by a product in place of automatic differentiation. Sums over
/// agents are exact. The virtual clock does not count the waiting for new planes.
class Adbo final : public Method {
 public:
  Adbo(const MethodContext& context, const AdboOptions& options)
      : problem_(context.problem),
        network_(context.network),
        participation_(context.participation),
        options_(options),
        products_(context.problem, options.products),
        estimator_(context.make_estimator(
            {context.problem.upper_dimension(), context.problem.lower_dimension()})),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        agents_(static_cast<double>(context.network.size())),
        x_(p_, m_),
        y_(q_, m_),
        theta_(p_, m_),
        heard_(options.planes, m_),
        b_(q_ * options.planes, m_),
        v_(context.problem.start_x()),
        z_(context.problem.start_y()),
        lambda_(Eigen::MatrixXd::Zero(options.planes, 1)),
        a_(Eigen::MatrixXd::Zero(p_, options.planes)),
        c_(Eigen::MatrixXd::Zero(q_, options.planes)),
        offsets_(Eigen::MatrixXd::Zero(options.planes, 1)),
        fx_(p_, m_),
        fy_(q_, m_),
        server_x_(p_, m_),
        residual_(q_, m_),
        jv_(p_, m_),
        duals_(p_ + options.planes, m_),
        plane_sums_(p_ + 2, m_) {
    x_.colwise() = problem_.start_x();
    y_.colwise() = problem_.start_y();
    for (int i = 0; i < m_; ++i) everybody_.push_back(i);
  }

  void iterate(std::uint64_t k) override {
    if (k % static_cast<std::uint64_t>(options_.plane_period) == 0) add_plane(k);
    estimator_->estimate({.iteration = k}, {&x_, &y_}, gradient_, {&fx_, &fy_});
    int reporting = 0;
    for (int i = 0; i < m_; ++i) reporting += reports(i) ? 1 : 0;
    parallel_for(m_, [&](int i) {
      if (!reports(i)) return;
      auto y = y_.col(i);
      y -= options_.beta * fy_.col(i);
      for (Index l = 0; l < lambda_.rows(); ++l) y -= options_.beta * heard_(l, i) * b(l, i);
      x_.col(i) -= options_.alpha * (fx_.col(i) + theta_.col(i));
    });
    step_server(reporting);
    parallel_for(m_, [&](int i) {
      if (!reports(i)) return;
      theta_.col(i) +=
          options_.dual_step * (x_.col(i) - v_.col(0) - options_.dual_decay * theta_.col(i));
      heard_.col(i) = lambda_.col(0);
    });
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.per_agent("x/value", x_);
    visitor.per_agent("y/value", y_);
    visitor.per_agent("theta", theta_);
    visitor.per_agent("heard_multipliers", heard_);
    visitor.per_agent("planes_y", b_);
    visitor.replicated("v", v_);
    visitor.replicated("z", z_);
    visitor.replicated("multipliers", lambda_);
    visitor.replicated("planes_v", a_);
    visitor.replicated("planes_z", c_);
    visitor.replicated("planes_offset", offsets_);
    visitor.replicated("planes_made", made_);
    visitor.within("estimator", *estimator_);
  }

 private:
  bool reports(int local) const {
    return participation_ == nullptr ||
           participation_->answers(network_.agents().local[static_cast<std::size_t>(local)]);
  }
  Eigen::Block<AgentView> b(Index plane, int local) { return b_.block(plane * q_, local, q_, 1); }

  void step_server(int reporting) {
    parallel_for(m_, [&](int i) {
      duals_.col(i).head(p_) = theta_.col(i);
      for (Index l = 0; l < lambda_.rows(); ++l) {
        duals_(p_ + l, i) = b(l, i).col(0).dot(y_.col(i));
      }
    });
    network_.mean_at_server(duals_, mean_, reporting);
    const VectorXd sums = agents_ * mean_;
    v_.col(0) -= options_.alpha_server * (a_ * lambda_.col(0) - sums.head(p_));
    z_.col(0) -= options_.beta_server * (c_ * lambda_.col(0));
    for (Index l = 0; l < std::min<Index>(lambda_.rows(), made_); ++l) {
      const double value =
          a_.col(l).dot(v_.col(0)) + sums(p_ + l) + c_.col(l).dot(z_.col(0)) + offsets_(l, 0);
      const double next = lambda_(l, 0) + options_.multiplier_step *
                                              (value - options_.multiplier_decay * lambda_(l, 0));
      lambda_(l, 0) = std::max(0.0, next);
    }
  }

  /// A place that is free, or that of the smallest multiplier.
  Index place_of_new_plane() const {
    if (made_ < lambda_.rows()) return made_;
    Index smallest = 0;
    lambda_.col(0).minCoeff(&smallest);
    return smallest;
  }

  void add_plane(std::uint64_t k) {
    const double e = options_.inner_step;
    const Sample sample{.iteration = k, .stream = 1};
    const ActiveAgents all(problem_, everybody_);
    server_x_.colwise() = v_.col(0);
    problem_.grad_g(sample, {{server_x_, y_, nullptr, &residual_}});
    parallel_for(m_, [&](int i) {  // y_i - y'_i
      residual_.col(i) = e * (residual_.col(i) + options_.proximity * (y_.col(i) - z_.col(0)));
    });
    products_(sample, {server_x_, y_, residual_, nullptr, &jv_});
    const Index place = place_of_new_plane();
    network_.mean(y_, mean_);
    const VectorXd moved = e * options_.proximity * agents_ * (z_.col(0) - mean_);  // z - z'
    parallel_for(m_, [&](int i) {
      b(place, i) = 2 * residual_.col(i);
      heard_(place, i) = 0;
      plane_sums_.col(i).head(p_) = 2 * e * jv_.col(i);
      plane_sums_(p_, i) = residual_.col(i).squaredNorm();
      plane_sums_(p_ + 1, i) = b(place, i).col(0).dot(y_.col(i));
    });
    network_.mean(plane_sums_, mean_);
    const VectorXd sums = agents_ * mean_;
    a_.col(place) = sums.head(p_);
    c_.col(place) = 2 * moved;
    const double h = sums(p_) + moved.squaredNorm();
    offsets_(place, 0) =
        h - a_.col(place).dot(v_.col(0)) - sums(p_ + 1) - c_.col(place).dot(z_.col(0));
    lambda_(place, 0) = 0;
    ++made_;
  }

  BilevelProblem& problem_;
  Network& network_;
  const Participation* participation_;
  AdboOptions options_;
  Products products_;
  std::unique_ptr<GradientEstimator> estimator_;
  Index p_, q_;
  int m_;
  double agents_;
  AgentMatrix x_, y_, theta_;
  AgentMatrix heard_;                ///< lambda as each agent last heard it
  AgentMatrix b_;                    ///< of an agent: b_1, b_2, ... one below the other
  Eigen::MatrixXd v_, z_, lambda_;   ///< the server's
  Eigen::MatrixXd a_, c_, offsets_;  ///< a column (a row) per plane
  std::int64_t made_ = 0;            ///< planes so far
  AgentMatrix fx_, fy_, server_x_, residual_, jv_, duals_, plane_sums_;
  VectorXd mean_;
  std::vector<int> everybody_;

  Oracle gradient_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem_.grad_f(sample, {{*at[0], *at[1], out[0], out[1]}});
  };
};

}  // namespace

static MethodEntry adbo_entry() {
  MethodEntry entry{
      .name = "adbo",
      .summary =
          "asynchronous: agents with copies of their own, lower-level optimality by cutting planes",
      .formula =
          "y_i <- y_i - beta (fy_i + sum_l lambda_l b_il);  x_i <- x_i - alpha (fx_i + theta_i);  "
          "server: v, z, multipliers of the planes, duals of x_i = v",
      .reference = "Y. Jiao, K. Yang, T. Wu, D. Song, C. Jian, ICLR 2023, arXiv:2212.10048",
      .assumes = "f and g convex in y, curvature of g near 1 / inner_step; agents nearly alike",
      .fails =
          "biased unless inner_step is near the inverse of H, since one step stands for the "
          "solution behind a plane, and on agents that differ; slow",
      .serves = {},
      .uses_products = true,
      .means_first = true,
      .always_exact = true};
  bind<Adbo>(entry, AdboOptions{});
  return entry;
}

std::vector<MethodEntry> adbo_parts() {
  return {adbo_entry()};
}

}  // namespace echelon::detail

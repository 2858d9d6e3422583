#include <algorithm>
#include <numeric>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"

namespace echelon::detail {

namespace {

struct AdboOptions {
  double alpha = 0.05, beta = 0.1, alpha_server = 0.01, beta_server = 0.01;
  double multiplier_step = 1, dual_step = 0.2, multiplier_decay = 1e-4, dual_decay = 1e-4;
  double inner_step = 0.1, proximity = 1;
  std::int64_t plane_period = 50, planes = 100;
  ProductOptions products;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step size of the agents' x_i");
    visitor("beta", beta, at_least(0), "step size of the agents' y_i");
    visitor("alpha_server", alpha_server, at_least(0), "step size of the server's v");
    visitor("beta_server", beta_server, at_least(0), "step size of the server's z");
    visitor("multiplier_step", multiplier_step, at_least(0), "step size of plane multipliers");
    visitor("dual_step", dual_step, at_least(0), "step size of the duals theta_i of x_i = v");
    visitor("multiplier_decay", multiplier_decay, at_least(0), "c1, which bounds multipliers");
    visitor("dual_decay", dual_decay, at_least(0), "c2, which bounds duals");
    visitor("inner_step", inner_step, above(0),
            "step size of y' and z' behind a plane; replaces the inverse of the lower level's "
            "Hessian");
    visitor("proximity", proximity, at_least(0), "mu in mu/2 |y'_i - z'|^2 behind a plane");
    visitor("plane_period", plane_period, at_least(1),
            "iterations between new planes, for which the server waits for all agents");
    visitor("planes", planes, between(1, 1000),
            "largest number of planes; a new one replaces that with the smallest multiplier");
    products.visit(visitor);
  }

  Varies varies() const { return Varies::at_most; }
};

/// A matrix of the server, the same on all ranks.
class OfServer final : public Eigen::MatrixXd {
 public:
  OfServer(MethodBase& method, const std::string& name, Index rows, Index columns)
      : Eigen::MatrixXd(Eigen::MatrixXd::Zero(rows, columns)) {
    method.carry_replicated(name, static_cast<Eigen::MatrixXd&>(*this));
  }
};

/// Asynchronous, consensus form: agents hold (x_i, y_i), the server (v, z); lower-level optimality
/// is a set of cutting planes a_l'v + sum_i b_il'y_i + c_l'z + k_l <= 0 with multipliers lambda_l.
///
///     agents that report:  y_i <- y_i - beta (grad_y f_i + sum_l lambda_l b_il),
///                          x_i <- x_i - alpha (grad_x f_i + theta_i)        lambda as last
///                          received
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
class Adbo final : public ComposedMethod<AdboOptions> {
 public:
  Adbo(const MethodContext& its_context, const AdboOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    x.colwise() = problem.start_x();
    y.colwise() = problem.start_y();
    v.col(0) = problem.start_x();
    z.col(0) = problem.start_y();
    report_x(x);
    report_y(y);
    carry_replicated("planes_made", made);
    std::iota(everybody.begin(), everybody.end(), 0);
  }

  void iterate(std::uint64_t k) override {
    if (k % static_cast<std::uint64_t>(options.plane_period) == 0) add_plane(k);
    gradient({.iteration = k});
    const auto reporting =
        std::count_if(everybody.begin(), everybody.end(), [this](int i) { return reports(i); });
    parallel_for(m, [&](int i) {
      if (!reports(i)) return;
      auto y_i = y.col(i);
      y_i -= options.beta * fy.col(i);
      for (Index l = 0; l < options.planes; ++l) y_i -= options.beta * received(l, i) * b(l, i);
      x.col(i) -= options.alpha * (fx.col(i) + theta.col(i));
    });
    step_server(static_cast<int>(reporting));
    parallel_for(m, [&](int i) {
      if (!reports(i)) return;
      theta.col(i) += options.dual_step * (x.col(i) - v.col(0) - options.dual_decay * theta.col(i));
      received.col(i) = lambda.col(0);
    });
  }

 private:
  bool reports(int local) const {
    return context.participation == nullptr ||
           context.participation->answers(network.agents().local[static_cast<std::size_t>(local)]);
  }
  Eigen::Block<AgentView> b(Index plane, int local) {
    return planes_y.block(plane * q, local, q, 1);
  }

  void step_server(int reporting) {
    parallel_for(m, [&](int i) {
      duals.col(i).head(p) = theta.col(i);
      for (Index l = 0; l < options.planes; ++l) duals(p + l, i) = b(l, i).col(0).dot(y.col(i));
    });
    network.mean_at_server(duals, mean, reporting);
    const VectorXd sums = agents * mean;
    v.col(0) -= options.alpha_server * (a * lambda.col(0) - sums.head(p));
    z.col(0) -= options.beta_server * (c * lambda.col(0));
    for (Index l = 0; l < std::min<Index>(options.planes, made); ++l) {
      const double value =
          a.col(l).dot(v.col(0)) + sums(p + l) + c.col(l).dot(z.col(0)) + offsets(l, 0);
      const double next = lambda(l, 0) + options.multiplier_step *
                                             (value - options.multiplier_decay * lambda(l, 0));
      lambda(l, 0) = std::max(0.0, next);
    }
  }

  /// A place that is free, or that of the smallest multiplier.
  Index place_of_new_plane() const {
    if (made < options.planes) return made;
    Index smallest = 0;
    lambda.col(0).minCoeff(&smallest);
    return smallest;
  }

  void add_plane(std::uint64_t k) {
    const double e = options.inner_step;
    const Sample sample{.iteration = k, .stream = 1};
    const ActiveAgents all(problem, everybody);
    server_x.colwise() = v.col(0);
    lower(sample);
    parallel_for(m, [&](int i) {  // y_i - y'_i
      moved_y.col(i) = e * (moved_y.col(i) + options.proximity * (y.col(i) - z.col(0)));
    });
    cross(sample);
    const Index place = place_of_new_plane();
    network.mean(y, mean);
    const VectorXd moved_z = e * options.proximity * agents * (z.col(0) - mean);  // z - z'
    parallel_for(m, [&](int i) {
      b(place, i) = 2 * moved_y.col(i);
      received(place, i) = 0;
      plane_sums.col(i).head(p) = 2 * e * jv.col(i);
      plane_sums(p, i) = moved_y.col(i).squaredNorm();
      plane_sums(p + 1, i) = b(place, i).col(0).dot(y.col(i));
    });
    network.mean(plane_sums, mean);
    const VectorXd sums = agents * mean;
    a.col(place) = sums.head(p);
    c.col(place) = 2 * moved_z;
    const double h = sums(p) + moved_z.squaredNorm();
    offsets(place, 0) = h - a.col(place).dot(v.col(0)) - sums(p + 1) - c.col(place).dot(z.col(0));
    lambda(place, 0) = 0;
    ++made;
  }

  Carried x{*this, "x/value", p}, y{*this, "y/value", q}, theta{*this, "theta", p};
  Carried received{*this, "heard_multipliers", options.planes};  ///< lambda as agents know it
  Carried planes_y{*this, "planes_y", q* options.planes};        ///< b_1, b_2, ... of an agent
  OfServer v{*this, "v", p, 1}, z{*this, "z", q, 1};
  OfServer lambda{*this, "multipliers", options.planes, 1};
  OfServer a{*this, "planes_v", p, options.planes}, c{*this, "planes_z", q, options.planes};
  OfServer offsets{*this, "planes_offset", options.planes, 1};
  std::int64_t made = 0;  ///< planes so far
  const double agents = static_cast<double>(network.size());
  std::vector<int> everybody = std::vector<int>(static_cast<std::size_t>(m));
  Products products{problem, options.products};
  Block server_x{p, m}, duals{p + options.planes, m}, plane_sums{p + 2, m};
  VectorXd mean;
  Gradient fx = df_dx(x, y), fy = df_dy(x, y);
  Gradient moved_y = dg_dy(server_x, y);  ///< grad_y g, then y_i - y'_i
  Product jv = cross_times(products, server_x, y, moved_y);
  Together gradient{*this, {&fx, &fy}};
  Direct lower{*this, {&moved_y}}, cross{*this, {&jv}};
};

}  // namespace

std::vector<MethodEntry> adbo_parts() {
  return {method_entry<Adbo>(
      {.name = "adbo",
       .summary = "asynchronous: agents with copies of their own, lower-level optimality by "
                  "cutting planes",
       .formula = "y_i <- y_i - beta (fy_i + sum_l lambda_l b_il);  "
                  "x_i <- x_i - alpha (fx_i + theta_i);  "
                  "server: v, z, multipliers of the planes, duals of x_i = v",
       .reference = "Y. Jiao, K. Yang, T. Wu, D. Song, C. Jian, ICLR 2023, arXiv:2212.10048",
       .assumes = "f and g convex in y, curvature of g near 1 / inner_step; agents nearly alike",
       .fails = "biased unless inner_step is near the inverse of H, since one step replaces the "
                "solution behind a plane, and on agents that differ; slow",
       .uses_products = true,
       .means_first = true,
       .always_exact = true})};
}

}  // namespace echelon::detail

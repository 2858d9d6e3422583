#include "trial.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "echelon/participation/participation.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon::detail {

namespace {

/// On a ring whose weights have no eigenvalue below -.21, which serves every strategy with any
/// options.
constexpr AgentId trial_agents = 5;

/// f_i = 1/2 |y - t_i|^2 + 1/2 |x|^2,  g_i = 1/2 y'D y - x'C y, with D = diag of numbers from .01
/// to 1, so that solvers with a limited number of steps do not converge before it, and C the first
/// rows of the identity, scaled. It has every feature that a method may ask of a lower level.
class TrialProblem final : public BilevelProblem,
                           public SecondOrder,
                           public FactoredHessian,
                           public LowerConstraints,
                           public SubBatches {
 public:
  TrialProblem(AgentSet agents, Index p, Index q, const LowerLevel& serves)
      : BilevelProblem(std::move(agents)), p_(p), q_(q), diagonal_(q) {
    for (Index j = 0; j < q; ++j) {
      diagonal_(j) = std::pow(10.0, -2 * static_cast<double>(j) / static_cast<double>(q));
    }
    if (!serves.equalities && !serves.inequalities) return;
    constraints_.kind =
        serves.equalities ? LinearConstraints::Kind::equal : LinearConstraints::Kind::at_most;
    constraints_.A = Eigen::MatrixXd::Ones(1, q);
    constraints_.B = Eigen::MatrixXd::Zero(1, p);
    constraints_.c = VectorXd::Constant(1, 1);
    has_constraints_ = true;
  }

  Index upper_dimension() const override { return p_; }
  Index lower_dimension() const override { return q_; }
  VectorXd start_x() const override { return VectorXd::Constant(p_, 0.5); }
  VectorXd start_y() const override { return VectorXd::Constant(q_, 0.25); }
  const LinearConstraints* lower_constraints() const override {
    return has_constraints_ ? &constraints_ : nullptr;
  }
  std::uint64_t sub_batch_seed() const override { return 1; }

  double value(Level level, int local, const Sample&, const ConstVector& x,
               const ConstVector& y) const override {
    if (level == Level::upper) {
      return 0.5 * (y.array() - target(local)).square().sum() + 0.5 * x.squaredNorm();
    }
    return 0.5 * y.dot(diagonal_.cwiseProduct(y)) -
           coupling * x.head(common()).dot(y.head(common()));
  }

  void gradient(Level level, int local, const Sample&,
                std::span<const AgentPoint> points) const override {
    for (const AgentPoint& point : points) {
      Vector gx = point.gx, gy = point.gy;
      if (level == Level::upper) {
        if (point.wants_gx()) gx = point.x;
        if (point.wants_gy()) gy = point.y.array() - target(local);
        continue;
      }
      if (point.wants_gx()) {
        gx.setZero();
        gx.head(common()) = -coupling * point.y.head(common());
      }
      if (point.wants_gy()) {
        gy = diagonal_.cwiseProduct(point.y);
        gy.head(common()) -= coupling * point.x.head(common());
      }
    }
  }

  void product(int, const Sample&, const AgentProduct& at) const override {
    Vector hv = at.hv, jv = at.jv;
    if (at.wants_hv()) hv = diagonal_.cwiseProduct(at.v);
    if (!at.wants_jv()) return;
    jv.setZero();
    jv.head(common()) = -coupling * at.v.head(common());
  }

  std::optional<HessianFactors> hessian_factors(int, const ConstVector&,
                                                const ConstVector&) const override {
    return HessianFactors{diagonal_, Eigen::MatrixXd::Zero(q_, 1)};
  }

 private:
  static constexpr double coupling = 0.1;
  Index common() const { return std::min(p_, q_); }
  double target(int local) const { return 1 + 0.1 * local; }

  Index p_, q_;
  VectorXd diagonal_;
  LinearConstraints constraints_;
  bool has_constraints_ = false;
};

SharedSchedule trial_schedule(AgentId agents = trial_agents) {
  TopologyOptions ring;
  ring.agents = agents;
  return make_schedule(ring);
}

/// As many as the composition has where its server waits for a number of them.
AgentId agents_for(const GeneralOptions& general) {
  constexpr std::int64_t most = 500;
  if (!general.participation.is_asynchronous()) return trial_agents;
  return static_cast<AgentId>(std::clamp<std::int64_t>(general.network.agents, 1, most));
}

/// Of clients that take turns if those of the composition do; all of them respond in time, so that
/// what is counted is what a participant takes. nullptr: every agent takes part in each iteration.
std::unique_ptr<Participation> trial_participation(const GeneralOptions& general) {
  const auto agents = static_cast<AgentId>(general.network.agents);
  if (!general.participation.is_on(agents)) return nullptr;
  ParticipationOptions options;
  if (general.participation.clients > agents) options.clients = 3 * trial_agents;
  if (general.participation.is_asynchronous()) options.policy = general.participation.policy;
  const RoundShape shape{.local_steps =
                             options.is_asynchronous() ? 1 : general.consensus.local_steps()};
  return std::make_unique<Participation>(options, agents_for(general), shape, 1);
}

/// Iterations after which the pattern of rounds with a server repeats; enough of them for a mean
/// where a draw decides how much an iteration takes.
std::uint64_t window_of(const GeneralOptions& general, Varies varies) {
  std::int64_t window = varies == Varies::on_average ? 240 : 1;
  for (const Role role : {Role::upper, Role::lower, Role::auxiliary}) {
    window = std::lcm(window, general.consensus.traits(role).local_steps);
  }
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(window, 1, 10000));
}

}  // namespace

TrialCount run_trial(const GeneralOptions& general, Index p, Index q) {
  const MethodEntry& method = *general.method;
  std::vector<RoundNote> notes;
  Network network(Communicator::alone(), trial_schedule(agents_for(general)));
  network.note_rounds(notes);
  TrialProblem problem(network.agents(), p, q, method.serves);
  problem.regularize(general.tikhonov);
  const auto participation = trial_participation(general);
  const MethodContext context{.problem = problem,
                              .network = network,
                              .consensus = general.consensus,
                              .estimator = general.estimator,
                              .seed = 1,
                              .networks = {},
                              .steps = general.steps,
                              .participation = participation.get()};
  const auto instance = method.make(context, general.method.options());
  const Varies how = varies(general);
  const std::uint64_t window = window_of(general, how);
  std::uint64_t k = 0;
  const auto count = [&](std::uint64_t iterations) {
    notes.clear();
    const OracleCounts before = problem.counts();
    for (const std::uint64_t end = k + iterations; k < end; ++k) {
      if (participation) participation->begin(k);
      instance->iterate(k);
    }
    const OracleCounts after = problem.counts();
    const auto per_agent = [&](std::int64_t now, std::int64_t then) {
      return static_cast<double>(now - then) / network.size();
    };
    return TrialCount{static_cast<double>(iterations),
                      per_agent(after.gradients, before.gradients),
                      per_agent(after.products, before.products),
                      per_agent(after.values, before.values),
                      notes,
                      *context.roles};
  };
  count(window * ((4 + window - 1) / window));  // the first steps are special
  TrialCount counted = count(window);
  for (int more = 0; how == Varies::at_least && more < 60; ++more) {
    TrialCount next = count(window);
    if (next.gradients < counted.gradients) counted = std::move(next);
  }
  return counted;
}

std::set<Role> roles_of(const Chosen<MethodEntry>& method) {
  constexpr Index dimension = 16;
  Network network(Communicator::alone(), trial_schedule());
  TrialProblem problem(network.agents(), dimension, dimension, method->serves);
  const MethodContext context{problem, network, ConsensusOptions("gossip-atc")};
  try {
    method->make(context, method.options());
  } catch (const Error&) {  // what is wrong is said where the run is composed
    return {Role::upper, Role::lower, Role::auxiliary};
  }
  return *context.roles;
}

}  // namespace echelon::detail

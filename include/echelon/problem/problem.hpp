#pragma once
/// The oracle interface: what a bilevel problem offers to methods.
///
///     minimize over x   F(x) = 1/n sum_i f_i(x, y*(x)),   y*(x) = argmin over y of 1/n sum_i
///     g_i(x, y)     (shared)
///                                                        y_i*(x) = argmin over y of g_i(x, y)
///                                                        (personal)
///
/// x in R^p, y in R^q. Batched calls take d x m blocks, one column per local agent. None of them is
/// collective. What only some problems offer is a facet (facets.hpp).

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/problem/facets.hpp"
#include "echelon/problem/oracle.hpp"

namespace echelon {

class BilevelProblem {
 public:
  explicit BilevelProblem(AgentSet agents);
  virtual ~BilevelProblem() = default;
  BilevelProblem(const BilevelProblem&) = delete;
  BilevelProblem& operator=(const BilevelProblem&) = delete;

  const AgentSet& agents() const { return agents_; }
  virtual Index upper_dimension() const = 0;
  virtual Index lower_dimension() const = 0;

  /// Common start of all agents; zero unless a problem says otherwise.
  virtual VectorXd start_x() const { return VectorXd::Zero(upper_dimension()); }
  virtual VectorXd start_y() const { return VectorXd::Zero(lower_dimension()); }

  /// False for an agent that batched calls leave out: its gradients and products are 0, its values
  /// stay as they are, and nothing is counted.
  virtual bool takes_part(int /*local*/) const { return true; }

  // One agent at a time; `local` counts the local agents from 0. Called from several threads at
  // once. ---------------

  virtual double value(Level level, int local, const Sample& sample, const ConstVector& x,
                       const ConstVector& y) const = 0;
  /// All wanted outputs are overwritten.
  virtual void gradient(Level level, int local, const Sample& sample,
                        std::span<const AgentPoint> points) const = 0;
  /// The products of one agent by differences; returns the gradient calls it took (0 where v = 0).
  std::int64_t difference_product(int local, const Sample& sample, AgentProduct product,
                                  const DifferenceStep& step, Level level = Level::lower) const;

  // All local agents. -------------------------------------------------------------------------

  /// Gradients of f_i (g_i) at several points in one pass over the data.
  void grad_f(const Sample& sample, std::span<const EvaluationPoint> points);
  void grad_g(const Sample& sample, std::span<const EvaluationPoint> points);
  void grad_f(const Sample& sample, std::initializer_list<EvaluationPoint> points) {
    grad_f(sample, std::span(points.begin(), points.size()));
  }
  void grad_g(const Sample& sample, std::initializer_list<EvaluationPoint> points) {
    grad_g(sample, std::span(points.begin(), points.size()));
  }

  /// f_i or g_i of the local agents, into a 1 x m block.
  void values(Level level, const Sample& sample, const AgentView& x, const AgentView& y,
              AgentView& out);

  /// Second-order products by finite differences of the gradient of g (or of f): two gradients per
  /// agent whose v is not zero, or one if forward from gradients at hand.
  void difference_product(const Sample& sample, const ProductPoint& point,
                          const DifferenceStep& step, Level level = Level::lower);
  /// Exact second-order products; only if has_exact_products().
  void exact_product(const Sample& sample, const ProductPoint& point);

  OracleCounts counts() const { return counts_; }

  /// From now on the batched calls are those of g + (mu_k / 2) |y|^2. The calls of one agent, by
  /// which runs report, stay those of g.
  void regularize(const TikhonovOptions& options) { tikhonov_ = options; }
  bool is_regularized() const { return tikhonov_.weight > 0; }

  // Facets. -----------------------------------------------------------------------------------

  /// What offers the facet, and the number that it gives to a local agent.
  template <class Wanted>
  struct AgentFacet {
    const Wanted* facet = nullptr;
    int local = -1;

    explicit operator bool() const { return facet != nullptr; }
  };
  /// This problem's own facet, or else that of the problem it decorates; nullptr if neither offers
  /// it.
  template <class Wanted>
  const Wanted* facet() const;
  /// For functions of one agent.
  template <class Wanted>
  AgentFacet<Wanted> facet(int local) const;

  // Functions of facets, and what holds for problems without them.

  bool has_exact_products() const { return facet<SecondOrder>() != nullptr; }
  /// Throws a usage error if there are no exact products.
  void product(int local, const Sample& sample, const AgentProduct& product) const;
  /// Nothing if the Hessian has no such form.
  std::optional<HessianFactors> hessian_factors(int local, const ConstVector& x,
                                                const ConstVector& y) const;
  /// All of space unless the problem says otherwise.
  const FeasibleSet& upper_set() const;
  const FeasibleSet& lower_set() const;
  /// nullptr if there are none.
  const LinearConstraints* lower_constraints() const;
  bool has_nonsmooth_term() const;
  /// Leaves y as it is if there is no nonsmooth term.
  void lower_prox(double t, const ConstVector& x, Vector y) const;
  std::vector<KnownSolution> known_solutions(bool personal) const;
  std::optional<VectorXd> lower_solution(const VectorXd& x) const;
  /// Nothing if calls do not honor Sample::batches.
  std::optional<std::uint64_t> sub_batch_seed() const;
  /// Only for problems with the facet Metrics, or Baselines.
  void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const;
  void baseline_gradient(std::size_t baseline, int local, const ConstVector& y, Vector gy) const;

 private:
  friend class ActiveAgents;
  /// The problem that a decorator is made from, and who answers there for a local agent.
  virtual const BilevelProblem* inner() const { return nullptr; }
  virtual int inner_agent(int local) const { return local; }

  void gradients(Level level, const Sample& sample, std::span<const EvaluationPoint> points);
  double ridge_of(Level level, const Sample& sample) const;  ///< mu_k; 0 for f
  void add_products_of_ridge(const Sample& sample, const ProductPoint& point);
  /// body(local) for the active agents that take part, leave_out(local) for those that do not;
  /// returns how often body was called.
  template <class Body, class LeaveOut>
  int each_active(const Body& body, const LeaveOut& leave_out) const;

  AgentSet agents_;
  OracleCounts counts_;
  TikhonovOptions tikhonov_;
  const std::vector<int>* active_ = nullptr;  ///< nullptr: all
};

template <class Wanted>
const Wanted* BilevelProblem::facet() const {
  static_assert(std::is_base_of_v<Facet, Wanted>);
  for (const BilevelProblem* at = this; at != nullptr; at = at->inner()) {
    if (const auto* own = dynamic_cast<const Wanted*>(at)) return own;
  }
  return nullptr;
}

template <class Wanted>
BilevelProblem::AgentFacet<Wanted> BilevelProblem::facet(int local) const {
  static_assert(std::is_base_of_v<Facet, Wanted>);
  for (const BilevelProblem* at = this; at != nullptr; at = at->inner()) {
    if (const auto* own = dynamic_cast<const Wanted*>(at)) return {own, local};
    local = at->inner_agent(local);
  }
  return {};
}

/// While it lives, batched calls are made for some local agents alone: columns of the others stay
/// as they are, and count as no calls.
class ActiveAgents {
 public:
  /// Local numbers, ascending; both arguments outlive this.
  ActiveAgents(BilevelProblem& problem, const std::vector<int>& active) : problem_(problem) {
    problem_.active_ = &active;
  }
  ~ActiveAgents() { problem_.active_ = nullptr; }
  ActiveAgents(const ActiveAgents&) = delete;
  ActiveAgents& operator=(const ActiveAgents&) = delete;

 private:
  BilevelProblem& problem_;
};

}  // namespace echelon

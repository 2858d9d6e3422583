#pragma once
/// The oracle interface: what a bilevel problem offers to methods.
///
///     minimize over x   F(x) = 1/n sum_i f_i(x, y*(x)),   y*(x) = argmin over y of 1/n sum_i
///     g_i(x, y)     (shared)
///                                                        y_i*(x) = argmin over y of g_i(x, y)
///                                                        (personal)
///
/// x in R^p, y in R^q. Batched calls take d x m blocks, one column per local agent. None of them is
/// collective.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/core/eigen.hpp"
#include "echelon/core/feasible_set.hpp"
#include "echelon/core/options.hpp"

namespace echelon {

struct PartitionReport;  // partition.hpp

using ConstVector = Eigen::Map<const VectorXd>;
using Vector = Eigen::Map<VectorXd>;

enum class Level { upper, lower };  ///< f or g

/// Names the random draw behind an oracle call; the agent's id and the seed are added inside. Equal
/// handles give equal samples.
struct Sample {
  std::uint64_t iteration = 0;
  std::uint32_t step = 0;    ///< inner step
  std::uint32_t stream = 0;  ///< calls that should be independent within one step
  bool full = false;         ///< all samples, no noise: for evaluation
  /// B > 0: instead of a fresh draw, one of B fixed parts of each agent's samples, scaled so that
  /// the mean of the B answers is the answer for all samples.
  std::int64_t batches = 0;
  std::int64_t batch = each_its_own;  ///< which part, for all agents alike

  /// Each agent draws its part: see sub_batch_of.
  static constexpr std::int64_t each_its_own = -1;

  static Sample everything() { return {.full = true}; }
};

/// A point for all local agents, with the gradients wanted at it; nullptr = not wanted.
struct EvaluationPoint {
  const AgentView& x;
  const AgentView& y;
  AgentView* gx;
  AgentView* gy;
};

/// The same for one agent.
struct AgentPoint {
  ConstVector x;
  ConstVector y;
  Vector gx;  ///< data() == nullptr if not wanted
  Vector gy;

  bool wants_gx() const { return gx.data() != nullptr; }
  bool wants_gy() const { return gy.data() != nullptr; }
};

/// Second-order products of g at (x, y): hv = (d2g/dy2) v, jv = (d2g/dxdy) v, the x-gradient of
/// <grad_y g, v>.
struct ProductPoint {
  const AgentView& x;
  const AgentView& y;
  const AgentView& v;
  AgentView* hv;  ///< nullptr = not wanted
  AgentView* jv;
  /// Gradients of the same function at (x, y) with the same sample, which spare forward differences
  /// a call; nullptr = not at hand.
  const AgentView* gx = nullptr;
  const AgentView* gy = nullptr;
};

struct AgentProduct {
  ConstVector x;
  ConstVector y;
  ConstVector v;
  Vector hv;  ///< data() == nullptr if not wanted
  Vector jv;
  ConstVector gx{nullptr, 0};  ///< as in ProductPoint
  ConstVector gy{nullptr, 0};

  bool wants_hv() const { return hv.data() != nullptr; }
  bool wants_jv() const { return jv.data() != nullptr; }
  /// True if the gradients at (x, y) that the wanted products take are at hand.
  bool has_base() const {
    return (!wants_hv() || gy.data() != nullptr) && (!wants_jv() || gx.data() != nullptr);
  }
};

/// Finite-difference step of the products: central differences of grad g at y + d v and y - d v,
/// or forward ones at y + d v and y, same sample. Errors are about d^2 and d; none on quadratics.
///   relative: d = step (1 + |y|_inf) / |v|_2      capped: d = step / max(1, |v|_2)      absolute:
///   d = step
struct DifferenceStep {
  enum class Rule { relative, capped, absolute } rule = Rule::relative;
  double step = 6e-6;
  bool forward = false;
};

/// Oracle calls of the local agents since construction, counted by the batched calls; evaluations
/// for reports go through the calls of one agent and are not part of an algorithm's cost.
struct OracleCounts {
  std::int64_t gradients = 0;  ///< one function, one agent, one point, x- and y-part together
  std::int64_t products =
      0;  ///< exact second-order products; a finite-difference product is two gradients
  std::int64_t values = 0;  ///< one function, one agent, one point
};

/// A named single-level problem to compare with, such as training on the noisy labels.
struct BaselineInfo {
  std::string name;
  std::string description;
};

/// A point where the answer is known: a global or local minimizer of F.
struct KnownSolution {
  VectorXd x;  ///< empty where it is not unique
  VectorXd y;  ///< shared lower level only; empty otherwise, and where it is not unique
  double value = 0;
};

/// Linear constraints of the lower level, the same for all agents, with A (rows x q), B (rows x p):
///     equal:    A y + B x = c         at_most:   A y + B x <= c
struct LinearConstraints {
  enum class Kind { equal, at_most } kind = Kind::equal;
  Eigen::MatrixXd A, B;
  VectorXd c;
};

/// Lower levels whose minimizer is not unique: methods descend on g + (mu_k / 2) |y|^2 with
/// mu_k = weight (k + 1)^-decay in iteration k. Source: A. N. Tikhonov, Soviet Math. Dokl. 4, 1963.
struct TikhonovOptions {
  double weight = 0;
  double decay = 0.5;

  void visit(OptionVisitor& visitor);
  double at(std::uint64_t iteration) const;
};

/// The lower-level Hessian of one agent as a diagonal and a mean of outer products:
/// H = diag(diagonal) + 1/N sum_b g_b g_b', the g_b being the N columns of `factors`.
struct HessianFactors {
  VectorXd diagonal;
  Eigen::MatrixXd factors;
};

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

  /// Where x and y may lie: the same for all agents, all of space unless a problem says otherwise.
  virtual const FeasibleSet& upper_set() const { return whole_space_; }
  virtual const FeasibleSet& lower_set() const { return whole_space_; }
  /// Linear constraints of the lower level besides its set; nullptr if there are none.
  virtual const LinearConstraints* lower_constraints() const { return nullptr; }
  /// True if g_i = (smooth part)_i + r with an r(x, y), the same for all agents, of which y sees
  /// only the proximal map. Values and x-gradients are those of all of g_i, y-gradients those of
  /// the smooth part.
  virtual bool has_nonsmooth_term() const { return false; }
  /// y <- argmin over u of t r(x, u) + 1/2 |u - y|^2.
  virtual void lower_prox(double t, const ConstVector& x, Vector y) const;

  /// False for an agent that batched calls leave out: its gradients and products are 0, its values
  /// stay as they are, and nothing is counted.
  virtual bool takes_part(int /*local*/) const { return true; }

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
  virtual bool has_exact_products() const { return false; }

  // One agent at a time; `local` counts the local agents from 0. Called from several threads at
  // once. ---------------

  virtual double value(Level level, int local, const Sample& sample, const ConstVector& x,
                       const ConstVector& y) const = 0;
  /// All wanted outputs are overwritten.
  virtual void gradient(Level level, int local, const Sample& sample,
                        std::span<const AgentPoint> points) const = 0;
  virtual void product(int local, const Sample& sample, const AgentProduct& product) const;
  /// The products of one agent by differences; returns the gradient calls it took (0 where v = 0).
  std::int64_t difference_product(int local, const Sample& sample, AgentProduct product,
                                  const DifferenceStep& step, Level level = Level::lower) const;
  /// The lower-level Hessian at (x, y) in factors, where it has that form.
  virtual std::optional<HessianFactors> hessian_factors(int local, const ConstVector& x,
                                                        const ConstVector& y) const;

  /// The seed of `sub_batch_of`, if calls honour Sample::batches; nothing if they do not.
  virtual std::optional<std::uint64_t> sub_batch_seed() const { return std::nullopt; }

  /// Of the samples that this rank holds.
  virtual std::int64_t data_bytes() const { return 0; }
  /// How samples were dealt to all agents, the same on every rank; nullptr where nothing is dealt.
  virtual const PartitionReport* partition_report() const { return nullptr; }

  // What a run reports.
  // ------------------------------------------------------------------------------------------

  /// The global minimizers first, then local ones; empty if none is known. Expensive for some.
  virtual std::vector<KnownSolution> known_solutions(bool personal) const;
  /// y*(x) of a shared lower level in closed form (of several, the best for f), where there is one.
  virtual std::optional<VectorXd> lower_solution(const VectorXd& x) const;

  /// Names of the problem's own figures (such as test_accuracy). Every rank must return the same
  /// list.
  virtual std::vector<std::string> metric_names() const { return {}; }
  /// Per-agent contributions whose sums over all agents `finish_metrics` turns into the figures
  /// above.
  virtual Index metric_sums() const { return 0; }
  virtual void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                               Eigen::Ref<VectorXd> sums) const;
  virtual std::vector<double> finish_metrics(const VectorXd& sums) const;

  /// Yardsticks: single-level problems in y whose minimizers are measured with the same figures.
  virtual std::vector<BaselineInfo> baselines() const { return {}; }
  virtual void baseline_gradient(std::size_t baseline, int local, const ConstVector& y,
                                 Vector gy) const;

  OracleCounts counts() const { return counts_; }

  /// From now on the batched calls are those of g + (mu_k / 2) |y|^2. The calls of one agent, by
  /// which runs report, stay those of g.
  void regularize(const TikhonovOptions& options) { tikhonov_ = options; }
  bool is_regularized() const { return tikhonov_.weight > 0; }

 private:
  friend class ActiveAgents;
  void gradients(Level level, const Sample& sample, std::span<const EvaluationPoint> points);
  double ridge_of(Level level, const Sample& sample) const;  ///< mu_k; 0 for f
  void add_products_of_ridge(const Sample& sample, const ProductPoint& point);
  /// body(local) for the active agents that take part, leave_out(local) for those that do not;
  /// returns how often body was called.
  template <class Body, class LeaveOut>
  int each_active(const Body& body, const LeaveOut& leave_out) const;

  AgentSet agents_;
  FeasibleSet whole_space_;
  OracleCounts counts_;
  TikhonovOptions tikhonov_;
  const std::vector<int>* active_ = nullptr;  ///< nullptr: all
};

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

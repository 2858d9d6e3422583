#pragma once
/// Facets of a problem: what some problems offer besides values and gradients. A problem offers a
/// facet by deriving from it, all of it; `problem.facet<Metrics>()` finds it, also behind
/// decorators.
///
/// Functions of one agent are protected: an agent's number is that of the problem that offers the
/// facet, and behind a decorator this may be another one. `BilevelProblem` has a function of the
/// same name that translates it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include "echelon/core/eigen.hpp"

#include "echelon/core/feasible_set.hpp"
#include "echelon/problem/oracle.hpp"

namespace echelon {

class BilevelProblem;
struct PartitionReport;  // partition.hpp

class Facet {
 public:
  virtual ~Facet() = default;
};

/// Exact second-order products of g; without them methods difference gradients.
class SecondOrder : public Facet {
 protected:
  friend BilevelProblem;
  virtual void product(int local, const Sample& sample, const AgentProduct& product) const = 0;
};

/// The lower-level Hessian of one agent as a diagonal and a mean of outer products:
/// H = diag(diagonal) + 1/N sum_b g_b g_b', the g_b being the N columns of `factors`.
struct HessianFactors {
  VectorXd diagonal;
  Eigen::MatrixXd factors;
};

class FactoredHessian : public Facet {
 protected:
  friend BilevelProblem;
  /// At (x, y); nothing where the problem, as its options make it, has no such form.
  virtual std::optional<HessianFactors> hessian_factors(int local, const ConstVector& x,
                                                        const ConstVector& y) const = 0;
};

/// Where x and y may lie, the same for all agents; all of space for problems without this facet.
class FeasibleSets : public Facet {
 public:
  virtual const FeasibleSet& upper_set() const = 0;
  virtual const FeasibleSet& lower_set() const = 0;
};

/// Linear constraints of the lower level, the same for all agents, with A (rows x q), B (rows x p):
///     equal:    A y + B x = c         at_most:   A y + B x <= c
struct LinearConstraints {
  enum class Kind { equal, at_most } kind = Kind::equal;
  Eigen::MatrixXd A, B;
  VectorXd c;
};

/// Linear constraints of the lower level besides its set.
class LowerConstraints : public Facet {
 public:
  /// nullptr where the problem, as its options make it, has none.
  virtual const LinearConstraints* lower_constraints() const = 0;
};

/// g_i = (smooth part)_i + r with an r(x, y), the same for all agents, of which y sees only the
/// proximal map. Values and x-gradients are those of all of g_i, y-gradients those of the smooth
/// part.
class NonsmoothTerm : public Facet {
 public:
  /// False where the problem, as its options make it, has no such term.
  virtual bool has_nonsmooth_term() const = 0;
  /// y <- argmin over u of t r(x, u) + 1/2 |u - y|^2.
  virtual void lower_prox(double t, const ConstVector& x, Vector y) const = 0;
};

/// A point where the answer is known: a global or local minimizer of F.
struct KnownSolution {
  VectorXd x;  ///< empty where it is not unique
  VectorXd y;  ///< shared lower level only; empty otherwise, and where it is not unique
  double value = 0;
};

class KnownSolutions : public Facet {
 public:
  /// The global minimizers first, then local ones; empty if none is known. Expensive for some.
  virtual std::vector<KnownSolution> known_solutions(bool personal) const = 0;
};

/// y*(x) of a shared lower level in closed form.
class LowerSolution : public Facet {
 public:
  /// Of several, the best for f; nothing where the problem, as its options make it, has none.
  virtual std::optional<VectorXd> lower_solution(const VectorXd& x) const = 0;
};

/// The problem's own figures, such as test_accuracy.
class Metrics : public Facet {
 public:
  /// Every rank must return the same list.
  virtual std::vector<std::string> metric_names() const = 0;
  /// Numbers that an agent contributes. Their sums over all agents become the figures.
  virtual Index metric_sums() const = 0;
  virtual std::vector<double> finish_metrics(const VectorXd& sums) const = 0;

 protected:
  friend BilevelProblem;
  virtual void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                               Eigen::Ref<VectorXd> sums) const = 0;
};

/// A named single-level problem to compare with, such as training on the noisy labels.
struct BaselineInfo {
  std::string name;
  std::string description;
};

/// Single-level problems in y whose minimizers are measured with the same figures.
class Baselines : public Facet {
 public:
  virtual std::vector<BaselineInfo> baselines() const = 0;

 protected:
  friend BilevelProblem;
  virtual void baseline_gradient(std::size_t baseline, int local, const ConstVector& y,
                                 Vector gy) const = 0;
};

/// Samples that this rank holds in memory.
class HeldData : public Facet {
 public:
  virtual std::int64_t data_bytes() const = 0;
};

/// Samples that were assigned to all agents.
class PartitionedSamples : public Facet {
 public:
  /// The same on every rank.
  virtual const PartitionReport& partition_report() const = 0;
};

/// Gradients that honor Sample::batches.
class SubBatches : public Facet {
 public:
  /// The seed of `sub_batch_of`.
  virtual std::uint64_t sub_batch_seed() const = 0;
};

}  // namespace echelon

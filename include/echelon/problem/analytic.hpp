#pragma once
/// Small bilevel problems with known answers, most of them from the literature: coreset selection,
/// lower levels with many minimizers, box-constrained test sets, linear constraints, balls and the
/// simplex.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "echelon/core/options.hpp"
#include "echelon/problem/gradient_noise.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// f and g of all agents before perturbation, with x in R^p and y in R^q.
struct AnalyticInstance {
  using Value = std::function<double(const ConstVector& x, const ConstVector& y)>;
  using Gradient = std::function<VectorXd(const ConstVector& x, const ConstVector& y)>;
  using Product =
      std::function<VectorXd(const ConstVector& x, const ConstVector& y, const ConstVector& v)>;

  struct Start {
    VectorXd x, y;
  };

  Index p = 1;
  Index q = 1;
  Value f, g;
  Gradient fx, fy, gx, gy;
  Product hv, jv;  ///< (d2g/dy2) v and (d2g/dxdy) v
  FeasibleSet upper, lower;
  std::optional<LinearConstraints> constraints;
  /// lower_prox of BilevelProblem; empty where g is smooth.
  std::function<void(double t, const ConstVector& x, Vector y)> prox;
  std::vector<Start> starts;             ///< at least one
  std::vector<KnownSolution> solutions;  ///< global minimizers first
  std::function<VectorXd(const VectorXd& x)> lower_solution;
};

/// An instance by name.
struct AnalyticEntry {
  std::string name;
  std::string summary;  ///< what it is for, and its source
  std::string formula;
  Index dimension = 0;  ///< as published, of one that scales; 0 for a fixed size
  std::function<AnalyticInstance(Index dimension)> make;
};

/// All instances: those with formulas for any dimension, then the box-constrained test set, those
/// with linear constraints, and those in balls and simplices.
const std::vector<AnalyticEntry>& analytic_catalog();

struct AnalyticOptions {
  std::string instance = "pbgd";
  std::int64_t dimension = 0;
  std::int64_t start = 0;
  double heterogeneity = 0;
  double noise = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// Every agent has the f and g of the instance plus linear terms with zero mean over the agents,
///
///     g_i(x, y) = g(x, y) + <delta_i, y>,     f_i(x, y) = f(x, y) + <eta_i, x> + <eta'_i, y>
///
/// so that the solution for a shared lower level stays. For a personal one no solution is known
/// unless the terms are zero. With noise as in gradient_noise.hpp.
class Analytic final : public BilevelProblem,
                       public FeasibleSets,
                       public LowerConstraints,
                       public NonsmoothTerm,
                       public SecondOrder,
                       public KnownSolutions,
                       public LowerSolution,
                       public SubBatches {
 public:
  /// Throws a usage error for a start or a dimension that the instance does not have.
  Analytic(AgentSet agents, const AnalyticOptions& options, std::uint64_t seed);

  Index upper_dimension() const override { return instance_.p; }
  Index lower_dimension() const override { return instance_.q; }
  VectorXd start_x() const override { return instance_.starts[start_].x; }
  VectorXd start_y() const override { return instance_.starts[start_].y; }
  const FeasibleSet& upper_set() const override { return instance_.upper; }
  const FeasibleSet& lower_set() const override { return instance_.lower; }
  const LinearConstraints* lower_constraints() const override;
  bool has_nonsmooth_term() const override { return static_cast<bool>(instance_.prox); }
  void lower_prox(double t, const ConstVector& x, Vector y) const override;

  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return noise_.seed(); }

  std::vector<KnownSolution> known_solutions(bool personal) const override;
  std::optional<VectorXd> lower_solution(const VectorXd& x) const override;

 private:
  /// The linear terms of one agent.
  struct Perturbation {
    VectorXd g_y, f_x, f_y;
  };

  Perturbation draw_perturbation(AgentId agent) const;

  AnalyticInstance instance_;
  std::size_t start_;
  double heterogeneity_;
  GradientNoise noise_;
  std::vector<Perturbation> perturbations_;  ///< of the local agents; empty without heterogeneity
};

}  // namespace echelon

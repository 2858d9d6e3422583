#pragma once
/// Quadratic bilevel problems with closed-form solutions.

#include <string>
#include <vector>

#include "echelon/core/eigen.hpp"
#include "echelon/core/options.hpp"
#include "echelon/problem/gradient_noise.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// The terms of one agent:
///
///     g_i(x, y) = 1/2 y'A y + x'C y + a'y                A (q x q) positive definite, C (p x q)
///     f_i(x, y) = 1/2 y'F y + u'y + 1/2 x'H x + w'x + c
struct QuadraticTerms {
  VectorXd a, u, w;
  double c = 0;
};

/// What agents may share, or have each for their own.
struct QuadraticMatrices {
  Eigen::MatrixXd A, C;
};

struct QuadraticOptions {
  std::int64_t upper_dimension = 10;
  std::int64_t lower_dimension = 10;
  double heterogeneity = 1;
  double condition = 10;
  std::string matrices = "own";
  double noise = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

struct PqOptions {
  std::int64_t dimension = 10;
  double heterogeneity = 0;
  double noise = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// With noise as in gradient_noise.hpp.
class Quadratic final : public BilevelProblem,
                        public SecondOrder,
                        public KnownSolutions,
                        public HeldData,
                        public SubBatches {
 public:
  /// Random instance from `seed`: spectrum of the mean of A in [1 / condition, 1], |C| about 1 /
  /// condition. `heterogeneity` h scales how far the agents' offsets (and, with matrices = own,
  /// their matrices) lie apart; at 0 all agents are equal.
  Quadratic(AgentSet agents, const QuadraticOptions& options, std::uint64_t seed);

  /// Problem P-Q: f = 1/2 |x - 1|^2 + 1/2 y'A y, g = 1/2 y'A y - x'y, A = diag(linspace(.5, 2, d)),
  /// so that y*(x) = A^-1 x, x* = A (A + I)^-1 1. Heterogeneity adds linear terms with zero mean
  /// over the agents; the solution stays.
  Quadratic(AgentSet agents, const PqOptions& options, std::uint64_t seed);

  Index upper_dimension() const override { return p_; }
  Index lower_dimension() const override { return q_; }
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  /// Of the agents' terms and matrices.
  std::int64_t data_bytes() const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }
  std::vector<KnownSolution> known_solutions(bool personal) const override;

 private:
  QuadraticMatrices make_matrices(AgentId agent) const;
  QuadraticTerms make_terms(AgentId agent) const;
  const QuadraticMatrices& matrices(int local) const {
    return matrices_[own_matrices_ ? static_cast<std::size_t>(local) : 0];
  }

  Index p_, q_;
  std::uint64_t seed_;
  double heterogeneity_;
  GradientNoise noise_;
  bool own_matrices_ = false;
  bool is_pq_ = false;
  QuadraticMatrices base_;  // common part of every agent's matrices
  Eigen::MatrixXd F_;       // q x q
  double h_ = 1;            // H = h I
  VectorXd mean_delta_a_, mean_delta_u_,
      mean_delta_w_;  // P-Q: subtracted, so that perturbations have zero mean
  std::vector<QuadraticMatrices> matrices_;
  std::vector<QuadraticTerms> terms_;
};

}  // namespace echelon

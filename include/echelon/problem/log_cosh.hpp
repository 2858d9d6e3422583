#pragma once
/// Heterogeneous quadratics with a log-cosh term in the lower level (P-het), for comparing
/// decentralized methods.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/eigen.hpp"
#include "echelon/core/options.hpp"
#include "echelon/problem/gradient_noise.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

struct LogCoshOptions {
  double noise = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// The terms of one agent, or their mean: A q x q, C p x q.
struct LogCoshTerms {
  Eigen::MatrixXd A, C;
  VectorXd a, t, s;
  double constant = 0;  ///< of f: 1/2 |t|^2 + 3/20 |s|^2
};

/// p = 4, q = 6,
///
///     g_i(x, y) = 1/2 y'A_i y + x'C_i y + a_i'y + .3 sum_j log cosh y_j
///     f_i(x, y) = 1/2 |y - t_i|^2 + .15 |x - s_i|^2
///
/// with A_i = I/2 + R_i R_i'/6 and all numbers from one fixed sequence, agent after agent, whatever
/// the seed: with eight agents it is the instance het-1. With noise as in gradient_noise.hpp.
class LogCosh final : public BilevelProblem,
                      public SecondOrder,
                      public KnownSolutions,
                      public LowerSolution,
                      public SubBatches {
 public:
  LogCosh(AgentSet agents, const LogCoshOptions& options, std::uint64_t seed);

  Index upper_dimension() const override;
  Index lower_dimension() const override;
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return noise_.seed(); }

  /// By Newton's method, to rounding.
  std::vector<KnownSolution> known_solutions(bool personal) const override;
  std::optional<VectorXd> lower_solution(const VectorXd& x) const override;

 private:
  const LogCoshTerms& terms(int local) const {
    return terms_[static_cast<std::size_t>(agents().local[static_cast<std::size_t>(local)])];
  }

  GradientNoise noise_;
  std::vector<LogCoshTerms> terms_;  ///< of all agents
  LogCoshTerms mean_;
};

}  // namespace echelon

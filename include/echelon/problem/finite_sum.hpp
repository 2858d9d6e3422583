#pragma once
/// Finite sums of quadratics (P-QG), for stochastic methods: minibatches and sub-batches of
/// samples, exact products, and the solution in closed form.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/eigen.hpp"
#include "echelon/core/options.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

struct FiniteSumOptions {
  std::string instance = "random";
  std::int64_t samples_lower = 1024;
  std::int64_t samples_upper = 1024;
  std::int64_t upper_dimension = 20;
  std::int64_t lower_dimension = 20;
  std::int64_t batch = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// One sample: 1/2 <curvature_x, x>^2 + 1/2 <curvature_y, y>^2 + x' coupling y + <linear_x, x> +
/// <linear_y, y>, with coupling p x q.
struct QuadraticSample {
  VectorXd curvature_x, curvature_y;
  Eigen::MatrixXd coupling;
  VectorXd linear_x, linear_y;
};

/// A sum of samples: 1/2 x' xx x + 1/2 y' yy y + x' xy y + <x_part, x> + <y_part, y>.
struct QuadraticSum {
  QuadraticSum(Index p, Index q);  ///< of none
  void add(const QuadraticSample& sample);

  Eigen::MatrixXd xx, yy, xy;
  VectorXd x_part, y_part;
};

/// N samples of g and M of f, dealt to the agents in contiguous blocks whose sizes differ by at
/// most one, p q numbers each; the sums of an agent are scaled by n / N and n / M, so that the
/// means over agents are the means over samples.
///
///     g_i = n/N sum_j 1/2 y'A_j y + 1/2 x'B_j x + x'C_j y + a_j'y + b_j'x,    f_i likewise with
///     F_j, H_j, K_j, f_j, h_j
///
/// `random`: means of A_j, B_j, F_j and H_j with logarithmically spaced spectrum in [.1, 1], norms
/// of C_j and K_j at most .1. `qg-1`: p = 4, q = 6, N = M = 16, the same in any program. Design: M.
/// Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409.
class FiniteSum final : public BilevelProblem,
                        public SecondOrder,
                        public KnownSolutions,
                        public LowerSolution,
                        public SubBatches {
 public:
  /// Every rank draws all samples and keeps those of its agents. Throws a usage error for fewer
  /// samples than unknowns, and if the Hessian of F is not positive definite.
  FiniteSum(AgentSet agents, const FiniteSumOptions& options, std::uint64_t seed);

  Index upper_dimension() const override { return p_; }
  Index lower_dimension() const override { return q_; }
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }

  /// Nothing for a personal lower level: an agent may have too few samples for a unique solution.
  std::vector<KnownSolution> known_solutions(bool personal) const override;
  std::optional<VectorXd> lower_solution(const VectorXd& x) const override;

 private:
  struct Part {
    std::vector<QuadraticSample> samples;
    QuadraticSum sum;
  };
  /// y*(x) = slope x + offset.
  struct LowerMap {
    Eigen::MatrixXd slope;
    VectorXd offset;
  };

  template <class Generator>
  void deal(const Generator& generator);
  static std::size_t number(Level level) { return level == Level::upper ? 0 : 1; }
  std::int64_t count(Level level) const {
    return level == Level::upper ? options_.samples_upper : options_.samples_lower;
  }
  const Part& part(Level level, int local) const {
    return parts_[number(level)][static_cast<std::size_t>(local)];
  }
  SampleDraw draw(Level level, int local, const Sample& sample) const;
  double factor(Level level) const;  ///< n / N or n / M
  Eigen::MatrixXd hessian_of_F() const;

  FiniteSumOptions options_;  ///< with the sizes of the instance
  Index p_, q_;
  std::uint64_t seed_;
  std::array<std::vector<Part>, 2> parts_;  ///< by level and local agent
  std::array<QuadraticSum, 2> means_;       ///< over all samples
  LowerMap lower_;
};

}  // namespace echelon

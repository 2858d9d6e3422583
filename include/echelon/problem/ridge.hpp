#pragma once
/// Hyper-parameters of ridge regression (P-ridge): regularization per coordinate, or weights of the
/// samples, with the exact hypergradient.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/eigen.hpp"
#include "echelon/core/options.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

struct RidgeOptions {
  std::string upper_variable = "regularization";
  std::int64_t train = 100;
  std::int64_t validation = 100;
  std::int64_t features = 5;
  double label_noise = 0.5;
  double outliers = 0;
  double regularization = 0.01;
  std::int64_t batch = 0;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// Linear regression on data drawn from the seed, half of whose features matter:
///
///     f_i(y)    = n/M 1/2 sum_{b of agent i} (a_b'y - t_b)^2                      validation
///     g_i(x, y) = n/N 1/2 sum_{b of agent i} w_b (a_b'y - t_b)^2 + 1/2 sum_j r_j y_j^2
///
/// x sets r_j = e^{x_j} with w = 1 (regularization), or w_b = sigma(x_b) of all N training samples
/// with r_j constant (data-weights), sigma(t) = 1 / (1 + e^-t). Samples are dealt in contiguous
/// blocks; the means over agents are the global means, agents without samples included.
class Ridge final : public BilevelProblem,
                    public SecondOrder,
                    public FactoredHessian,
                    public LowerSolution,
                    public HeldData,
                    public SubBatches {
 public:
  /// Every rank draws all samples.
  Ridge(AgentSet agents, const RidgeOptions& options, std::uint64_t seed);

  /// Of all samples.
  std::int64_t data_bytes() const override;
  Index upper_dimension() const override;
  Index lower_dimension() const override { return static_cast<Index>(options_.features); }
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }

  /// H_i = diag(r) + 1/N_i sum_b g_b g_b', g_b = sqrt(n N_i/N w_b) a_b over the agent's N_i
  /// training samples (none, if it has none).
  std::optional<HessianFactors> hessian_factors(int local, const ConstVector& x,
                                                const ConstVector& y) const override;
  std::optional<VectorXd> lower_solution(const VectorXd& x) const override;
  /// dF for a shared lower level. With M = 1/N sum w_b a_b a_b' + diag(r) and u = M^-1 fy(y*) it is
  /// -u_j e^{x_j} y*_j, or -1/N sigma'(x_b) (a_b'y* - t_b) a_b'u.
  VectorXd hypergradient(const VectorXd& x) const;

 private:
  /// A sample per column.
  struct Data {
    Eigen::MatrixXd features;
    VectorXd targets;
  };
  struct Block {
    std::int64_t first, count;
  };

  bool weighs_data() const { return options_.upper_variable == "data-weights"; }
  const Data& data(Level level) const { return level == Level::upper ? validation_ : train_; }
  Block block(Level level, int local) const;
  double factor(Level level) const;  ///< n / N or n / M
  /// Calls visit(b) for every sample of the draw, with its number in the whole data set. Returns
  /// the scale of the sum.
  template <class Visit>
  double for_each_drawn(Level level, int local, const Sample& sample, const Visit& visit) const;
  /// Of the squared residuals, to gradients that are zero.
  void add_data_gradient(Level level, int local, const Sample& sample, AgentPoint& point) const;
  double weight(const ConstVector& x, Index b) const;
  VectorXd regularization(const ConstVector& x) const;  ///< r
  Eigen::MatrixXd hessian(const ConstVector& x) const;  ///< M

  RidgeOptions options_;
  std::uint64_t seed_;
  Data train_, validation_;
};

}  // namespace echelon

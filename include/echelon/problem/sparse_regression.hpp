#pragma once
/// How strongly to press coefficients of a linear regression to zero: nonsmooth lower levels.

#include <cstdint>
#include <string>

#include "echelon/core/eigen.hpp"
#include "echelon/core/options.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

struct SparseRegressionOptions {
  std::string penalty = "l1";
  double shape = 3.7;
  std::int64_t train = 100;
  std::int64_t validation = 100;
  std::int64_t features = 10;
  std::int64_t groups = 2;
  double label_noise = 0.5;
  double start_weight = 0.1;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// Linear regression on data drawn from the seed, half of whose groups of features matter:
///
///     f_i(y)    = n/M 1/2 sum_{b of agent i} (a_b'y - t_b)^2                      validation
///     g_i(x, y) = n/N 1/2 sum_{b of agent i} (a_b'y - t_b)^2 + sum_k r(e^{x_k}, y_k)
///
/// with y_k the k-th of contiguous groups of coefficients, x_k the logarithm of its weight w, and
///
///     r(w, y_k) = w |y_k|_1  (l1),   w |y_k|_2  (group),   or a sum over its entries of SCAD or
///     MCP
///
/// as in proximal.hpp. Samples are dealt in contiguous blocks.
class SparseRegression final : public BilevelProblem,
                               public NonsmoothTerm,
                               public LowerSolution,
                               public HeldData {
 public:
  /// Every rank draws all samples. Throws a usage error for more groups than features.
  SparseRegression(AgentSet agents, const SparseRegressionOptions& options, std::uint64_t seed);

  /// Of all samples.
  std::int64_t data_bytes() const override;
  Index upper_dimension() const override { return static_cast<Index>(options_.groups); }
  Index lower_dimension() const override { return static_cast<Index>(options_.features); }
  /// The logarithm of start_weight; 0.
  VectorXd start_x() const override;
  bool has_nonsmooth_term() const override { return true; }
  void lower_prox(double t, const ConstVector& x, Vector y) const override;

  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  /// By proximal gradient steps, to rounding. Unique for l1 and group if the features span R^q; for
  /// SCAD and MCP if the smallest eigenvalue of 1/N sum a_b a_b' is above 1 / (shape - 1), or
  /// 1 / shape.
  std::optional<VectorXd> lower_solution(const VectorXd& x) const override;

 private:
  /// A sample per column.
  struct Data {
    Eigen::MatrixXd features;
    VectorXd targets;
  };

  const Data& data(Level level) const { return level == Level::upper ? validation_ : train_; }
  Index first_of(Index group) const;
  double penalty(double weight, const Eigen::Ref<const VectorXd>& group) const;
  double penalty_by_weight(double weight, const Eigen::Ref<const VectorXd>& group) const;
  void shrink(double t, double weight, Eigen::Ref<VectorXd> group) const;
  /// Calls visit(b) for the samples of one agent and returns n / N or n / M.
  template <class Visit>
  double for_each_sample(Level level, int local, const Visit& visit) const;

  SparseRegressionOptions options_;
  Data train_, validation_;
};

}  // namespace echelon

#pragma once
/// Choice of one l2 coefficient per feature of a logistic regression, by validation.
///
///     f_i(y)    = n/N_val sum_{j of agent i} CE_j(y)
///     g_i(x, y) = n/N_tr  sum_{j of agent i} CE_j(y) + 1/(2D) sum_k e^{x_k} y_k^2
///
/// x, y in R^D; CE_j of logistic_kernel.hpp on sparse rows of a LIBSVM file, no bias. The factors
/// n/N make the means over agents the global means for any partition, empty shards included.
/// e^{x_k} overflows above x_k = 709: values and gradients are then not finite, which a run reports
/// as divergence; nothing is clamped. Source: F. Pedregosa, ICML 2016, arXiv:1602.02355 (one
/// coefficient); R. Grazzi et al., ICML 2020, arXiv:2006.16218 (one per feature).

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/problem/data.hpp"
#include "echelon/problem/logistic_kernel.hpp"
#include "echelon/problem/partition.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

struct RegularizationSelectionOptions {
  std::string data;
  std::string test_data;
  double validation_fraction = 0.25;
  double start_x = 0;
  std::int64_t batch = 0;
  std::string precision = "auto";
  PartitionOptions partition;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

class RegularizationSelection final : public BilevelProblem,
                                      public SecondOrder,
                                      public Metrics,
                                      public Baselines,
                                      public HeldData,
                                      public PartitionedSamples,
                                      public SubBatches {
 public:
  /// Every rank reads all labels and the rows of its own agents. `wants_double` decides precision =
  /// auto. Throws a usage error for a missing path or a split that leaves one side without samples.
  RegularizationSelection(AgentSet agents, RegularizationSelectionOptions options,
                          const DataSource& source, std::uint64_t seed, bool wants_double);

  Index upper_dimension() const override { return features_; }
  Index lower_dimension() const override { return features_; }
  VectorXd start_x() const override { return VectorXd::Constant(features_, options_.start_x); }
  std::int64_t data_bytes() const override;
  const PartitionReport& partition_report() const override { return report_; }

  /// Always in double, as are calls with Sample::full and products.
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }

  /// validation_accuracy; with test_data also test_accuracy and test_loss (mean CE) of y.
  std::vector<std::string> metric_names() const override;
  Index metric_sums() const override;
  void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const override;
  std::vector<double> finish_metrics(const VectorXd& sums) const override;

  std::vector<BaselineInfo> baselines() const override;
  void baseline_gradient(std::size_t baseline, int local, const ConstVector& y,
                         Vector gy) const override;

 private:
  struct Part {
    SparseData samples;
    std::vector<std::uint8_t> labels;
    SparseBatch all() const { return {samples, labels.data()}; }
  };
  struct Shard {
    Part train;
    Part validation;
    Part test;
  };

  void load(const DataSource& source);
  const Shard& shard(int local) const { return shards_[static_cast<std::size_t>(local)]; }
  const Part& part(Level level, int local) const;
  SampleDraw draw(Level level, int local, const Sample& sample) const;
  double factor(Level level) const;  ///< n / N

  RegularizationSelectionOptions options_;
  std::uint64_t seed_;
  bool double_;
  Index features_ = 0;
  std::int64_t train_count_ = 0;
  std::int64_t validation_count_ = 0;
  std::vector<Shard> shards_;
  PartitionReport report_;  ///< of the training samples
};

}  // namespace echelon

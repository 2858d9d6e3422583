#pragma once
/// Data hyper-cleaning: learn one weight per training sample, many of which carry a wrong label,
/// from a small clean set.
///
///     f_i(y)    = n/N_val sum_{j of agent i} CE_j(y)
///     g_i(x, y) = n/N_tr  sum_{j of agent i} sigma(x_j) CE_j(y) + reg |y|^2,     sigma(t) = 1 / (1
///     + e^{-t})
///
/// x in R^{N_tr}, numbered as the training samples of the whole run; y a softmax classifier of
/// images with ten classes (softmax_kernel.hpp). The factors n/N make the means over agents the
/// global means for any partition, empty shards included. An agent's x-gradient is nonzero only at
/// its own samples. Source: L. Franceschi et al., ICML 2017, arXiv:1703.01785; with sigma H. Shen,
/// T. Chen, ICML 2023, arXiv:2302.05185.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/problem/data.hpp"
#include "echelon/problem/partition.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"
#include "echelon/problem/softmax_kernel.hpp"

namespace echelon {

struct HyperCleaningOptions {
  std::string images;
  std::string labels;
  std::int64_t train = 5000;
  std::int64_t validation = 1000;
  std::int64_t test = 4000;
  double label_noise = 0.5;
  double regularization = 0.001;
  std::int64_t batch = 0;
  std::string precision = "auto";
  PartitionOptions partition;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

class HyperCleaning final : public BilevelProblem,
                            public SecondOrder,
                            public Metrics,
                            public Baselines,
                            public HeldData,
                            public PartitionedSamples,
                            public SubBatches {
 public:
  /// Every rank reads all labels and the images of its own agents. `wants_double` decides precision
  /// = auto. Throws usage errors for missing paths and for more samples than the files have,
  /// bad_data for files that do not fit together.
  HyperCleaning(AgentSet agents, HyperCleaningOptions options, const DataSource& source,
                std::uint64_t seed, bool wants_double);

  Index upper_dimension() const override { return static_cast<Index>(options_.train); }
  Index lower_dimension() const override { return (features_ + 1) * classes; }
  std::int64_t data_bytes() const override;
  const PartitionReport& partition_report() const override { return report_; }

  /// Always in double, as are calls with Sample::full and products.
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }

  /// test_accuracy and test_loss (mean CE) of y on samples that no level sees; f1 of "x_j > 0" as a
  /// guess that noise left the label of sample j as it was.
  std::vector<std::string> metric_names() const override;
  Index metric_sums() const override;
  void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const override;
  std::vector<double> finish_metrics(const VectorXd& sums) const override;

  std::vector<BaselineInfo> baselines() const override;
  void baseline_gradient(std::size_t baseline, int local, const ConstVector& y,
                         Vector gy) const override;

  static constexpr Index classes = 10;

 private:
  struct Shard {
    SampleList ids;      ///< x-components of the training samples
    LabelledRows train;  ///< labels as the agent sees them
    std::vector<std::uint8_t> true_labels;
    LabelledRows validation;
    LabelledRows test;
  };

  void load(const DataSource& source, const std::vector<std::uint8_t>& file_labels);
  const Shard& shard(int local) const { return shards_[static_cast<std::size_t>(local)]; }
  const LabelledRows& part(Level level, int local) const;
  SampleDraw draw(Level level, int local, const Sample& sample) const;
  double factor(Level level) const;  ///< n / N
  std::size_t x_index(int local, const DenseBatch& batch, Index position) const;
  std::vector<double> sample_weights(int local, const DenseBatch& batch,
                                     const ConstVector& x) const;

  HyperCleaningOptions options_;
  std::uint64_t seed_;
  bool double_;
  Index features_ = 0;
  std::vector<Shard> shards_;
  PartitionReport report_;  ///< of the training samples
};

}  // namespace echelon

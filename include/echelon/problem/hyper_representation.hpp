#pragma once
/// Hyper-representation: clients whose images have different labels learn the features of a network
/// together and its last layer each for itself, or that together, too.
///
///     f_i(x, y) = 1/N_i,val sum_{j of client i} CE_j(x, y)
///     g_i(x, y) = 1/N_i,tr  sum_{j of client i} CE_j(x, y) + mu/2 |y|^2
///
/// x are the feature layers and y the last layer of a perceptron with ten classes (mlp_kernel.hpp),
/// so that g_i is strongly convex in y. Every client counts alike, whatever its number of samples;
/// without samples a sum is 0. Its validation and test samples are from its own, so they have its
/// mixture of labels. Sources: L. Franceschi, P. Frasconi, S. Salzo, R. Grazzi, M. Pontil, ICML
/// 2018, arXiv:1806.04910; personal heads: L. Collins, H. Hassani, A. Mokhtari, S. Shakkottai, ICML
/// 2021, arXiv:2102.07078.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/problem/data.hpp"
#include "echelon/problem/mlp_kernel.hpp"
#include "echelon/problem/partition.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

struct HyperRepresentationOptions {
  std::string images;
  std::string labels;
  std::int64_t samples = 0;
  double validation_fraction = 0.2;
  double test_fraction = 0.3;
  std::string hidden = "200-64";
  std::string activation = "tanh";
  double regularization = 0.01;
  std::int64_t batch = 0;
  std::string precision = "auto";
  PartitionOptions partition;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

class HyperRepresentation final : public BilevelProblem,
                                  public SecondOrder,
                                  public Metrics,
                                  public HeldData,
                                  public PartitionedSamples,
                                  public SubBatches {
 public:
  /// Every rank reads all labels and the images of its own agents. `wants_double` decides precision
  /// = auto. Throws usage errors for missing paths, for more samples than the files have, and for
  /// fractions that leave nothing to train on; bad_data for files that do not fit together.
  HyperRepresentation(AgentSet agents, HyperRepresentationOptions options, const DataSource& source,
                      std::uint64_t seed, bool wants_double);

  Index upper_dimension() const override { return shape_.feature_size(); }
  Index lower_dimension() const override { return shape_.last_size(); }
  VectorXd start_x() const override;  ///< random

  /// Always in double, as are calls with Sample::full and products.
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }
  std::int64_t data_bytes() const override;
  const PartitionReport& partition_report() const override { return report_; }

  /// test_accuracy: of all clients' test samples, each guessed with the y of its client;
  /// validation_loss: mean CE over all validation samples.
  std::vector<std::string> metric_names() const override;
  Index metric_sums() const override;
  void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const override;
  std::vector<double> finish_metrics(const VectorXd& sums) const override;

  static constexpr Index classes = 10;

 private:
  struct Client {
    LabelledRows train, validation, test;
  };
  /// Numbers of samples in the files.
  struct Lists {
    SampleList train, validation, test;
  };

  void load(const DataSource& source, const std::vector<std::uint8_t>& labels);
  Lists split(const SampleList& own, AgentId agent) const;
  const LabelledRows& part(Level level, int local) const;
  SampleDraw draw(Level level, int local, const Sample& sample) const;
  double scale(Level level, int local, const SampleDraw& drawn) const;  ///< of each CE

  HyperRepresentationOptions options_;
  MlpShape shape_;
  std::uint64_t seed_;
  bool double_;
  std::vector<Client> clients_;
  PartitionReport report_;
};

}  // namespace echelon

#pragma once
/// Softmax regression of many clients over one pool of images, with l2 coefficients to learn.
///
///     g_i(x, y) = 1/n_i sum_{j of client i} CE_j(y) + 1/2 sum_c e^{x_c} |y_c|^2
///     f_i(y)    = 1/m_i sum_{j of client i, validation} CE_j(y)
///
/// x in R^C: a log coefficient per class; y a softmax classifier (softmax_kernel.hpp), y_c its part
/// for class c. A client's samples are a pure function of (seed, client): drawn from the pool, with
/// repetitions between clients, by label proportions of its own from Dirichlet(alpha). They cost no
/// memory, however many clients there are. Every rank holds the pool.
/// Source of the upper level: F. Pedregosa, ICML 2016, arXiv:1602.02355; of the clients: T.-M. H.
/// Hsu, H. Qi, M. Brown, 2019, arXiv:1909.06335.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/problem/data.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"
#include "echelon/problem/softmax_kernel.hpp"

namespace echelon {

struct ClientSoftmaxOptions {
  std::string images;
  std::string labels;
  std::int64_t test = 2000;
  std::int64_t client_train = 60;
  std::int64_t client_validation = 20;
  std::int64_t client_test = 20;
  double dirichlet_alpha = 0;
  double start_x = -6;
  std::int64_t batch = 0;
  std::string precision = "auto";

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

class ClientSoftmax final : public BilevelProblem,
                            public SecondOrder,
                            public Metrics,
                            public HeldData {
 public:
  static constexpr Index classes = 10;

  /// Every rank reads the whole files. Throws usage errors for missing paths and for more test
  /// samples than there are, bad_data for files that do not fit together.
  ClientSoftmax(AgentSet agents, ClientSoftmaxOptions options, const DataSource& source,
                std::uint64_t seed, bool wants_double);

  Index upper_dimension() const override { return classes; }
  Index lower_dimension() const override { return (pool_.samples.features() + 1) * classes; }
  VectorXd start_x() const override { return VectorXd::Constant(classes, options_.start_x); }
  std::int64_t data_bytes() const override;

  /// Always in double, as are calls with Sample::full and products.
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;

  /// test_accuracy and test_loss, of each client's own draws from the test images.
  std::vector<std::string> metric_names() const override { return {"test_accuracy", "test_loss"}; }
  Index metric_sums() const override { return 3; }
  void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const override;
  std::vector<double> finish_metrics(const VectorXd& sums) const override;

 private:
  enum class Part : std::uint64_t { train, validation, test };
  /// Rows of the pool (test: of the test images) by label.
  using ByLabel = std::vector<std::vector<std::int64_t>>;

  void load(const DataSource& source);
  /// The rows of a client's samples that take part in a call; `sample` nullptr: all of them.
  SampleList rows(AgentId client, Part part, const Sample* sample) const;
  SampleList rows(Level level, int local, const Sample& sample) const;
  std::vector<double> proportions(AgentId client) const;
  DenseBatch batch(const SampleList& rows) const { return pool_.batch(&rows); }
  Index block() const { return pool_.samples.features() + 1; }  ///< numbers per class in y

  ClientSoftmaxOptions options_;
  std::uint64_t seed_;
  bool double_;
  LabelledRows pool_;
  ByLabel by_label_;
  LabelledRows test_;
  ByLabel test_by_label_;
};

}  // namespace echelon

#pragma once
/// Demodulation of 16-QAM from few pilots: learn from many radio devices where to start, so that
/// the demodulator of a new device needs few known symbols.
///
///     f_i(y)    = n/D sum_{d of agent i} CE(y; payload of d)
///     g_i(x, y) = n/D sum_{d of agent i} CE(y; pilots of d) + mu/2 |y - x|^2
///
/// with CE the mean cross entropy of a perceptron (mlp_kernel.hpp) that guesses one of 16 symbols
/// from a received value (two numbers), y its parameters and x where they start or stay near. A
/// personal lower level and an agent for each device make it meta-learning with implicit
/// gradients; with fewer agents than devices, calls draw devices, and a method that starts y at x
/// in each iteration adapts to those. Sources: S. Park, H. Jang, O. Simeone, J. Kang, IEEE Trans.
/// Signal Processing 69, 2021, arXiv:1908.09049 (the task); C. Finn, P. Abbeel, S. Levine, ICML
/// 2017, arXiv:1703.03400; A. Rajeswaran, C. Finn, S. Kakade, S. Levine, NeurIPS 2019,
/// arXiv:1909.04630 (the term |y - x|^2).

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/options.hpp"
#include "echelon/problem/mlp_kernel.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

/// One device, for a block of symbols: received = h B(s) + noise, s of unit mean power,
/// h ~ CN(0, 1), and B what the transmitter's two branches do to the real and imaginary parts,
///
///     B = diag(1 + e, 1 - e) (cos t, -sin t; -sin t, cos t),
///     e = gain_imbalance Beta(5, 2),   t = phase_imbalance Beta(5, 2)
struct RadioOptions {
  double snr = 20;
  std::string snr_of = "average";
  double gain_imbalance = 0.15;
  double phase_imbalance = 15;
  bool gain_control = true;

  void visit(OptionVisitor& visitor);
};

struct DemodulationOptions {
  std::int64_t devices = 1000;
  std::int64_t pilots_per_symbol = 5;
  std::int64_t payload_per_symbol = 10;
  std::int64_t devices_per_call = 1;
  std::string hidden = "10-30-30-30";
  std::string activation = "tanh";
  double proximity = 0;
  std::int64_t test_devices = 100;
  std::int64_t test_payload_per_symbol = 20;
  std::int64_t adaptation_steps = 100;
  double adaptation_step = 0.1;
  double adaptation_momentum = 0.9;
  std::string precision = "auto";
  RadioOptions radio;

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

class Demodulation final : public BilevelProblem,
                           public SecondOrder,
                           public Metrics,
                           public HeldData,
                           public SubBatches {
 public:
  /// Devices are functions of the seed and their number, dealt to the agents in contiguous blocks
  /// whose sizes differ by at most one; each rank draws those of its agents.
  Demodulation(AgentSet agents, DemodulationOptions options, std::uint64_t seed, bool wants_double);

  Index upper_dimension() const override { return shape_.size(); }
  Index lower_dimension() const override { return shape_.size(); }
  /// The same random parameters.
  VectorXd start_x() const override;
  VectorXd start_y() const override { return start_x(); }

  /// Values, calls with Sample::full, and products are in double. The devices of a call depend on
  /// the iteration alone: inner steps, f and g are on the same ones.
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override;
  void product(int local, const Sample& sample, const AgentProduct& product) const override;
  std::uint64_t sub_batch_seed() const override { return seed_; }
  std::int64_t data_bytes() const override;

  /// test_symbol_accuracy and test_loss (mean CE) on the payload of devices that no level sees,
  /// each demodulated by a network that starts at x and takes steps on the device's pilots;
  /// likelihood_accuracy: the same of a receiver that knows channel and imbalance and takes the
  /// most likely symbol, the ceiling. Agents share these devices.
  std::vector<std::string> metric_names() const override;
  Index metric_sums() const override;
  void add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const override;
  std::vector<double> finish_metrics(const VectorXd& sums) const override;

  static constexpr Index symbols = 16;

  struct Symbols {
    DenseSamples received;  ///< the symbols of the first device, then those of the second, ...
    std::vector<std::uint8_t> sent;
    std::int64_t bytes() const { return received.bytes() + std::ssize(sent); }
  };

 private:
  struct Fleet {
    std::int64_t devices = 0;
    Symbols pilots, payload;
  };
  struct TestDevice {
    Symbols pilots, payload;
    double likelihood_correct = 0;  ///< payload symbols
  };

  /// The symbols that take part in a call, of one agent.
  struct Part {
    const Symbols& symbols;
    SampleList rows;
    bool everything = true;
    double scale = 0;  ///< of each CE

    DenseBatch batch() const {
      return {symbols.received, symbols.sent.data(), everything ? nullptr : &rows};
    }
  };

  TestDevice test_device(std::int64_t device) const;
  Part part(Level level, int local, const Sample& sample) const;
  /// The y for a device, from x by `adaptation_steps` steps.
  VectorXd adapted(const TestDevice& device, const ConstVector& x) const;
  template <class... Arguments>
  void evaluate(bool in_double, Arguments&&... arguments) const;
  MlpPoint at(const double* y) const { return {.features = y, .last = y + shape_.feature_size()}; }
  MlpPoint at(const double* y, double scale, double* gradient) const;

  DemodulationOptions options_;
  MlpShape shape_;
  std::uint64_t seed_;
  bool double_;
  std::vector<Fleet> fleets_;                  ///< by local agent
  std::vector<std::vector<TestDevice>> test_;  ///< by local agent
};

}  // namespace echelon

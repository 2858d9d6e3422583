#include "echelon/problem/demodulation.hpp"

#include <numeric>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/problem/catalog.hpp"
#include "radio.hpp"

namespace echelon {

namespace {

using detail::Devices;
using detail::Radio;

/// Order of the figures' sums.
enum Sum : Index { correct, loss, likelihood_correct, tested, sum_count };

/// The numbers of an agent's share of `total` devices.
SampleList share_of(std::int64_t total, AgentId agents, AgentId agent) {
  SampleList all(static_cast<std::size_t>(total));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return even_part(all, agents, agent);
}

Demodulation::Symbols stored(const DenseData& received, std::vector<std::uint8_t> sent) {
  return {DenseSamples(received, 0, received.rows()), std::move(sent)};
}

}  // namespace

void RadioOptions::visit(OptionVisitor& visitor) {
  visitor("snr", snr, between(-50, 100), "signal-to-noise ratio in dB");
  visitor.choice("snr_of", snr_of, {"average", "device"},
                 "average: the ratio at |h| = 1, so that a device in a fade loses symbols; "
                 "device: every device's own, its noise being proportional to |h|");
  visitor("gain_imbalance", gain_imbalance, between(0, 0.9),
          "largest e of 1 + e and 1 - e, the gains of the transmitter's branches");
  visitor("phase_imbalance", phase_imbalance, between(0, 40),
          "largest error of the transmitter's right angle, in degrees");
  visitor("gain_control", gain_control,
          "the receiver scales a device's symbols so that its pilots have mean power 1");
}

void DemodulationOptions::visit(OptionVisitor& visitor) {
  visitor("devices", devices, between(1, 1e7), "devices to learn from, dealt to the agents");
  visitor("pilots_per_symbol", pilots_per_symbol, between(1, 1e4),
          "known symbols of the lower level, for each of the 16");
  visitor("payload_per_symbol", payload_per_symbol, between(1, 1e4),
          "random symbols of the upper level per device, divided by 16");
  visitor("devices_per_call", devices_per_call, at_least(0),
          "devices that an agent draws, with replacement, for each iteration; 0 = all of its own");
  visitor("hidden", hidden, "widths of the network's hidden layers, joined by `-`");
  visitor.choice("activation", activation, activation_names(), "of the hidden layers");
  visitor("proximity", proximity, at_least(0), "mu of mu/2 |y - x|^2 in the lower level");
  visitor("test_devices", test_devices, between(1, 1e6), "further devices, for the figures only");
  visitor("test_payload_per_symbol", test_payload_per_symbol, between(1, 1e6),
          "symbols to guess of each of them, divided by 16");
  visitor("adaptation_steps", adaptation_steps, at_least(0),
          "steps from x on the pilots of such a device");
  visitor("adaptation_step", adaptation_step, at_least(0), "size of these steps");
  visitor("adaptation_momentum", adaptation_momentum, {.low = 0, .high = 1, .high_open = true},
          "part of a step that the next one repeats");
  visit_precision(visitor, precision);
  radio.visit(visitor);
}

Demodulation::Demodulation(AgentSet agents, DemodulationOptions options, std::uint64_t seed,
                           bool wants_double)
    : BilevelProblem(std::move(agents)),
      options_(std::move(options)),
      seed_(seed),
      double_(uses_double(options_.precision, wants_double)) {
  shape_.widths = parse_widths("problem.hidden", options_.hidden);
  shape_.widths.insert(shape_.widths.begin(), 2);
  shape_.widths.push_back(symbols);
  shape_.activation = activation_of(options_.activation);
  require(options_.devices >= 1 && options_.test_devices >= 1 && options_.pilots_per_symbol >= 1 &&
              options_.payload_per_symbol >= 1 && options_.test_payload_per_symbol >= 1,
          ErrorKind::usage,
          "problem.devices, problem.test_devices, problem.pilots_per_symbol, "
          "problem.payload_per_symbol, problem.test_payload_per_symbol: one of them is below 1; "
          "each must be at least 1");
  for (const AgentId agent : this->agents().local) {
    const auto own = share_of(options_.devices, this->agents().total, agent);
    DenseData pilots, payload;
    std::vector<std::uint8_t> pilots_sent, payload_sent;
    for (const std::int64_t device : own) {
      Radio radio(options_.radio, seed, Devices::training, device);
      radio.send_pilots(options_.pilots_per_symbol, pilots, pilots_sent);
      radio.send_payload(symbols * options_.payload_per_symbol, payload, payload_sent);
    }
    pilots.features = payload.features = 2;
    fleets_.push_back({std::ssize(own), stored(pilots, std::move(pilots_sent)),
                       stored(payload, std::move(payload_sent))});

    std::vector<TestDevice>& unseen = test_.emplace_back();
    for (const std::int64_t device : share_of(options_.test_devices, this->agents().total, agent)) {
      unseen.push_back(test_device(device));
    }
  }
}

Demodulation::TestDevice Demodulation::test_device(std::int64_t device) const {
  Radio radio(options_.radio, seed_, Devices::unseen, device);
  DenseData pilots, payload;
  std::vector<std::uint8_t> pilots_sent, payload_sent;
  radio.send_pilots(options_.pilots_per_symbol, pilots, pilots_sent);
  radio.send_payload(symbols * options_.test_payload_per_symbol, payload, payload_sent);
  TestDevice result;
  for (std::size_t k = 0; k < payload_sent.size(); ++k) {
    const bool right = radio.most_likely(payload.values.data() + 2 * k) == payload_sent[k];
    result.likelihood_correct += right ? 1 : 0;
  }
  result.pilots = stored(pilots, std::move(pilots_sent));
  result.payload = stored(payload, std::move(payload_sent));
  return result;
}

std::int64_t Demodulation::data_bytes() const {
  std::int64_t bytes = 0;
  for (const Fleet& fleet : fleets_) bytes += fleet.pilots.bytes() + fleet.payload.bytes();
  for (const auto& unseen : test_) {
    for (const TestDevice& device : unseen) bytes += device.pilots.bytes() + device.payload.bytes();
  }
  return bytes;
}

VectorXd Demodulation::start_x() const {
  return random_layers(shape_, 1, shape_.layers(), Draws(seed_, Purpose::start));
}

Demodulation::Part Demodulation::part(Level level, int local, const Sample& sample) const {
  const Fleet& fleet = fleets_[static_cast<std::size_t>(local)];
  const bool upper = level == Level::upper;
  const std::int64_t per_device =
      symbols * (upper ? options_.payload_per_symbol : options_.pilots_per_symbol);
  // The same devices for all calls of an iteration.
  Sample of_iteration = sample;
  if (sample.batches == 0) of_iteration.step = of_iteration.stream = 0;
  const SampleDraw drawn =
      draw_samples(Level::lower, agents().local[static_cast<std::size_t>(local)], of_iteration,
                   fleet.devices, options_.devices_per_call, seed_);
  Part result{upper ? fleet.payload : fleet.pilots, {}, drawn.everything, 0};
  result.scale = drawn.scale * static_cast<double>(agents().total) /
                 static_cast<double>(options_.devices * per_device);
  for (const std::int64_t device : drawn.rows) {
    for (std::int64_t k = 0; k < per_device; ++k) result.rows.push_back(device * per_device + k);
  }
  return result;
}

template <class... Arguments>
void Demodulation::evaluate(bool in_double, Arguments&&... arguments) const {
  if (in_double) {
    mlp_evaluate<double>(std::forward<Arguments>(arguments)...);
  } else {
    mlp_evaluate<float>(std::forward<Arguments>(arguments)...);
  }
}

MlpPoint Demodulation::at(const double* y, double scale, double* gradient) const {
  MlpPoint point = at(y);
  point.scale = scale;
  point.feature_gradient = gradient;
  point.last_gradient = gradient + shape_.feature_size();
  return point;
}

double Demodulation::value(Level level, int local, const Sample& sample, const ConstVector& x,
                           const ConstVector& y) const {
  const Part used = part(level, local, sample);
  std::vector<double> losses(static_cast<std::size_t>(used.batch().count()));
  MlpPoint point = at(y.data());
  point.losses = losses.data();
  mlp_evaluate<double>(used.batch(), shape_, std::span(&point, 1));
  double sum = 0;
  for (const double one : losses) sum += one;
  sum *= used.scale;
  if (level == Level::upper) return sum;
  const VectorXd way = y - x;
  return sum + options_.proximity / 2 * way.squaredNorm();
}

void Demodulation::gradient(Level level, int local, const Sample& sample,
                            std::span<const AgentPoint> points) const {
  const Part used = part(level, local, sample);
  std::vector<MlpPoint> wanted;
  for (const AgentPoint& point : points) {
    if (!point.wants_gy()) continue;
    wanted.push_back(at(point.y.data(), used.scale, Vector(point.gy).data()));
  }
  if (!wanted.empty()) {
    evaluate(double_ || sample.full, used.batch(), shape_, std::span<const MlpPoint>(wanted));
  }
  for (const AgentPoint& point : points) {
    Vector gx = point.gx;
    if (level == Level::upper) {
      if (point.wants_gx()) gx.setZero();
      continue;
    }
    if (point.wants_gx()) gx = options_.proximity * (point.x - point.y);
    if (point.wants_gy()) Vector(point.gy) += options_.proximity * (point.y - point.x);
  }
}

void Demodulation::product(int local, const Sample& sample, const AgentProduct& product) const {
  Vector hv = product.hv;
  Vector jv = product.jv;
  if (product.wants_jv()) jv = -options_.proximity * product.v;
  if (!product.wants_hv()) return;
  const Part used = part(Level::lower, local, sample);
  const Index features = shape_.feature_size();
  mlp_product<double>(used.batch(), shape_,
                      {.features = product.y.data(),
                       .last = product.y.data() + features,
                       .feature_direction = product.v.data(),
                       .last_direction = product.v.data() + features,
                       .scale = used.scale,
                       .feature_product = hv.data(),
                       .last_product = hv.data() + features});
  hv += options_.proximity * product.v;
}

VectorXd Demodulation::adapted(const TestDevice& device, const ConstVector& x) const {
  const DenseBatch pilots{device.pilots.received, device.pilots.sent.data()};
  VectorXd y = x;
  VectorXd move = VectorXd::Zero(y.size());
  VectorXd gradient(y.size());
  for (std::int64_t step = 0; step < options_.adaptation_steps; ++step) {
    const MlpPoint point = at(y.data(), 1 / static_cast<double>(pilots.count()), gradient.data());
    evaluate(double_, pilots, shape_, std::span(&point, 1));
    gradient += options_.proximity * (y - x);
    move = options_.adaptation_momentum * move - options_.adaptation_step * gradient;
    y += move;
  }
  return y;
}

std::vector<std::string> Demodulation::metric_names() const {
  return {"test_symbol_accuracy", "test_loss", "likelihood_accuracy"};
}

Index Demodulation::metric_sums() const {
  return sum_count;
}

void Demodulation::add_metric_sums(int local, const ConstVector& x, const ConstVector&,
                                   Eigen::Ref<VectorXd> sums) const {
  for (const TestDevice& device : test_[static_cast<std::size_t>(local)]) {
    const VectorXd y = adapted(device, x);
    const auto count = device.payload.sent.size();
    std::vector<double> losses(count);
    std::vector<std::uint8_t> guesses(count);
    MlpPoint point = at(y.data());
    point.losses = losses.data();
    point.predictions = guesses.data();
    mlp_evaluate<double>({device.payload.received, device.payload.sent.data()}, shape_,
                         std::span<const MlpPoint>(&point, 1));
    for (std::size_t k = 0; k < count; ++k) {
      sums(correct) += guesses[k] == device.payload.sent[k] ? 1 : 0;
      sums(loss) += losses[k];
    }
    sums(likelihood_correct) += device.likelihood_correct;
    sums(tested) += static_cast<double>(count);
  }
}

std::vector<double> Demodulation::finish_metrics(const VectorXd& sums) const {
  return {sums(correct) / sums(tested), sums(loss) / sums(tested),
          sums(likelihood_correct) / sums(tested)};
}

namespace detail {

std::vector<ProblemEntry> demodulation_parts() {
  return {problem_part<Demodulation, DemodulationOptions>(
      {.name = "demodulation",
       .summary =
           "where the demodulators of radio devices should start to learn from few pilots (16-QAM)",
       .formula =
           "g_i = n/D sum_d CE(y; pilots of d) + mu/2 |y - x|^2;  f_i = n/D sum_d CE(y; payload of "
           "d)",
       .reference =
           "S. Park, H. Jang, O. Simeone, J. Kang, IEEE Trans. Signal Processing 69, 2021, "
           "arXiv:1908.09049"})};
}

}  // namespace detail

}  // namespace echelon

#include "radio.hpp"

#include <Eigen/Dense>
#include <array>
#include <cmath>
#include <numbers>

#include "echelon/core/random.hpp"

namespace echelon::detail {

namespace {

constexpr Index symbols = Demodulation::symbols;

/// What a stream of draws is for.
enum Stream : std::uint64_t { hardware = 0, pilots = 1, payload = 2 };

/// Point of a symbol: bits 3-2 are the Gray code of the first level, bits 1-0 of the second.
Eigen::Vector2d constellation(std::uint8_t symbol) {
  static const std::array<double, 4> level_of_code{-3, -1, 3, 1};
  const double unit_power = std::sqrt(10.0);
  return {level_of_code[static_cast<std::size_t>(symbol >> 2)] / unit_power,
          level_of_code[static_cast<std::size_t>(symbol & 3)] / unit_power};
}

void append(DenseData& data, const Eigen::Vector2d& value) {
  data.features = 2;
  data.values.push_back(static_cast<float>(value(0)));
  data.values.push_back(static_cast<float>(value(1)));
}

}  // namespace

Radio::Radio(const RadioOptions& options, std::uint64_t seed, Devices which, std::int64_t device)
    : gain_control_(options.gain_control),
      pilot_draws_(seed, Purpose::problem_data, static_cast<AgentId>(device),
                   static_cast<std::uint64_t>(which), pilots),
      payload_draws_(seed, Purpose::problem_data, static_cast<AgentId>(device),
                     static_cast<std::uint64_t>(which), payload) {
  Draws draws(seed, Purpose::problem_data, static_cast<AgentId>(device),
              static_cast<std::uint64_t>(which), hardware);
  const double real = draws.normal() / std::numbers::sqrt2;
  const double imaginary = draws.normal() / std::numbers::sqrt2;
  const double e = options.gain_imbalance * draws.beta(5, 2);
  const double t = options.phase_imbalance * std::numbers::pi / 180 * draws.beta(5, 2);
  Eigen::Matrix2d gains, phases, fading;
  gains << 1 + e, 0, 0, 1 - e;
  phases << std::cos(t), -std::sin(t), -std::sin(t), std::cos(t);
  fading << real, -imaginary, imaginary, real;
  channel_ = fading * gains * phases;
  noise_ = std::sqrt(std::pow(10, -options.snr / 10) / 2);
  if (options.snr_of == "device") noise_ *= std::hypot(real, imaginary);
}

Eigen::Vector2d Radio::arrival(std::uint8_t symbol) const {
  return channel_ * constellation(symbol);
}

void Radio::send_pilots(std::int64_t per_symbol, DenseData& received,
                        std::vector<std::uint8_t>& sent) {
  std::vector<Eigen::Vector2d> values;
  double power = 0;
  for (std::int64_t k = 0; k < per_symbol * symbols; ++k) {
    const auto symbol = static_cast<std::uint8_t>(k % symbols);
    const double first = pilot_draws_.normal();
    const double second = pilot_draws_.normal();
    values.push_back(arrival(symbol) + noise_ * Eigen::Vector2d(first, second));
    power += values.back().squaredNorm() / static_cast<double>(per_symbol * symbols);
    sent.push_back(symbol);
  }
  if (gain_control_) gain_ = 1 / std::sqrt(power);
  for (const Eigen::Vector2d& value : values) append(received, gain_ * value);
}

void Radio::send_payload(std::int64_t count, DenseData& received, std::vector<std::uint8_t>& sent) {
  for (std::int64_t k = 0; k < count; ++k) {
    const auto symbol = static_cast<std::uint8_t>(payload_draws_.below(symbols));
    const double first = payload_draws_.normal();
    const double second = payload_draws_.normal();
    append(received, gain_ * (arrival(symbol) + noise_ * Eigen::Vector2d(first, second)));
    sent.push_back(symbol);
  }
}

std::uint8_t Radio::most_likely(const float* received) const {
  const Eigen::Vector2d value(static_cast<double>(received[0]), static_cast<double>(received[1]));
  std::uint8_t best = 0;
  const auto distance = [&](std::uint8_t symbol) {
    return (value - gain_ * arrival(symbol)).squaredNorm();
  };
  for (std::uint8_t symbol = 1; symbol < symbols; ++symbol) {
    if (distance(symbol) < distance(best)) best = symbol;
  }
  return best;
}

}  // namespace echelon::detail

#include <Eigen/Core>
#include <cmath>

#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon {

void SignOptions::visit(OptionVisitor& visitor) {
  visitor("compression_block", block, at_least(0),
          "consecutive entries that share one mean magnitude; 0 = all");
}

namespace detail {

namespace {

/// Message: the mean magnitudes of the blocks as doubles; then one bit for each entry, 1 for v_j <
/// 0.
class Sign final : public Compressor {
 public:
  explicit Sign(std::int64_t block) : block_(block) {}

  std::size_t bytes(Index dimension) const override {
    return mean_bytes(dimension) + packed_bytes(size_of(dimension), 1);
  }

  void encode(std::span<const double> v, const MessageKey&,
              std::span<std::byte> message) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    if (!all_finite(v)) return fill_with_nan(message);
    BitWriter signs(message.data() + mean_bytes(d));
    for_each_block(v.size(), block_length(block_, d), [&](auto b, auto begin, auto length) {
      const auto entries = v.subspan(begin, length);
      store(message.data() + 8 * b, mean_magnitude(entries));
      for (const double value : entries) signs.put(value < 0 ? 1 : 0, 1);
    });
    signs.finish();
  }

  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    BitReader signs(message.data() + mean_bytes(d));
    for_each_block(v.size(), block_length(block_, d), [&](auto b, auto begin, auto length) {
      const auto mean = load<double>(message.data() + 8 * b);
      for (double& value : v.subspan(begin, length)) value = signs.take(1) == 1 ? -mean : mean;
    });
  }

  double contraction(Index dimension) const override {
    return 1 / static_cast<double>(block_length(block_, dimension));
  }

  /// The contraction is that of vectors with a single entry, and far too small for others.
  double gossip_step(Index dimension) const override {
    return std::min(1.0, std::sqrt(contraction(dimension)) / 2);
  }

 private:
  static double mean_magnitude(std::span<const double> v) {
    // In the order of the entries: Eigen's sums depend on the address.
    const auto count = static_cast<double>(v.size());
    double sum = 0;
    for (const double value : v) sum += std::abs(value);
    if (std::isfinite(sum)) return sum / count;
    sum = 0;
    for (const double value : v) sum += std::abs(value / count);
    return sum;
  }

  std::size_t mean_bytes(Index dimension) const {
    const std::size_t length = block_length(block_, dimension);
    return 8 * ((size_of(dimension) + length - 1) / length);
  }

  std::int64_t block_;
};

}  // namespace

std::vector<CompressorEntry> sign_parts() {
  return {{.name = "sign",
           .summary = "signs, and the mean magnitude of each block",
           .formula = "Q(v) = (|v|_1 / d_b) sign(v) for each block of d_b entries, sign(0) = 1; "
                      "delta = |v|_1^2 / (d_b |v|_2^2) >= 1/d_b; 64 bits per block and 1 per entry",
           .reference =
               "S. P. Karimireddy, Q. Rebjock, S. Stich, M. Jaggi, ICML 2019, arXiv:1901.09847",
           .aliases = {},
           .options = SignOptions{},
           .make = [](const PartOptions& options, Index) {
             return std::make_unique<Sign>(options.as<SignOptions>().block);
           }}};
}

}  // namespace detail

}  // namespace echelon

#include <algorithm>
#include <cmath>

#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon {

void QuantizationOptions::visit(OptionVisitor& visitor) {
  visitor("compression_bits", bits, between(1, 8),
          "bits per entry for its magnitude, besides the sign");
  visitor("compression_block", block, at_least(0),
          "consecutive entries that share one norm; 0 = all");
}

namespace detail {

namespace {

/// Uniform numbers in (0, 1) of 32 bits, two for each draw: the levels are unbiased to 2^-33.
class HalfDraws {
 public:
  explicit HalfDraws(Draws draws) : draws_(draws) {}

  double next() {
    word_ = fresh_ ? draws_.bits() : word_ >> 32;
    fresh_ = !fresh_;
    return (static_cast<double>(word_ & 0xffffffff) + 0.5) * 0x1.0p-32;
  }

 private:
  Draws draws_;
  std::uint64_t word_ = 0;
  bool fresh_ = true;
};

/// Message: the norms of the blocks as doubles; then for each entry its level and its sign, bits +
/// 1 bits without gaps.
class Quantization final : public Compressor {
 public:
  Quantization(std::int64_t bits, std::int64_t block)
      : bits_(static_cast<int>(bits)),
        top_level_(static_cast<int>((1u << bits_) - 1)),
        block_(block) {}

  std::size_t bytes(Index dimension) const override {
    return norm_bytes(dimension) + packed_bytes(size_of(dimension), bits_ + 1);
  }

  void encode(std::span<const double> v, const MessageKey& key,
              std::span<std::byte> message) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    if (!all_finite(v)) return fill_with_nan(message);
    BitWriter codes(message.data() + norm_bytes(d));
    HalfDraws draws(draws_for(key));
    bool finite = true;
    for_each_block(v.size(), block_length(block_, d), [&](auto b, auto begin, auto length) {
      const auto entries = v.subspan(begin, length);
      const double norm = norm2(entries);
      finite = finite && std::isfinite(norm);
      store(message.data() + 8 * b, norm);
      encode_block(entries, finite ? norm : 0, draws, codes);
    });
    codes.finish();
    if (!finite) fill_with_nan(message);
  }

  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    BitReader codes(message.data() + norm_bytes(d));
    const std::uint64_t level_mask = (std::uint64_t{1} << bits_) - 1;
    for_each_block(v.size(), block_length(block_, d), [&](auto b, auto begin, auto length) {
      const auto norm = load<double>(message.data() + 8 * b);
      for (double& value : v.subspan(begin, length)) {
        const std::uint64_t code = codes.take(bits_ + 1);
        const double magnitude =
            norm * (static_cast<double>(static_cast<int>(code & level_mask)) / top_level_);
        value = code > level_mask ? -magnitude : magnitude;
      }
    });
  }

  double contraction(Index dimension) const override { return 1 / (1 + variance(dimension)); }
  bool unbiased() const override { return true; }
  double variance(Index dimension) const override {
    const auto length = static_cast<double>(block_length(block_, dimension));
    const double s = top_level_;
    return std::min(length / (s * s), std::sqrt(length) / s);
  }

 private:
  /// Level floor(s |v_j| / norm + uniform): the two neighbors with the probabilities that make the
  /// mean right.
  void encode_block(std::span<const double> v, double norm, HalfDraws& draws,
                    BitWriter& codes) const {
    const double divisor = norm > 0 ? norm : 1;
    for (const double value : v) {
      const double share = norm > 0 ? std::min(std::abs(value) / divisor, 1.0) : 0;
      const auto level = static_cast<std::uint32_t>(share * top_level_ + draws.next());
      codes.put(level | (value < 0 ? 1u << bits_ : 0u), bits_ + 1);
    }
  }

  std::size_t norm_bytes(Index dimension) const {
    const std::size_t length = block_length(block_, dimension);
    return 8 * ((size_of(dimension) + length - 1) / length);
  }

  int bits_;
  int top_level_;  ///< s
  std::int64_t block_;
};

}  // namespace

std::vector<CompressorEntry> quantization_parts() {
  return {{.name = "quantization",
           .summary = "magnitudes rounded at random to 2^bits - 1 steps of the norm of their block",
           .formula = "Q(v)_j = |v| sign(v_j) xi_j with xi_j = l/s or (l+1)/s, s = 2^bits - 1, "
                      "l = floor(s |v_j| / |v|), E xi_j = |v_j| / |v|, for each block of d_b "
                      "entries; variance min(d_b/s^2, sqrt(d_b)/s); 64 bits per block and bits + 1 "
                      "per entry",
           .reference = "D. Alistarh, D. Grubic, J. Li, R. Tomioka, M. Vojnovic, NeurIPS 2017, "
                        "arXiv:1610.02132",
           .aliases = {"qsgd"},
           .options = QuantizationOptions{},
           .make = [](const PartOptions& options, Index) {
             const auto& chosen = options.as<QuantizationOptions>();
             return std::make_unique<Quantization>(chosen.bits, chosen.block);
           }}};
}

}  // namespace detail

}  // namespace echelon

#include <bit>
#include <cmath>
#include <limits>

#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon::detail {

namespace {

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

struct Float32 {
  using Word = std::uint32_t;
  static constexpr double limit = 0x1.ffffffp127;  ///< rounds to 2^128
  static constexpr double delta = 1 - 0x1.0p-48;

  static Word narrow(double value) { return std::bit_cast<Word>(static_cast<float>(value)); }
  static double widen(Word word) { return static_cast<double>(std::bit_cast<float>(word)); }
};

/// The upper half of a float32: 8 bits of exponent, 7 of fraction.
struct Bfloat16 {
  using Word = std::uint16_t;
  static constexpr double limit = 0x1.ffp127;
  static constexpr double delta = 1 - 0x1.0p-16;

  /// Rounds to odd first, so that the second rounding sees which side of a tie the number is on.
  static Word narrow(double value) {
    const auto rounded = static_cast<float>(value);
    auto bits = std::bit_cast<std::uint32_t>(rounded);
    const auto back = static_cast<double>(rounded);
    if (back != value) {
      if (std::abs(back) > std::abs(value)) --bits;
      bits |= 1;
    }
    bits += 0x7fff + (bits >> 16 & 1);
    return static_cast<Word>(bits >> 16);
  }
  static double widen(Word word) {
    return static_cast<double>(std::bit_cast<float>(std::uint32_t{word} << 16));
  }
};

/// Message: d words.
template <class Format>
class Cast final : public Compressor {
 public:
  using Word = typename Format::Word;

  std::size_t bytes(Index dimension) const override { return sizeof(Word) * size_of(dimension); }

  void encode(std::span<const double> v, const MessageKey&,
              std::span<std::byte> message) const override {
    ECHELON_ASSERT(message.size() == bytes(static_cast<Index>(v.size())));
    bool fits = true;
    for (const double value : v) fits &= std::abs(value) < Format::limit;  // false for NaN
    if (!fits) return fill_with_nan(message);
    for (std::size_t i = 0; i < v.size(); ++i) {
      store(message.data() + sizeof(Word) * i, Format::narrow(v[i]));
    }
  }

  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    ECHELON_ASSERT(message.size() == bytes(static_cast<Index>(v.size())));
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] = Format::widen(load<Word>(message.data() + sizeof(Word) * i));
    }
  }

  /// For entries in the normal range; smaller ones lose at most half the smallest subnormal.
  double contraction(Index) const override { return Format::delta; }
};

}  // namespace

std::vector<CompressorEntry> casts_parts() {
  return {{.name = "float32",
           .summary = "single precision",
           .formula = "Q(v)_j = v_j rounded to nearest, 24 significant bits, |v_j| < 2^128; "
                      "delta = 1 - 2^-48 for |v_j| >= 2^-126; 32 d bits",
           .reference = "IEEE Std 754-2019",
           .aliases = {"fp32"},
           .options = {},
           .make = [](const PartOptions&, Index) { return std::make_unique<Cast<Float32>>(); }},
          {.name = "bfloat16",
           .summary = "the range of single precision in half its bytes",
           .formula = "Q(v)_j = v_j rounded to nearest even, 8 significant bits, |v_j| < 2^128; "
                      "delta = 1 - 2^-16 for |v_j| >= 2^-126; 16 d bits",
           .reference = "D. Kalamkar et al., 2019, arXiv:1905.12322",
           .aliases = {"bf16"},
           .options = {},
           .make = [](const PartOptions&, Index) { return std::make_unique<Cast<Bfloat16>>(); }}};
}

}  // namespace echelon::detail

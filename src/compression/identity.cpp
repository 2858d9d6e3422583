#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon::detail {

namespace {

/// Message: d doubles.
class Identity final : public Compressor {
 public:
  std::size_t bytes(Index dimension) const override { return 8 * size_of(dimension); }
  void encode(std::span<const double> v, const MessageKey&,
              std::span<std::byte> message) const override {
    ECHELON_ASSERT(message.size() == bytes(static_cast<Index>(v.size())));
    if (!all_finite(v)) return fill_with_nan(message);
    store_all(message.data(), v);
  }
  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    ECHELON_ASSERT(message.size() == bytes(static_cast<Index>(v.size())));
    load_all(message.data(), v);
  }
  double contraction(Index) const override { return 1; }
  bool unbiased() const override { return true; }
};

}  // namespace

std::vector<CompressorEntry> identity_parts() {
  return {{.name = "identity",
           .summary = "all numbers in double precision",
           .formula = "Q(v) = v",
           .reference = "",
           .aliases = {"none"},
           .options = {},
           .make = [](const PartOptions&, Index) { return std::make_unique<Identity>(); }}};
}

}  // namespace echelon::detail

#include <algorithm>
#include <bit>
#include <cmath>

#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon {

void KeptEntriesOptions::visit(OptionVisitor& visitor) {
  visitor("compression_ratio", ratio, above_up_to(0, 1),
          "share of the entries that is sent, rounded up");
}

namespace detail {

namespace {

/// Message: k indices of ceil(log2 d) bits each, ascending, without gaps; then k doubles.
class TopK final : public Compressor {
 public:
  explicit TopK(double ratio) : ratio_(ratio) {}

  std::size_t bytes(Index dimension) const override {
    return index_bytes(dimension) + 8 * size_of(kept_entries(ratio_, dimension));
  }

  void encode(std::span<const double> v, const MessageKey&,
              std::span<std::byte> message) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    if (!all_finite(v)) return fill_with_nan(message);
    const auto [threshold, at_threshold] = selection(v, size_of(kept_entries(ratio_, d)));
    BitWriter indices(message.data());
    std::byte* values = message.data() + index_bytes(d);
    std::size_t ties = at_threshold;
    for (std::size_t i = 0; i < v.size(); ++i) {
      const double magnitude = std::abs(v[i]);
      if (magnitude < threshold) continue;
      if (magnitude == threshold) {
        if (ties == 0) continue;
        --ties;
      }
      indices.put(i, index_width(d));
      store(values, v[i]);
      values += 8;
    }
    indices.finish();
  }

  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    const std::byte* values = message.data() + index_bytes(d);
    const double first = load<double>(values);
    std::ranges::fill(v, std::isnan(first) ? first : 0.0);
    if (std::isnan(first)) return;
    BitReader indices(message.data());
    for (Index j = 0; j < kept_entries(ratio_, d); ++j) {
      const auto i = static_cast<std::size_t>(indices.take(index_width(d)));
      ECHELON_ASSERT(i < v.size());
      v[i] = load<double>(values + 8 * j);
    }
  }

  double contraction(Index dimension) const override {
    return static_cast<double>(kept_entries(ratio_, dimension)) / static_cast<double>(dimension);
  }

 private:
  struct Selection {
    double threshold;          ///< the k-th largest magnitude
    std::size_t at_threshold;  ///< how many entries of just that magnitude are kept
  };

  /// Says which entries are kept without the order in which nth_element leaves them.
  static Selection selection(std::span<const double> v, std::size_t k) {
    std::vector<double> magnitudes(v.size());
    std::ranges::transform(v, magnitudes.begin(), [](double value) { return std::abs(value); });
    const auto kth = magnitudes.begin() + static_cast<std::ptrdiff_t>(k) - 1;
    std::nth_element(magnitudes.begin(), kth, magnitudes.end(), std::greater<>());
    const double threshold = *kth;
    const auto above =
        std::count_if(magnitudes.begin(), kth, [&](double value) { return value > threshold; });
    return {threshold, k - static_cast<std::size_t>(above)};
  }

  static int index_width(Index dimension) {
    return static_cast<int>(std::bit_width(size_of(dimension) - 1));
  }
  std::size_t index_bytes(Index dimension) const {
    return packed_bytes(size_of(kept_entries(ratio_, dimension)), index_width(dimension));
  }

  double ratio_;
};

}  // namespace

std::vector<CompressorEntry> top_k_parts() {
  return {{.name = "top-k",
           .summary = "the k = ceil(ratio d) entries of largest magnitude, and their indices",
           .formula = "Q(v)_j = v_j if |v_j| is among the k largest (ties: lower index), else 0; "
                      "delta = k/d; k (64 + ceil(log2 d)) bits",
           .reference = "S. Stich, J.-B. Cordonnier, M. Jaggi, NeurIPS 2018, arXiv:1809.07599",
           .aliases = {"topk"},
           .options = KeptEntriesOptions{},
           .make = [](const PartOptions& options, Index) {
             return std::make_unique<TopK>(options.as<KeptEntriesOptions>().ratio);
           }}};
}

}  // namespace detail

}  // namespace echelon

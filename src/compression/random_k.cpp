#include <algorithm>
#include <cmath>

#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon::detail {

namespace {

/// Calls body(index) for k of 0 .. d-1 in ascending order; all sets of k are equally likely.
/// Source: D. Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
template <class Body>
void for_each_chosen(std::size_t d, std::size_t k, Draws draws, const Body& body) {
  for (std::size_t i = 0; k > 0; ++i) {
    if (draws.below(d - i) >= k) continue;
    body(i);
    --k;
  }
}

/// Message: the k chosen entries, times d/k if unbiased, as doubles. Both sides draw the indices.
class RandomK final : public Compressor {
 public:
  RandomK(double ratio, bool is_unbiased) : ratio_(ratio), unbiased_(is_unbiased) {}

  std::size_t bytes(Index dimension) const override {
    return 8 * size_of(kept_entries(ratio_, dimension));
  }

  void encode(std::span<const double> v, const MessageKey& key,
              std::span<std::byte> message) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    const double factor = unbiased_ ? expansion(d) : 1;
    std::byte* out = message.data();
    bool finite = all_finite(v);
    for_each_chosen(v.size(), message.size() / 8, draws_for(key), [&](std::size_t i) {
      const double value = factor * v[i];
      finite = finite && std::isfinite(value);
      store(out, value);
      out += 8;
    });
    if (!finite) fill_with_nan(message);
  }

  void decode(std::span<const std::byte> message, const MessageKey& key,
              std::span<double> v) const override {
    ECHELON_ASSERT(message.size() == bytes(static_cast<Index>(v.size())));
    const std::byte* in = message.data();
    const double first = load<double>(in);
    std::ranges::fill(v, std::isnan(first) ? first : 0.0);
    if (std::isnan(first)) return;
    for_each_chosen(v.size(), message.size() / 8, draws_for(key), [&](std::size_t i) {
      v[i] = load<double>(in);
      in += 8;
    });
  }

  double contraction(Index dimension) const override { return 1 / expansion(dimension); }
  bool unbiased() const override { return unbiased_; }
  double variance(Index dimension) const override {
    return unbiased_ ? expansion(dimension) - 1 : 0;
  }

 private:
  double expansion(Index dimension) const {
    return static_cast<double>(dimension) / static_cast<double>(kept_entries(ratio_, dimension));
  }

  double ratio_;
  bool unbiased_;
};

}  // namespace

std::vector<CompressorEntry> random_k_parts() {
  return {{.name = "random-k",
           .summary = "k = ceil(ratio d) entries at random places that both sides draw",
           .formula = "Q(v)_j = v_j for j in a uniform set of k indices, else 0; "
                      "delta = k/d; 64 k bits",
           .reference = "S. Stich, J.-B. Cordonnier, M. Jaggi, NeurIPS 2018, arXiv:1809.07599",
           .aliases = {"rand-k"},
           .options = KeptEntriesOptions{},
           .make =
               [](const PartOptions& options, Index) {
                 return std::make_unique<RandomK>(options.as<KeptEntriesOptions>().ratio, false);
               }},
          {.name = "random-k-unbiased",
           .summary = "random-k times d/k: right on average, but larger than v",
           .formula = "Q(v)_j = (d/k) v_j for j in a uniform set of k = ceil(ratio d) indices, "
                      "else 0; variance d/k - 1; 64 k bits",
           .reference = "J. Wangni, J. Wang, J. Liu, T. Zhang, NeurIPS 2018, arXiv:1710.09854",
           .aliases = {},
           .options = KeptEntriesOptions{},
           .make = [](const PartOptions& options, Index) {
             return std::make_unique<RandomK>(options.as<KeptEntriesOptions>().ratio, true);
           }}};
}

}  // namespace echelon::detail

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct GroupMaxOptions {
  std::int64_t group = 2;

  void visit(OptionVisitor& visitor) {
    visitor("group", group, between(1, 256), "entries of which the largest is sent");
  }
};

/// Message, for each group of entries: the value as a double, then its place in one byte.
class GroupMax final : public Compressor {
 public:
  explicit GroupMax(std::size_t group) : group_(group) {}

  std::size_t bytes(Index dimension) const override {
    return 9 * ((static_cast<std::size_t>(dimension) + group_ - 1) / group_);
  }

  void encode(std::span<const double> v, const MessageKey&,
              std::span<std::byte> message) const override {
    const bool finite = std::all_of(v.begin(), v.end(), [](double e) { return std::isfinite(e); });
    std::byte* out = message.data();
    for (std::size_t begin = 0; begin < v.size(); begin += group_, out += 9) {
      std::size_t largest = begin;
      for (std::size_t j = begin; j < std::min(begin + group_, v.size()); ++j) {
        if (std::abs(v[j]) > std::abs(v[largest])) largest = j;
      }
      const double value = finite ? v[largest] : std::numeric_limits<double>::quiet_NaN();
      std::memcpy(out, &value, sizeof value);
      out[8] = static_cast<std::byte>(largest - begin);
    }
  }

  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    const std::byte* in = message.data();
    for (std::size_t begin = 0; begin < v.size(); begin += group_, in += 9) {
      double value = 0;
      std::memcpy(&value, in, sizeof value);
      const std::size_t end = std::min(begin + group_, v.size());
      for (std::size_t j = begin; j < end; ++j) v[j] = std::isnan(value) ? value : 0;
      v[begin + static_cast<std::size_t>(in[8])] = value;
    }
  }

  double contraction(Index dimension) const override {
    return 1 / static_cast<double>(std::min(group_, static_cast<std::size_t>(dimension)));
  }

 private:
  std::size_t group_;
};

}  // namespace

CompressorEntry group_max() {
  return {.name = "group-max",
          .summary = "the largest entry of each group of consecutive ones",
          .formula = "Q(v)_j = v_j if |v_j| is the largest of its group, else 0; delta = 1 / group",
          .reference = "",
          .options = GroupMaxOptions{},
          .make = [](const PartOptions& options, Index) {
            return std::make_unique<GroupMax>(
                static_cast<std::size_t>(options.as<GroupMaxOptions>().group));
          }};
}

}  // namespace outside

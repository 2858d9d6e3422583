#pragma once
/// What callers of the C functions can choose.

#include <string>
#include <string_view>

#include "echelon/core/configuration.hpp"
#include "echelon/embed/gossip.hpp"

namespace echelon::detail {

/// Lists of "key=value" as a section of a configuration.
class OptionList {
 public:
  OptionList(const char* function, const char* section, const char* const* options)
      : function_(function), section_(std::string(section) + ".") {
    for (; options != nullptr && *options != nullptr; ++options) {
      const std::string option = *options;
      const auto equals = option.find('=');
      require(equals != std::string::npos && equals > 0, ErrorKind::usage, function, ": option `",
              option, "` has no value; write key=value");
      set(option.substr(0, equals), option.substr(equals + 1));
    }
  }
  void set(const std::string& key, const std::string& value) {
    configuration_.set(section_ + key, value, function_);
  }
  bool has(const std::string& key) const { return configuration_.has(section_ + key); }
  template <class Options>
  void read(Options& options) {
    configuration_.read(std::string_view(section_).substr(0, section_.size() - 1), options);
  }
  void require_all_read(const std::vector<PartAxis>& axes) const {
    configuration_.require_all_read(axes);
  }
  void require_all_read() const {
    require_all_read({axis_of(compressor_catalog(), "consensus", "compressor")});
  }

 private:
  const char* function_;
  std::string section_;  ///< with its dot
  Configuration configuration_;
};

struct HostOptions {
  GossipOptions gossip{};

  void visit(OptionVisitor& visitor) {
    visitor("stall_seconds", gossip.stall_seconds, at_least(0),
            "patience of every wait for a peer; 0 = for ever");
    visitor("share_memory", gossip.share_memory, "between ranks of a node");
  }
};

struct PlainMixing {
  std::string weights = "given";
  bool lazy = false;
  std::int64_t rounds = 1;
  bool chebyshev = false;

  void visit(OptionVisitor& visitor) {
    visitor.choice("weights", weights, {"given", "row", "column"}, "which sums are 1");
    visitor("lazy", lazy, "(I + W) / 2 in place of W");
    visitor("rounds", rounds, between(1, 1'000'000), "exchanges per call");
    visitor("chebyshev", chebyshev, "accelerated, for doubles");
  }
  Mixing mixing() const {
    return {.weights = weights == "row"      ? Weights::row
                       : weights == "column" ? Weights::column
                                             : Weights::given,
            .lazy = lazy,
            .rounds = static_cast<int>(rounds),
            .chebyshev = chebyshev};
  }
};

struct CompressedMixingOptions {
  CompressedMixing mixing{};
  std::int64_t seed = 1;

  void visit(OptionVisitor& visitor) {
    mixing.compressor.visit(visitor, "compressor", "how messages are compressed");
    visitor("gamma", mixing.gamma, between(0, 1), "step; 0 = chosen");
    visitor("seed", seed, at_least(0), "of random compressors");
    mixing.seed = static_cast<std::uint64_t>(seed);
  }
};

}  // namespace echelon::detail

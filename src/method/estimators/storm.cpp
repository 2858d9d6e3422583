#include <algorithm>
#include <cmath>

#include "estimators.hpp"

namespace echelon {

void StormOptions::visit(OptionVisitor& visitor) {
  visitor("c", c, above_up_to(0, 1),
          "weight of the newest gradient against the corrected old ones; 1 = plain");
  visitor("decay", decay, at_least(0),
          "exponent e in the weight c (1 + k / decay_offset)^-e of iteration k; 0 = constant");
  visitor("decay_offset", decay_offset, above(0), "iterations before the weight falls");
  visitor("decay_start", decay_start, at_least(0),
          "iterations of constant weight, from which k is counted");
}

namespace detail {

namespace {

/// m <- O(s; xi) + (1 - c_k) (m - O(s_old; xi)), first step m = O; s_old is the previous call's
/// point, c_k = c (1 + (k - start) / offset)^-decay in iteration k, c until start
class Storm final : public GradientEstimator {
 public:
  Storm(const StormOptions& options, const EstimatorContext& context)
      : options_(options), last_(context) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    last_.require_stored(point, "storm");
    oracle(sample, point, outputs);
    if (started_ != 0) {
      last_.correct(sample, point.size(), oracle, outputs, 1 - weight(sample.iteration));
    }
    started_ = 1;
    last_.keep(point, outputs);
  }

  void forget() override { started_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    last_.visit_state(visitor);
    visitor.replicated("started", started_);
  }

 private:
  double weight(std::uint64_t k) const {
    if (options_.decay == 0) return options_.c;
    const double since = std::max(0.0, static_cast<double>(k) - options_.decay_start);
    return options_.c * std::pow(1 + since / options_.decay_offset, -options_.decay);
  }

  StormOptions options_;
  Recursion last_;
  std::int64_t started_ = 0;
};

std::unique_ptr<GradientEstimator> make_storm(const PartOptions& given,
                                              const EstimatorContext& context) {
  const auto& options = given.as<StormOptions>();
  const bool plain = options.c == 1 && options.decay == 0;  // m and s_old have weight 0
  if (plain) return std::make_unique<Plain>();
  return std::make_unique<Storm>(options, context);
}

}  // namespace

std::vector<EstimatorEntry> storm_parts() {
  return {{.name = "storm",
           .summary = "moving average that follows the point: each sample is also evaluated at the "
                      "previous one",
           .formula = "m <- O(s; xi) + (1 - c) (m - O(s_old; xi)); first step m = O",
           .reference = "A. Cutkosky, F. Orabona, NeurIPS 2019, arXiv:1905.10018",
           .aliases = {},
           .options = StormOptions{},
           .traits = [](const PartOptions&) { return EstimatorTraits{}; },
           .make = make_storm}};
}

}  // namespace detail

}  // namespace echelon

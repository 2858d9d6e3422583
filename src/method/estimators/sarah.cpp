#include "estimators.hpp"

namespace echelon {

void SarahOptions::visit(OptionVisitor& visitor) {
  visitor("period", period, at_least(1),
          "calls from one with all samples to the next, in each of the method's stages");
}

namespace detail {

namespace {

/// m = O(s; all samples) at every `period`-th call, otherwise m <- m + O(s; xi) - O(s_old; xi)
class Sarah final : public GradientEstimator {
 public:
  Sarah(std::int64_t period, const EstimatorContext& context) : period_(period), last_(context) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    last_.require_stored(point, "sarah");
    if (calls_ == 0) {
      oracle(Sample::everything(), point, outputs);
    } else {
      oracle(sample, point, outputs);
      last_.correct(sample, point.size(), oracle, outputs, 1);
    }
    calls_ = (calls_ + 1) % period_;
    last_.keep(point, outputs);
  }

  void forget() override { calls_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    last_.visit_state(visitor);
    visitor.replicated("calls", calls_);
  }

 private:
  std::int64_t period_;
  Recursion last_;
  std::int64_t calls_ = 0;  ///< since the last with all samples, that one included
};

}  // namespace

std::vector<EstimatorEntry> sarah_parts() {
  return {
      {.name = "sarah",
       .summary = "the response for all samples now and then, followed in between by differences: "
                  "each sample is also evaluated at the previous point",
       .formula =
           "every `period` calls m = O(s; all samples); otherwise m <- m + O(s; xi) - O(s_old; xi)",
       .reference = "L. Nguyen, J. Liu, K. Scheinberg, M. Takac, ICML 2017, arXiv:1703.00102; for "
                    "bilevel: M. "
                    "Dagreou, T. Moreau, S. Vaiter, P. Ablin, 2023, arXiv:2302.08766",
       .aliases = {"spider"},
       .options = SarahOptions{},
       .traits = [](const PartOptions&) { return EstimatorTraits{.calls = Varies::at_most}; },
       .make =
           [](const PartOptions& options, const EstimatorContext& context) {
             return std::make_unique<Sarah>(options.as<SarahOptions>().period, context);
           }}};
}

}  // namespace detail

}  // namespace echelon

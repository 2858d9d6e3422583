#include <algorithm>

#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct WindowOptions {
  std::int64_t window = 8;

  void visit(OptionVisitor& visitor) {
    visitor("window", window, at_least(1), "responses that the average remembers");
  }
};

/// m <- m + (O - m) / min(k + 1, window), k = responses so far
class Window final : public GradientEstimator {
 public:
  Window(std::int64_t window, const EstimatorContext& context) : window_(window) {
    for (const Index height : context.outputs) {
      averages_.emplace_back(height, static_cast<Index>(context.agents.size()));
    }
  }

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
    responses_ = std::min(responses_ + 1, window_);
    const double weight = 1 / static_cast<double>(responses_);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      averages_[k] += weight * (*outputs[k] - averages_[k]);
      *outputs[k] = averages_[k];
    }
  }

  void forget() override { responses_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    for (std::size_t k = 0; k < averages_.size(); ++k) {
      visitor.per_agent("average_" + std::to_string(k), averages_[k]);
    }
    visitor.replicated("responses", responses_);
  }

 private:
  std::int64_t window_;
  std::vector<AgentMatrix> averages_;
  std::int64_t responses_ = 0;
};

}  // namespace

EstimatorEntry window() {
  return {.name = "window",
          .summary = "the mean of the first responses, later a moving average",
          .formula = "m <- m + (O(s; xi) - m) / min(k + 1, window)",
          .reference = "",
          .options = WindowOptions{},
          .traits = [](const PartOptions&) { return EstimatorTraits{}; },
          .make =
              [](const PartOptions& options, const EstimatorContext& context) {
                return std::make_unique<Window>(options.as<WindowOptions>().window, context);
              }};
}

}  // namespace outside

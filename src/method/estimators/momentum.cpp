#include "estimators.hpp"

namespace echelon {

void MomentumOptions::visit(OptionVisitor& visitor) {
  visitor("theta", theta, above_up_to(0, 1), "weight of the newest gradient");
}

namespace detail {

namespace {

/// m <- (1 - theta) m + theta O(s; xi), first step m = O
class Momentum final : public GradientEstimator {
 public:
  Momentum(double theta, const EstimatorContext& context)
      : theta_(theta), averages_(blocks(context.outputs, context)) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
    const double theta = started_ == 0 ? 1.0 : theta_;
    started_ = 1;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      AgentMatrix& average = averages_[k];
      AgentView& output = *outputs[k];
      parallel_for(static_cast<int>(output.cols()), [&](int i) {
        average.col(i) = (1 - theta) * average.col(i) + theta * output.col(i);
        output.col(i) = average.col(i);
      });
    }
  }

  void forget() override { started_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    visit_blocks(visitor, "average", averages_);
    visitor.replicated("started", started_);
  }

 private:
  double theta_;
  std::vector<AgentMatrix> averages_;
  std::int64_t started_ = 0;
};

}  // namespace

std::vector<EstimatorEntry> momentum_parts() {
  return {{.name = "momentum",
           .summary = "moving average of the responses, per component",
           .formula = "m <- (1 - theta) m + theta O(s; xi); first step m = O",
           .reference =
               "as in X. Chen, M. Huang, S. Ma, K. Balasubramanian, ICML 2023, arXiv:2210.12839",
           .aliases = {"moving-average"},
           .options = MomentumOptions{},
           .traits = [](const PartOptions&) { return EstimatorTraits{}; },
           .make =
               [](const PartOptions& options, const EstimatorContext& context) {
                 return std::make_unique<Momentum>(options.as<MomentumOptions>().theta, context);
               }}};
}

}  // namespace detail

}  // namespace echelon

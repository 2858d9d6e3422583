#include "echelon/method/estimator.hpp"

#include "echelon/core/catalog.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon {

namespace {

/// m = O(s; xi)
class Plain final : public GradientEstimator {
 public:
  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
  }
};

/// m <- (1 - theta) m + theta O(s; xi), first step m = O
class Momentum final : public GradientEstimator {
 public:
  Momentum(double theta, const std::vector<Index>& heights, int agents) : theta_(theta) {
    for (const Index height : heights) averages_.emplace_back(height, agents);
  }

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

  void visit_state(StateVisitor& visitor) override {
    for (std::size_t k = 0; k < averages_.size(); ++k) {
      visitor.per_agent("average_" + std::to_string(k), averages_[k]);
    }
    visitor.replicated("started", started_);
  }

 private:
  double theta_;
  std::vector<AgentMatrix> averages_;
  std::int64_t started_ = 0;
};

}  // namespace

void EstimatorOptions::visit(OptionVisitor& visitor) {
  std::vector<std::string> names;
  for (const auto& entry : estimator_catalog()) names.push_back(entry.name);
  visitor.choice("name", name, names, "how noise in the gradients is tamed");
  visitor("theta", theta, above_up_to(0, 1), "momentum: weight of the newest gradient");
}

const std::vector<EstimatorEntry>& estimator_catalog() {
  static const std::vector<EstimatorEntry> entries = {
      {"plain", "the oracle's answer as it is", "m = O(s; xi)", "",
       [](const EstimatorOptions&, const std::vector<Index>&, int) {
         return std::make_unique<Plain>();
       }},
      {"momentum", "moving average of the answers, per component",
       "m <- (1 - theta) m + theta O(s; xi); first step m = O",
       "as in X. Chen, M. Huang, S. Ma, K. Balasubramanian, ICML 2023, arXiv:2210.12839",
       [](const EstimatorOptions& options, const std::vector<Index>& heights, int agents) {
         return std::make_unique<Momentum>(options.theta, heights, agents);
       }},
  };
  return entries;
}

}  // namespace echelon

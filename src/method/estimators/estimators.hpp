#pragma once
/// What several estimators have in common.

#include <string>
#include <vector>

#include "echelon/core/error.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/method/estimator.hpp"

namespace echelon::detail {

inline std::vector<AgentMatrix> blocks(const std::vector<Index>& heights,
                                       const EstimatorContext& context, Index copies = 1) {
  std::vector<AgentMatrix> result;
  for (const Index height : heights) {
    result.emplace_back(copies * height, static_cast<Index>(context.agents.size()));
  }
  return result;
}

inline void visit_blocks(StateVisitor& visitor, const std::string& name,
                         std::vector<AgentMatrix>& matrices) {
  for (std::size_t k = 0; k < matrices.size(); ++k) {
    visitor.per_agent(name + "_" + std::to_string(k), matrices[k]);
  }
}

/// m = O(s; xi)
class Plain final : public GradientEstimator {
 public:
  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
  }
};

/// The last estimate m and the point s_old where it was made, for estimators that follow the point.
class Recursion {
 public:
  explicit Recursion(const EstimatorContext& context)
      : averages_(blocks(context.outputs, context)),
        previous_(blocks(context.arguments, context)),
        at_previous_(blocks(context.outputs, context)) {}

  /// outputs <- outputs + kept (m - O(s_old; xi)).
  void correct(const Sample& sample, std::size_t arguments, const Oracle& oracle,
               OracleOutputs outputs, double kept) {
    std::vector<const AgentView*> point;
    std::vector<AgentView*> old;
    for (std::size_t k = 0; k < arguments; ++k) point.push_back(&previous_[k]);
    for (AgentMatrix& block : at_previous_) old.push_back(&block);
    oracle(sample, point, old);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      AgentView& output = *outputs[k];
      parallel_for(static_cast<int>(output.cols()), [&](int i) {
        output.col(i) += kept * (averages_[k].col(i) - at_previous_[k].col(i));
      });
    }
  }

  /// m <- outputs, s_old <- point.
  void keep(OraclePoint point, OracleOutputs outputs) {
    for (std::size_t k = 0; k < outputs.size(); ++k) averages_[k].copy_from(*outputs[k]);
    for (std::size_t k = 0; k < point.size(); ++k) previous_[k].copy_from(*point[k]);
  }

  void require_stored(OraclePoint point, const char* estimator) const {
    bool fits = point.size() <= previous_.size();
    for (std::size_t k = 0; fits && k < point.size(); ++k) {
      fits = point[k]->rows() == previous_[k].rows();
    }
    require(fits, ErrorKind::internal, "estimator ", estimator,
            ": the oracle depends on other variables than the estimator keeps (by default x, y and "
            "one auxiliary); give their heights to make_estimator");
  }

  void visit_state(StateVisitor& visitor) {
    visit_blocks(visitor, "average", averages_);
    visit_blocks(visitor, "previous", previous_);
  }

 private:
  std::vector<AgentMatrix> averages_;
  std::vector<AgentMatrix> previous_;
  std::vector<AgentMatrix> at_previous_;
};

}  // namespace echelon::detail

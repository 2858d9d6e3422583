#pragma once
/// How noise is tamed: estimators stand between the oracle and the directions.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/state.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// Values of the variables that an oracle depends on, and the blocks it writes.
using OraclePoint = std::span<const AgentView* const>;
using OracleOutputs = std::span<AgentView* const>;
using Oracle = std::function<void(const Sample&, OraclePoint, OracleOutputs)>;

/// Calls the oracle, at one or several points with the same sample, and leaves the estimates in
/// `outputs`.
class GradientEstimator {
 public:
  virtual ~GradientEstimator() = default;
  virtual void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                        OracleOutputs outputs) = 0;
  virtual void visit_state(StateVisitor&) {}

  void estimate(const Sample& sample, std::initializer_list<const AgentView*> point,
                const Oracle& oracle, std::initializer_list<AgentView*> outputs) {
    estimate(sample, OraclePoint(point.begin(), point.size()), oracle,
             OracleOutputs(outputs.begin(), outputs.size()));
  }
};

struct EstimatorOptions {
  std::string name = "plain";
  double theta = 0.1;

  void visit(OptionVisitor& visitor);  ///< section `estimator`
};

struct EstimatorEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  /// `heights` are the dimensions of the outputs, `agents` the number of local agents.
  std::function<std::unique_ptr<GradientEstimator>(const EstimatorOptions&,
                                                   const std::vector<Index>& heights, int agents)>
      make;
};

/// plain, momentum.
const std::vector<EstimatorEntry>& estimator_catalog();

}  // namespace echelon

#pragma once
/// How noise is tamed: estimators stand between the oracle and the directions.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/core/part.hpp"
#include "echelon/core/state.hpp"
#include "echelon/participation/participation.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// Values of the variables that an oracle depends on, and the blocks it writes.
using OraclePoint = std::span<const AgentView* const>;
using OracleOutputs = std::span<AgentView* const>;
using Oracle = std::function<void(const Sample&, OraclePoint, OracleOutputs)>;

/// Calls the oracle, at one or several points with the same sample, and leaves the estimates in
/// `outputs`, block by block.
class GradientEstimator {
 public:
  virtual ~GradientEstimator() = default;
  /// Not collective. Blocks must have the heights that the estimator was made for.
  virtual void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                        OracleOutputs outputs) = 0;
  virtual void visit_state(StateVisitor&) {}
  /// As if the next call were the first.
  virtual void forget() {}

  void estimate(const Sample& sample, std::initializer_list<const AgentView*> point,
                const Oracle& oracle, std::initializer_list<AgentView*> outputs) {
    estimate(sample, OraclePoint(point.begin(), point.size()), oracle,
             OracleOutputs(outputs.begin(), outputs.size()));
  }
};

struct MomentumOptions {
  double theta = 0.1;

  void visit(OptionVisitor& visitor);
};

struct StormOptions {
  double c = 0.1;
  double decay = 0;
  double decay_offset = 10;
  double decay_start = 0;

  void visit(OptionVisitor& visitor);
};

struct SarahOptions {
  std::int64_t period = 64;

  void visit(OptionVisitor& visitor);
};

struct SagaOptions {
  std::int64_t saga_batches = 10;
  double saga_memory = 4;

  void visit(OptionVisitor& visitor);
};

struct ReuseOptions {
  double reuse_probability = 0.5;

  void visit(OptionVisitor& visitor);
};

/// What an estimator is made for.
struct EstimatorContext {
  std::vector<Index> outputs;                     ///< heights of the blocks that the oracle writes
  std::vector<Index> arguments;                   ///< heights of the variables that it depends on
  std::vector<AgentId> agents;                    ///< the local ones
  std::optional<std::uint64_t> sub_batch_seed{};  ///< BilevelProblem::sub_batch_seed
  BilevelProblem* problem = nullptr;              ///< outlives the estimator
  std::uint64_t seed = 1;
  bool collective = false;  ///< the oracle averages over agents, so that all have to take part
  const Participation* participation = nullptr;  ///< outlives the estimator
};

/// Whether the same oracle calls are always made, or more or fewer of them, such as by solvers that
/// stop when they have converged.
enum class Varies { exact, at_least, at_most, on_average };

/// What follows from the options of an estimator.
struct EstimatorTraits {
  Varies calls = Varies::exact;  ///< the oracle calls of an estimate
  bool remembers = true;         ///< carries what it has seen from one estimate to the next
};

/// An estimator; its options are in section `estimator`.
struct EstimatorEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<std::string> aliases{};
  PartOptions options{};
  std::function<EstimatorTraits(const PartOptions&)> traits;
  /// Throws a usage error if the problem or the memory does not allow it.
  std::function<std::unique_ptr<GradientEstimator>(const PartOptions&, const EstimatorContext&)>
      make;
};

/// The chosen estimator; where clients take turns it forgets from round to round.
std::unique_ptr<GradientEstimator> make_estimator(const Chosen<EstimatorEntry>& chosen,
                                                  const EstimatorContext& context);

/// plain, momentum, storm, saga, sarah, reuse.
PartList<EstimatorEntry>& estimator_catalog();

}  // namespace echelon

#pragma once
/// Step sizes that set themselves: from the norms of the directions so far, for any method.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/part.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

/// The accumulated norms of a method's variables, by name, for rules that couple them.
struct StepMemory {
  std::map<std::string, double> norms;
};

/// The factor on the step of one variable s with direction D (d x m, one column per agent). It is
/// the same for all agents, so that strategies stay exact.
class StepRule {
 public:
  enum class Place { upper, lower, auxiliary };

  virtual ~StepRule() = default;
  /// Collective. `direction` is read only.
  virtual double factor(const AgentView& direction) = 0;
  virtual void visit_state(StateVisitor&) {}
};

/// What a rule is made for.
struct StepRuleContext {
  Network& network;
  std::string name;  ///< of the variable
  StepRule::Place place;
  std::shared_ptr<StepMemory> memory = nullptr;  ///< of the method; nullptr: of this variable alone
};

/// Options of rules that accumulate norms.
struct AccumulatedOptions {
  double initial = 1;
  bool coupled = false;

  void visit(OptionVisitor& visitor);
};

/// A rule; its options are in section `steps`.
struct StepRuleEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<std::string> aliases{};
  PartOptions options{};
  bool averages = true;  ///< exactly over all agents, at each step
  /// nullptr: the factor is always 1.
  std::function<std::unique_ptr<StepRule>(const PartOptions&, const StepRuleContext&)> make;
};

/// constant, accumulated, accumulated-local, normalized.
PartList<StepRuleEntry>& step_rule_catalog();

/// The chosen rule for one variable; nullptr if the factor is always 1.
std::unique_ptr<StepRule> make_step_rule(const Chosen<StepRuleEntry>& chosen,
                                         StepRuleContext context);

}  // namespace echelon

#pragma once
/// Step sizes that set themselves: from the norms of the directions so far, for any method.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "echelon/comm/network.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

struct StepOptions {
  std::string rule = "constant";
  double initial = 1;
  bool coupled = false;

  void visit(OptionVisitor& visitor);  ///< section `steps`
};

/// The accumulated norms of a method's variables, by name, for rules that couple them.
struct StepMemory {
  std::map<std::string, double> norms;
};

/// The factor on the step of one variable s with direction D (d x m, one column per agent):
///
///     constant             1
///     accumulated          1 / m_s,   m_s^2 <- m_s^2 + |mean D|^2          m_s = initial at the
///     start accumulated-local    1 / m_s,   m_s^2 <- m_s^2 + mean |D_i|^2        one number
///     instead of d normalized           1 / |mean D|
///
/// `coupled` (with the accumulated ones): auxiliaries take 1 / max(m_y, m_v), x takes
/// 1 / (m_x max(m_y, m_v)). The factor is the same for all agents, so that strategies stay exact.
/// Sources: A. Han et al., arXiv:2504.06042 (accumulated); Z. Zhai, W. Yan, Y. Zhang, NeurIPS 2025,
/// arXiv:2510.24288 (local norms, coupled); normalized steps for heavy tails: arXiv:2509.15543.
class StepRule {
 public:
  enum class Place { upper, lower, auxiliary };

  /// `memory` is that of the method; nullptr for a variable on its own.
  StepRule(Network& network, std::string name, Place place, const StepOptions& options,
           std::shared_ptr<StepMemory> memory);

  bool is_constant() const { return kind_ == Kind::constant; }
  /// Collective. `direction` is read only.
  double factor(const AgentView& direction);
  void visit_state(StateVisitor& visitor);

 private:
  enum class Kind { constant, accumulated, accumulated_local, normalized };
  double squared_norm(const AgentView& direction);
  double lower_norm() const;

  Network* network_;
  std::string name_;
  Place place_;
  Kind kind_;
  bool coupled_;
  double square_;  ///< m_s^2
  std::shared_ptr<StepMemory> memory_;
  VectorXd mean_;
};

}  // namespace echelon

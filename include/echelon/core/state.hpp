#pragma once
/// Everything that an iteration carries over is shown to a StateVisitor; checkpoints, restart,
/// memory accounting and divergence checks are visitors.

#include <cstdint>
#include <string>
#include <string_view>

#include "echelon/core/agent_matrix.hpp"

namespace echelon {

class StateVisitor {
 public:
  virtual ~StateVisitor() = default;

  /// A d x m matrix, one column per local agent.
  void per_agent(std::string_view name, AgentMatrix& state) {
    visit(prefix_ + std::string(name), state);
  }
  /// A number that is the same on every rank.
  void replicated(std::string_view name, double& value) {
    visit(prefix_ + std::string(name), value);
  }
  void replicated(std::string_view name, std::int64_t& value) {
    visit(prefix_ + std::string(name), value);
  }
  /// A table that is the same on every rank and may change its number of rows.
  void replicated(std::string_view name, Eigen::MatrixXd& table) {
    visit(prefix_ + std::string(name), table);
  }

  /// Visits `part` with its names below `name/`.
  template <class Part>
  void within(std::string_view name, Part& part) {
    const std::string outer = prefix_;
    prefix_ += std::string(name) + "/";
    part.visit_state(*this);
    prefix_ = outer;
  }

 protected:
  virtual void visit(const std::string& name, AgentMatrix& state) = 0;
  virtual void visit(const std::string& name, double& value) = 0;
  virtual void visit(const std::string& name, std::int64_t& value) = 0;
  virtual void visit(const std::string& name, Eigen::MatrixXd& table) = 0;

 private:
  std::string prefix_;
};

}  // namespace echelon

#pragma once
/// Problems made from another problem.

#include <memory>
#include <utility>

#include "echelon/problem/problem.hpp"

namespace echelon {

/// Everything is that of the inner problem unless a derived class overrides it: all functions of
/// BilevelProblem here, all facets by the lookup of BilevelProblem::facet. A derived class that
/// changes a facet derives from that facet too, and is then found first.
class ProblemDecorator : public BilevelProblem {
 public:
  ProblemDecorator(AgentSet agents, std::unique_ptr<BilevelProblem> inner)
      : BilevelProblem(std::move(agents)), inner_(std::move(inner)) {}

  Index upper_dimension() const override { return inner_->upper_dimension(); }
  Index lower_dimension() const override { return inner_->lower_dimension(); }
  VectorXd start_x() const override { return inner_->start_x(); }
  VectorXd start_y() const override { return inner_->start_y(); }
  bool takes_part(int local) const override { return inner_->takes_part(inner_agent(local)); }
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override {
    return inner_->value(level, inner_agent(local), sample, x, y);
  }
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override {
    inner_->gradient(level, inner_agent(local), sample, points);
  }

 protected:
  const BilevelProblem* inner() const final { return inner_.get(); }
  /// Local number, in the inner problem, of the agent that answers for a local agent of this one.
  int inner_agent(int local) const override = 0;

 private:
  std::unique_ptr<BilevelProblem> inner_;
};

}  // namespace echelon

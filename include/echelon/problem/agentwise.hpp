#pragma once
/// The five-minute entry: functions of one agent, and their gradients.

#include <utility>

#include "echelon/problem/problem.hpp"

namespace echelon {

/// Derive, implement f, g and their gradients for one agent, and hand the object to any method.
/// Called from several threads at once if the run has threads, so keep them free of hidden state;
/// use `sample` as the only source of randomness (Draws(seed, Purpose::minibatch, agent,
/// sample.iteration, ...)). Derive from a facet too, and the problem offers it: a finite sum with
/// the facet SubBatches, which answers for the part `sub_batch_of(agent, sample, seed)` where
/// sample.batches > 0, can also be run with SAGA.
class AgentwiseProblem : public BilevelProblem {
 public:
  AgentwiseProblem(AgentSet agents, Index upper_dimension, Index lower_dimension)
      : BilevelProblem(std::move(agents)), p_(upper_dimension), q_(lower_dimension) {}

  virtual double f(AgentId agent, const ConstVector& x, const ConstVector& y) const = 0;
  virtual double g(AgentId agent, const ConstVector& x, const ConstVector& y) const = 0;
  virtual void grad_f(AgentId agent, const Sample& sample, const ConstVector& x,
                      const ConstVector& y, VectorXd& gx, VectorXd& gy) const = 0;
  virtual void grad_g(AgentId agent, const Sample& sample, const ConstVector& x,
                      const ConstVector& y, VectorXd& gx, VectorXd& gy) const = 0;

  using BilevelProblem::grad_f;
  using BilevelProblem::grad_g;

  Index upper_dimension() const final { return p_; }
  Index lower_dimension() const final { return q_; }
  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const final;
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const final;

 private:
  Index p_;
  Index q_;
};

}  // namespace echelon

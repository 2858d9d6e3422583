#pragma once
/// Derivatives of f at the last of T steps of a lower-level solver, taken through the steps.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

/// What all unrolled methods have in common.
struct UnrollOptions : NestedSteps {
  bool warm_start = false, start_at_x = false;

  UnrollOptions() { inner_steps = 60; }

  void visit(OptionVisitor& visitor) {
    NestedSteps::visit(visitor);
    visitor("warm_start", warm_start,
            "y goes on from the last iteration, instead of starting anew where the problem says");
    visitor("start_at_x", start_at_x,
            "y starts at x, and the derivative counts that (meta-learning); needs p = q");
  }
};

/// x <- x - alpha D, with D from T steps of y that a derived class takes and differentiates. The
/// lower level of all agents is solved with exact means, so y is the same for all of them; a
/// personal one by each agent for itself. An estimator stands before D as a whole.
class Unroll : public ComposedMethod<UnrollOptions> {
 public:
  Unroll(const MethodContext& its_context, const UnrollOptions& its_options);
  void iterate(std::uint64_t k) final;

 protected:
  /// Takes y_t from y_0 to y_T and writes D. Collective.
  virtual void differentiate(const Evaluation& call) = 0;

  /// y_t <- P(y_t - beta mean(d)); `d` becomes its mean, and `before` what P is applied to.
  /// Collective.
  void advance(AgentView& d, AgentView& before);
  /// adjoint <- P' adjoint, P' being the derivative of the projection at `before`.
  void apply_projection_derivative(const AgentView& before, AgentView& adjoint) const;
  void project(const AgentView& point, AgentView& projected) const;

  Upper x{*this, "x"};
  Carried y{*this, "y", q};
  Block start{q, m}, y_t{q, m};
  Gradient D = df_dx(x, y_t);
  ExactMean mean{context};
  double beta = 0;  ///< of this iteration

 private:
  void set_start();

  const FeasibleSet& set = problem.lower_set();
  VectorXd given_start = problem.start_y();
  Together hypergradient{*this,
                         {.outputs = {&D},
                          .at = {&x.value(), &start},
                          .evaluate =
                              [this](const Evaluation& call) {
                                y_t.copy_from(call.at(start));
                                differentiate(call);
                                if (call.is_here()) y.copy_from(y_t);
                              },
                          .collective = true}};
};

struct ReverseOptions : UnrollOptions {
  std::int64_t truncation = 0;
  bool first_order = false;
  ProductOptions products;

  std::int64_t reversed_steps() const {
    if (first_order) return 0;
    return truncation == 0 ? inner_steps : std::min(truncation, inner_steps);
  }
};

/// Reverse mode, with steps along d_t, which is grad_y g unless a derived class says otherwise:
///
///     for t = 0 .. T-1:    y_{t+1} = P(y_t - beta mean d_t(x, y_t))
///     a = mean grad_y f(x, y_T),   D = grad_x f(x, y_T)
///     for t = T-1 .. T-K:  a <- P' a;   D <- D - beta (d/dx d_t)' a;
///                          a <- a - beta mean (d/dy d_t)' a
///     where y starts at x:  D <- D + a            (K = 0: as if y_T were x plus a constant)
class ReverseUnroll : public Unroll {
 public:
  ReverseUnroll(const MethodContext& its_context, const ReverseOptions& its_options);

 protected:
  /// Writes d_t(x, y_t) of each agent to `d`.
  virtual void find_direction(const Evaluation& call, std::int64_t) { lower(call); }
  /// Writes (d/dy d_t)' a and (d/dx d_t)' a at (x, y_back) to `hv` and `jv`.
  virtual void pull_back(const Evaluation& call, std::int64_t) { second(call); }

  const Products products;
  Block y_back{q, m};
  Gradient d = dg_dy(x, y_t), a = df_dy(x, y_t);
  Product hv = hessian_times(products, x, y_back, a), jv = cross_times(products, x, y_back, a);
  Direct lower{*this, {&d}}, upper{*this, {&D, &a}}, second{*this, {&hv, &jv}};

 private:
  void differentiate(const Evaluation& call) final;
  /// y_t before its projection; kept for t = T-K .. T.
  AgentMatrix& path(std::int64_t t) {
    return path_[static_cast<std::size_t>(t % static_cast<std::int64_t>(path_.size()))];
  }

  const std::int64_t last, first;  ///< T, T - K
  std::vector<AgentMatrix> path_;
};

}  // namespace echelon::detail

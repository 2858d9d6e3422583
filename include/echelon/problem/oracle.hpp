#pragma once
/// What is handed to the oracles of a bilevel problem: samples, points, products, and the counts of
/// calls.

#include <cstdint>
#include "echelon/core/eigen.hpp"

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/core/options.hpp"

namespace echelon {

using ConstVector = Eigen::Map<const VectorXd>;
using Vector = Eigen::Map<VectorXd>;

enum class Level { upper, lower };  ///< f or g

/// Names the random draw behind an oracle call; the agent's id and the seed are added inside. Equal
/// handles give equal samples.
struct Sample {
  std::uint64_t iteration = 0;
  std::uint32_t step = 0;    ///< inner step
  std::uint32_t stream = 0;  ///< calls that should be independent within one step
  bool full = false;         ///< all samples, no noise: for evaluation
  /// B > 0: instead of a fresh draw, one of B fixed parts of each agent's samples, scaled so that
  /// the mean of the B answers is the answer for all samples.
  std::int64_t batches = 0;
  std::int64_t batch = each_its_own;  ///< which part, for all agents alike

  /// Each agent draws its part: see sub_batch_of.
  static constexpr std::int64_t each_its_own = -1;

  static Sample everything() { return {.full = true}; }
};

/// A point for all local agents, with the gradients wanted at it; nullptr = not wanted.
struct EvaluationPoint {
  const AgentView& x;
  const AgentView& y;
  AgentView* gx;
  AgentView* gy;
};

/// The same for one agent.
struct AgentPoint {
  ConstVector x;
  ConstVector y;
  Vector gx;  ///< data() == nullptr if not wanted
  Vector gy;

  bool wants_gx() const { return gx.data() != nullptr; }
  bool wants_gy() const { return gy.data() != nullptr; }
};

/// Second-order products of g at (x, y): hv = (d2g/dy2) v, jv = (d2g/dxdy) v, the x-gradient of
/// <grad_y g, v>.
struct ProductPoint {
  const AgentView& x;
  const AgentView& y;
  const AgentView& v;
  AgentView* hv;  ///< nullptr = not wanted
  AgentView* jv;
  /// Gradients of the same function at (x, y) with the same sample, which spare forward differences
  /// a call; nullptr = not at hand.
  const AgentView* gx = nullptr;
  const AgentView* gy = nullptr;
};

struct AgentProduct {
  ConstVector x;
  ConstVector y;
  ConstVector v;
  Vector hv;  ///< data() == nullptr if not wanted
  Vector jv;
  ConstVector gx{nullptr, 0};  ///< as in ProductPoint
  ConstVector gy{nullptr, 0};

  bool wants_hv() const { return hv.data() != nullptr; }
  bool wants_jv() const { return jv.data() != nullptr; }
  /// True if the gradients at (x, y) that the wanted products take are at hand.
  bool has_base() const {
    return (!wants_hv() || gy.data() != nullptr) && (!wants_jv() || gx.data() != nullptr);
  }
};

/// Finite-difference step of the products: central differences of grad g at y + d v and y - d v,
/// or forward ones at y + d v and y, same sample. Errors are about d^2 and d; none on quadratics.
///   relative: d = step (1 + |y|_inf) / |v|_2      capped: d = step / max(1, |v|_2)      absolute:
///   d = step
struct DifferenceStep {
  enum class Rule { relative, capped, absolute } rule = Rule::relative;
  double step = 6e-6;
  bool forward = false;
};

/// Oracle calls of the local agents since construction, counted by the batched calls; evaluations
/// for reports go through the calls of one agent and are not part of an algorithm's cost.
struct OracleCounts {
  std::int64_t gradients = 0;  ///< one function, one agent, one point, x- and y-part together
  std::int64_t products =
      0;  ///< exact second-order products; a finite-difference product is two gradients
  std::int64_t values = 0;  ///< one function, one agent, one point
};

/// Lower levels whose minimizer is not unique: methods descend on g + (mu_k / 2) |y|^2 with
/// mu_k = weight (k + 1)^-decay in iteration k. Source: A. N. Tikhonov, Soviet Math. Dokl. 4, 1963.
struct TikhonovOptions {
  double weight = 0;
  double decay = 0.5;

  void visit(OptionVisitor& visitor);
  double at(std::uint64_t iteration) const;
};

}  // namespace echelon

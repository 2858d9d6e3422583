#pragma once
/// Solutions of H v = b with the lower level's Hessian H, started anew at each x.

#include <cstdint>
#include <string>

#include "echelon/method/terms.hpp"

namespace echelon::detail {

struct InverseOptions {
  std::string inverse = "cg";
  std::int64_t solver_steps = 20;
  double eta = 0.5;
  std::string truncation = "sum";
  double damping = 0;
  bool alone = false;

  void visit(OptionVisitor& visitor) {
    visitor.choice("inverse", inverse, {"cg", "neumann", "woodfisher", "identity", "one-step"},
                   "solver of H v = fy: conjugate gradients; the series eta sum (1 - eta H)^j fy; "
                   "the factors of H that the problem gives; v = eta fy; or v = eta fy(x, y - eta "
                   "gy), with fx at the same point");
    visitor("solver_steps", solver_steps, at_least(1),
            "steps of cg, or terms of neumann after the first (Q)");
    visitor("eta", eta, above(0),
            "step size of neumann, below 2 / L_g; replaces the inverse in identity and one-step");
    visitor.choice(
        "truncation", truncation, {"sum", "random"},
        "terms of neumann: all, or one of the first Q at random, times Q eta (unbiased)");
    visitor("damping", damping, at_least(0), "number added to the diagonal of H; cg, woodfisher");
    visitor("alone", alone,
            "each agent solves with its own H and fy: no averages, but biased where agents of a "
            "shared lower level differ");
  }

  bool one_step() const { return inverse == "one-step"; }
  bool by_factors() const { return inverse == "woodfisher"; }
  bool is_random() const { return inverse == "neumann" && truncation == "random"; }
  Varies varies() const {
    return inverse == "cg" ? Varies::at_most : is_random() ? Varies::on_average : Varies::exact;
  }
};

/// v <- H^-1 v at (x, y) for each local agent: with the mean Hessian of all agents and a v that is
/// the same for all, or, with a personal lower level, with each agent's own.
class InverseHessian {
 public:
  /// Throws a usage error if factors are wanted and the problem has none. `products`, x and y
  /// outlive it.
  InverseHessian(MethodBase& method, const InverseOptions& options, const Products& products,
                 const AgentView& x, const AgentView& y);

  /// Draws fresh samples for the terms of a series; conjugate gradients use that of the call.
  /// Collective.
  void operator()(const Evaluation& call, AgentView& v);

 private:
  void require_factors() const;
  void conjugate_gradients(const Evaluation& call, AgentView& v);
  void neumann(const Evaluation& call, AgentView& v);
  void woodfisher(const Evaluation& call, AgentView& v);

  MethodBase& method_;
  const InverseOptions options_;
  const AgentView &x_, &y_;
  ExactMean mean_;
  Block direction_;
  Product hd_;  ///< H direction
  Direct product_;
  AgentMatrix solution_;
};

}  // namespace echelon::detail

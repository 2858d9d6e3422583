#pragma once
/// Solutions of H v = b with the lower level's Hessian H, started anew at each x.

#include <cstdint>
#include <string>

#include "echelon/method/products.hpp"

namespace echelon::detail {

struct InverseOptions {
  std::string inverse = "cg";
  std::int64_t solver_steps = 20;
  double eta = 0.5;
  std::string truncation = "sum";
  double damping = 0;
  bool alone = false;

  void visit(OptionVisitor& visitor) {
    visitor.choice(
        "inverse", inverse, {"cg", "neumann", "woodfisher", "identity", "one-step"},
        "how H v = fy is solved: conjugate gradients; the series eta sum (1 - eta H)^j fy; "
        "the factors of H that the problem gives; v = eta fy; or v = eta fy(x, y - eta gy), "
        "with fx there too");
    visitor("solver_steps", solver_steps, at_least(1),
            "cg: steps; neumann: Q, terms after the first");
    visitor("eta", eta, above(0),
            "step of neumann, below 2 / L_g; what stands for the inverse in identity and one-step");
    visitor.choice("truncation", truncation, {"sum", "random"},
                   "neumann: all terms, or Q eta times one of the first Q at random (unbiased for "
                   "their sum)");
    visitor("damping", damping, at_least(0), "cg, woodfisher: added to the diagonal of H");
    visitor(
        "alone", alone,
        "each agent solves with its own H and fy: nothing to average, but biased where agents of "
        "a shared lower level differ");
  }

  bool solves() const { return inverse == "cg" || inverse == "neumann"; }
  /// Conjugate gradients stop when they have converged; random truncation draws the number of
  /// terms.
  MethodCost::Count count() const {
    if (inverse == "cg") return MethodCost::Count::at_most;
    const bool draws = inverse == "neumann" && truncation == "random";
    return draws ? MethodCost::Count::on_average : MethodCost::Count::exact;
  }
  bool by_factors() const { return inverse == "woodfisher"; }
  bool one_step() const { return inverse == "one-step"; }
  /// Products H v per solve; in the mean, if random.
  double products() const {
    const auto steps = static_cast<double>(solver_steps);
    if (!solves()) return 0;
    return inverse == "neumann" && truncation == "random" ? (steps - 1) / 2 : steps;
  }
};

/// v <- H^-1 v for each local agent: with the mean Hessian of all agents and a v that is the same
/// for all, or, with a personal lower level, with each agent's own.
class InverseHessian {
 public:
  /// Throws a usage error if factors are wanted and the problem has none.
  InverseHessian(const MethodContext& context, const InverseOptions& options, Products products);

  /// Draws fresh samples for the terms of a series, and the given one for conjugate gradients.
  /// Collective.
  void apply(const Sample& sample, const AgentView& x, const AgentView& y, AgentMatrix& v);

 private:
  void conjugate_gradients(const Sample& sample, const AgentView& x, const AgentView& y,
                           AgentMatrix& v);
  void neumann(const Sample& sample, const AgentView& x, const AgentView& y, AgentMatrix& v);
  void neumann_step(const Sample& sample, std::int64_t j, const AgentView& x, const AgentView& y,
                    AgentMatrix& u);
  void woodfisher(const AgentView& x, const AgentView& y, AgentMatrix& v);

  BilevelProblem& problem_;
  InverseOptions options_;
  Products products_;
  ExactMean mean_;
  std::uint64_t seed_;
  AgentMatrix solution_, direction_, hv_;
};

}  // namespace echelon::detail

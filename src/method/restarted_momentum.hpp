#pragma once
/// Nesterov's momentum on the upper variable, with the restarts of AccF2BA.

#include <algorithm>
#include <cstdint>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"

namespace echelon::detail {

/// Options `momentum`, `restart_bound` and `restart_floor`.
struct MomentumOptions {
  double momentum = 0;
  double restart_bound = 10;
  double restart_floor = 0.1;

  void visit(OptionVisitor& visitor) {
    visitor("momentum", momentum, between(0, 0.999),
            "theta: gradients are taken at x + theta (x - x_old); 0 = none");
    visitor(
        "restart_bound", restart_bound, at_least(0),
        "B: momentum restarts when the steps since its start are longer; falls by 1 % each time");
    visitor("restart_floor", restart_floor, at_least(0), "B0: the least B that counts");
  }
};

/// Around each step of x, with the iterates x_j of network mean:
///
///     before:  x, x_old <- x + theta (x - x_old), x
///     after:   c <- c + 1,   S <- S + |x - x_old|^2
///              if c S > max(B, B0)^2:   x_old <- x,   c <- 0,   S <- 0,   B <- .99 B
///
/// S is of the exact mean, so that all agents restart together. Source: L. Chen, Y. Ma, J. Zhang,
/// JMLR 2025, arXiv:2306.14853 (AccF2BA).
class RestartedMomentum {
 public:
  /// `x` is the variable that it will move.
  RestartedMomentum(MethodBase& method, const MomentumOptions& options, const ConsensusVariable& x)
      : network_(method.network),
        options_(options),
        bound_(options.restart_bound),
        old_(x.value().rows(), is_on() ? x.value().cols() : 0),
        change_(old_.rows(), old_.cols()) {
    if (!is_on()) return;
    method.carry("momentum", *this);
    x.require_mappable("momentum moves it between its steps");
    old_.copy_from(x);
  }

  bool is_on() const { return options_.momentum > 0; }

  void before(ConsensusVariable& x) {
    if (!is_on()) return;
    x.map([&](int i, ConsensusVariable::Vector column) {
      change_.col(i) = column - old_.col(i);
      old_.col(i) = column;
      column += options_.momentum * change_.col(i);
      x.set().project(column);
    });
  }

  /// Collective.
  void after(const ConsensusVariable& x) {
    if (!is_on()) return;
    parallel_for(static_cast<int>(old_.cols()),
                 [&](int i) { change_.col(i) = x.value().col(i) - old_.col(i); });
    network_.mean(change_, mean_);
    ++count_;
    path_ += mean_.squaredNorm();
    const double limit = std::max(bound_, options_.restart_floor);
    if (static_cast<double>(count_) * path_ <= limit * limit) return;
    old_.copy_from(x);
    count_ = 0;
    path_ = 0;
    bound_ *= 0.99;
  }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("old", old_);
    visitor.replicated("count", count_);
    visitor.replicated("path", path_);
    visitor.replicated("bound", bound_);
  }

 private:
  Network& network_;
  MomentumOptions options_;
  double bound_;
  AgentMatrix old_, change_;
  VectorXd mean_;
  std::int64_t count_ = 0;
  double path_ = 0;
};

}  // namespace echelon::detail

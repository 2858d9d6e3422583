#pragma once
/// Adam with decoupled weight decay, column by column: for methods that take such steps along
/// network means, so that the moments of all agents agree as the means do.

#include <cmath>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"

namespace echelon::detail {

/// Options `beta1`, `beta2` and `epsilon`.
struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

  void visit(OptionVisitor& visitor) {
    visitor("beta1", beta1, between(0, 0.999999), "Adam: memory of the direction");
    visitor("beta2", beta2, between(0, 0.999999), "Adam: memory of its squares");
    visitor("epsilon", epsilon, above(0), "Adam: added to the root of the squares");
  }
};

/// With direction D at step t = 1, 2, ..., all by entry:
///
///     a <- beta1 a + (1 - beta1) D         b <- beta2 b + (1 - beta2) D^2
///     step along  (a / (1 - beta1^t)) / (sqrt(b / (1 - beta2^t)) + epsilon) + weight_decay s
///
/// In a set other than a box all entries of a column share the largest b: steps of different
/// scales, projected, would rest where D is not normal to the set.
///
/// Source: I. Loshchilov, F. Hutter, ICLR 2019, arXiv:1711.05101; the shared scale is our own.
class Adam {
 public:
  /// For a variable of the method, which carries it under `name`.
  Adam(MethodBase& method, const std::string& name, const AdamOptions& options,
       const ConsensusVariable& variable)
      : Adam(options, variable.set(), variable.value().rows(), method.m) {
    method.carry(name, *this);
  }
  /// For a variable of `rows` entries that stays in `set`.
  Adam(const AdamOptions& options, const FeasibleSet& set, Index rows, int columns)
      : options_(options),
        by_entry_(set.is_whole_space() || set.kind() == FeasibleSet::Kind::box),
        first_(rows, columns),
        second_(rows, columns),
        step_(rows, columns) {}

  /// d x m, valid until the next call. `value` is what will step.
  const AgentView& direction(std::uint64_t k, const AgentView& mean, const AgentView& value,
                             double weight_decay = 0) {
    const double t = static_cast<double>(k) + 1;
    const double first_seen = 1 - std::pow(options_.beta1, t);
    const double second_seen = 1 - std::pow(options_.beta2, t);
    parallel_for(static_cast<int>(mean.cols()), [&](int i) {
      for (Index r = 0; r < mean.rows(); ++r) {
        const double entry = mean(r, i);
        double& a = first_(r, i);
        double& b = second_(r, i);
        a = options_.beta1 * a + (1 - options_.beta1) * entry;
        b = options_.beta2 * b + (1 - options_.beta2) * entry * entry;
      }
      const double largest = by_entry_ ? 0 : second_.col(i).maxCoeff();
      for (Index r = 0; r < mean.rows(); ++r) {
        const double a = first_(r, i);
        const double b = by_entry_ ? second_(r, i) : largest;
        step_(r, i) = a / first_seen / (std::sqrt(b / second_seen) + options_.epsilon) +
                      weight_decay * value(r, i);
      }
    });
    return step_;
  }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("first_moment", first_);
    visitor.per_agent("second_moment", second_);
  }

 private:
  AdamOptions options_;
  bool by_entry_;
  AgentMatrix first_, second_, step_;
};

}  // namespace echelon::detail

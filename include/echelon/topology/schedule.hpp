#pragma once
/// Which mixing matrix applies at which round.

#include <cstdint>
#include <memory>
#include <vector>

#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

/// Which normalization of the weights a mixer applies. On a directed graph no weights may be both:
/// variables then mix with `row` weights (the receiver normalizes), trackers and push-sum with
/// `column` weights (the sender splits).
enum class Weights {
  given,  ///< as the schedule has them
  row,    ///< as given if the rows sum to 1, else r_ij = 1 / (1 + in-degree of i) on the same edges
  column,  ///< as given if the columns sum to 1, else c_ij = 1 / (1 + out-degree of j)
};

/// A sequence of mixing matrices W(0), W(1), ... on the same agents. Everything is a pure function
/// of the round, so all ranks see the same and a resumed run goes on where it was.
class MixingSchedule {
 public:
  virtual ~MixingSchedule() = default;
  virtual AgentId agents() const = 0;
  /// Rounds after which the matrices repeat: 1 = always the same, 0 = drawn anew at every round.
  virtual std::uint64_t period() const = 0;
  virtual std::shared_ptr<const MixingMatrix> at(std::uint64_t round,
                                                 Weights weights = Weights::given) const = 0;

  bool fixed() const { return period() == 1; }
};

using SharedSchedule = std::shared_ptr<const MixingSchedule>;

/// W(k) = matrices[k mod matrices.size()]; one matrix is a fixed network. Throws a usage error if
/// there is none, or if they differ in their number of agents.
SharedSchedule periodic(std::vector<MixingMatrix> matrices);

/// What can fail at a round, independently of other rounds.
struct Failures {
  double link = 0;   ///< probability that a link carries nothing, in both directions
  double agent = 0;  ///< probability that none of an agent's links carries anything
  std::uint64_t seed = 1;
};

/// The weight of a link that fails goes to the self weight: of the receiver, or of the sender under
/// Weights::column and where only the columns sum to 1. Symmetric matrices stay symmetric. A link
/// fails for everything that is mixed at the same round. Throws a usage error unless the
/// probabilities are in [0, 1).
SharedSchedule with_failures(SharedSchedule schedule, const Failures& failures);

/// (I + W(k)) / 2 in place of W(k).
SharedSchedule lazy(SharedSchedule schedule);

/// `matrix` itself if it qualifies for `weights`, otherwise the weights of that kind on its edges.
MixingMatrix reweighted(const MixingMatrix& matrix, Weights weights);

}  // namespace echelon

#pragma once
/// What an iteration of a composition costs an agent: counted on a small trial problem, and
/// compared by the tests with what is counted in runs.

#include <set>
#include <string>
#include <vector>

#include "echelon/experiment/experiment.hpp"

namespace echelon {

/// constant + p_share p + q_share q + pq_share p q + qq_share q^2, for x in R^p and y in R^q.
struct Growth {
  double constant = 0;
  double p_share = 0;
  double q_share = 0;
  double pq_share = 0;
  double qq_share = 0;

  double operator()(Index p, Index q) const;
  bool is_zero() const { return *this == Growth{}; }
  bool operator==(const Growth&) const = default;
  /// Such as "2 p + 4 q"; "0" if it is zero.
  std::string text() const;
};

/// Compressed messages to each neighbor, per iteration.
struct CompressedMessages {
  Chosen<CompressorEntry> compressor;
  bool upper = false;  ///< of x; otherwise of y or its auxiliaries
  double messages = 0;
};

/// Per agent and iteration, once a run is under way.
struct CompositionCost {
  Growth gradients;  ///< oracle calls
  Growth products;   ///< exact second-order products
  Growth values;
  Growth to_neighbors;  ///< numbers sent to each neighbor
  Growth averaged;      ///< numbers whose mean over all agents is taken
  std::vector<CompressedMessages> compressed;
  bool takes_plain_means = false;  ///< the method averages exactly inside its iteration
  std::set<Role> roles;            ///< of the variables that a strategy moves
  Varies varies = Varies::exact;

  /// Such as "2 p + 4 q to each neighbor".
  std::string traffic_text() const;
  /// Bytes to each neighbor (reduced: bytes of the vectors that are averaged over all agents).
  double bytes(bool reduced, Index p, Index q) const;
};

/// Runs trials of the composition with other p and q and finds how counts grow. Exact for
/// dimensions that are the given ones modulo 8 (stacked messages are padded to cache lines). Throws
/// what the composition throws when it is made. Serial, without MPI.
CompositionCost cost_of(const GeneralOptions& general, Index p = 0, Index q = 0);

/// Whether iterations may take more or less than the trial.
Varies varies(const GeneralOptions& general);

}  // namespace echelon

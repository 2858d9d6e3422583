#pragma once
/// What a run takes of a rank's memory, before it starts.

#include <string>

#include "echelon/comm/communicator.hpp"

namespace echelon {

/// Bytes on one rank.
struct MemoryEstimate {
  double data = 0;             ///< samples, as the problem counts them
  double state = 0;            ///< what checkpoints hold, without states of clients
  double clients = 0;          ///< states of clients in memory
  double clients_in_file = 0;  ///< those that are in a file; no part of the sum
  double buffers = 0;  ///< all else that the composed run has asked for: directions, networks; the
                       ///< first iteration adds what it exchanges
  double limit = 0;    ///< that the rank may take
  double free = 0;     ///< of its machine, before the run was composed
  int ranks = 1;       ///< on its machine
  int rank = 0;

  double total() const { return data + state + clients + buffers; }
  /// Such as `3.1 MB (data 2 MB, state 1 MB, buffers 0.1 MB)`.
  std::string text() const;
};

/// Collective: that of the rank on which the least is left.
MemoryEstimate tightest(const Communicator& communicator, const MemoryEstimate& own);

/// Throws a usage error with the numbers if it is more than the rank may take.
void require_fits(const MemoryEstimate& estimate);

}  // namespace echelon

#pragma once
/// What a run says about itself before it starts. On rank 0.

#include "echelon/experiment/experiment.hpp"

namespace echelon::cli {

/// Problem, method, consensus, networks with their certificates, partition and memory.
void print_head(Experiment& experiment, const MemoryEstimate& memory);

/// More ranks than cores work, because waiting ranks give their core away, but they gain nothing.
void warn_if_crowded(const Communicator& communicator);

}  // namespace echelon::cli

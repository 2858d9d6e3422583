#pragma once
/// What a run would be, without running it.

#include <filesystem>

#include "echelon/experiment/experiment.hpp"

namespace echelon::cli {

/// Head, memory, traffic, round plan and the resolved configuration. On rank 0. `folder`: where the
/// run would write.
void print_plan(Experiment& experiment, const MemoryEstimate& memory,
                const std::filesystem::path& folder);

}  // namespace echelon::cli

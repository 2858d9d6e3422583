#pragma once
/// Where a run writes.

#include <filesystem>
#include <string>

#include "echelon/experiment/experiment.hpp"

namespace echelon::cli {

/// run.output, or results/NAME for a configuration file NAME.ini.
inline std::filesystem::path run_folder(const ExperimentOptions& options,
                                        const std::string& config) {
  if (!options.output.empty()) return options.output;
  return std::filesystem::path("results") / std::filesystem::path(config).stem();
}

}  // namespace echelon::cli

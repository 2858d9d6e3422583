#include "estimators.hpp"

namespace echelon {

namespace detail {

std::vector<EstimatorEntry> plain_parts() {
  return {{.name = "plain",
           .summary = "the response of the oracle as it is",
           .formula = "m = O(s; xi)",
           .reference = "",
           .aliases = {"sgd"},
           .options = {},
           .traits = [](const PartOptions&) { return EstimatorTraits{.remembers = false}; },
           .make = [](const PartOptions&,
                      const EstimatorContext&) { return std::make_unique<Plain>(); }}};
}

}  // namespace detail

}  // namespace echelon

#include "echelon/consensus/aggregation.hpp"

namespace echelon::detail {

std::vector<AggregationEntry> mean_parts() {
  return {{.name = "mean",
           .summary = "the mean of the responses; tolerates no attacker",
           .formula = "sum w_i m_i",
           .reference = "",
           .aliases = {"average"},
           .options = {},
           .is_mean = true,
           .make = [](const PartOptions&, const AggregationContext&) {
             return std::unique_ptr<AggregationRule>();
           }}};
}

}  // namespace echelon::detail

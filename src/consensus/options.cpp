#include "echelon/consensus/strategy.hpp"
#include "strategies.hpp"

namespace echelon {

void detail::visit_mixing_rounds(OptionVisitor& visitor, std::int64_t& mixing_rounds) {
  visitor("mixing_rounds", mixing_rounds, between(1, 1000),
          "exchanges per mixing: W^rounds in place of W");
}

void MixingOptions::visit(OptionVisitor& visitor) {
  detail::visit_mixing_rounds(visitor, mixing_rounds);
  visitor("chebyshev", chebyshev,
          "accelerate several mixing_rounds by a Chebyshev polynomial of W (symmetric, fixed "
          "networks)");
}

void CompressedOptions::visit(OptionVisitor& visitor) {
  visitor("consensus_step", consensus_step, between(0, 1),
          "how far agents move toward what they receive, in (0, 1]; 0 = chosen from the "
          "compressor");
  compressor.visit(visitor, "compressor", "how messages are compressed");
}

void ServerOptions::visit(OptionVisitor& visitor) {
  detail::visit_aggregation(visitor, aggregation);
}

void detail::visit_aggregation(OptionVisitor& visitor, Chosen<AggregationEntry>& aggregation) {
  aggregation.visit(visitor, "aggregation",
                    "how the server combines the responses of the agents; all rules but the mean "
                    "tolerate some false ones");
}

}  // namespace echelon

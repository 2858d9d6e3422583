#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// adapt then combine   S <- W (S - a G)
/// combine then adapt   S <- W S - a G
class Gossip final : public ConsensusStrategy {
 public:
  Gossip(Network& network, const std::string& variable, Index dimension, bool adapt_first)
      : network_(network), mix_(network.mixer(variable, dimension)), adapt_first_(adapt_first) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    AgentMatrix& next = network_.scratch("next", value.rows());
    if (adapt_first_) {
      mix_(next, value - step * direction);
    } else {
      mix_(next, value, -step * direction);
    }
    swap(value, next);
  }

 private:
  Network& network_;
  Mixer mix_;
  bool adapt_first_;
};

StrategyEntry entry(bool adapt_first) {
  return {
      .name = adapt_first ? "gossip-atc" : "gossip-cta",
      .summary =
          adapt_first
              ? "adapt then combine (diffusion); biased on heterogeneous agents at constant steps"
              : "combine then adapt (DGD); biased on heterogeneous agents at constant steps",
      .recursion = adapt_first ? "S <- W (S - a G)" : "S <- W S - a G",
      .reference =
          adapt_first
              ? "J. Chen, A. H. Sayed, IEEE Trans. Signal Processing 60(8), 2012, arXiv:1111.0034"
              : "A. Nedic, A. Ozdaglar, IEEE Trans. Automatic Control 54(1), 2009",
      .need = NetworkNeed::doubly_stochastic,
      .vectors_sent = 1,
      .personal = false,
      .exact_on_heterogeneous = false,
      .make = [adapt_first](Network& network, const std::string& variable, Index dimension) {
        return std::make_unique<Gossip>(network, variable, dimension, adapt_first);
      }};
}

}  // namespace

StrategyEntry gossip_atc_entry() {
  return entry(true);
}
StrategyEntry gossip_cta_entry() {
  return entry(false);
}

}  // namespace echelon::detail

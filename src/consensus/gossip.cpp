#include <limits>

#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// adapt then combine   S <- W (S - a G)
/// combine then adapt   S <- W S - a G
class Gossip final : public ConsensusStrategy {
 public:
  Gossip(const StrategyContext& context, bool adapt_first)
      : mix_(context.network.mixer(context.variable, context.dimension, mixing(context.options))),
        adapt_first_(adapt_first) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    if (adapt_first_) {
      mix_(value, value - step * direction);
    } else {
      mix_(value, value, -step * direction);
    }
  }

  void visit_state(StateVisitor& visitor) override { visitor.within("mix", mix_); }

 private:
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
      .changing_network = true,
      .vectors_sent = 1,
      .personal = false,
      .attackable = adapt_first,
      .exact_on_heterogeneous = false,
      .projectable = true,
      .invariant = Invariant::mean_step,
      .make = [adapt_first](const StrategyContext& context) -> std::unique_ptr<ConsensusStrategy> {
        constexpr double unlimited = std::numeric_limits<double>::infinity();
        if (context.attack) return make_clipped_gossip(context, unlimited);
        return std::make_unique<Gossip>(context, adapt_first);
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

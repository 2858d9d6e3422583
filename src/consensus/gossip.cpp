#include <limits>

#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// adapt then combine   S <- W (S - a G)
/// combine then adapt   S <- W S - a G
class Gossip final : public ConsensusStrategy {
 public:
  Gossip(const StrategyContext& context, bool adapt_first)
      : mix_(context.network.mixer(context.variable, context.dimension,
                                   mixing(context.options.as<MixingOptions>()))),
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

StrategyTraits gossip_traits(const PartOptions& options, bool attackable) {
  return {.need = NetworkNeed::doubly_stochastic,
          .vectors_sent = static_cast<double>(options.as<MixingOptions>().mixing_rounds),
          .attackable = attackable,
          .exact_on_heterogeneous = false,
          .invariant = Invariant::mean_step};
}

void require_no_chebyshev(const PartOptions& options, const Network&, const Attack&,
                          const std::string& where) {
  require(
      !options.as<MixingOptions>().chebyshev, ErrorKind::usage, where,
      ": attacks on rounds with Chebyshev polynomials are not simulated; choose chebyshev = no");
}

std::unique_ptr<ConsensusStrategy> make_gossip_atc(const StrategyContext& context) {
  if (!context.attack) return std::make_unique<Gossip>(context, true);
  constexpr double unlimited = std::numeric_limits<double>::infinity();
  return make_clipped_gossip(context,
                             {.mixing_rounds = context.options.as<MixingOptions>().mixing_rounds,
                              .clipping_radius = unlimited});
}

}  // namespace

std::vector<StrategyEntry> gossip_parts() {
  return {{.name = "gossip-atc",
           .summary =
               "adapt then combine (diffusion); biased on heterogeneous agents at constant steps",
           .recursion = "S <- W (S - a G)",
           .reference =
               "J. Chen, A. H. Sayed, IEEE Trans. Signal Processing 60(8), 2012, arXiv:1111.0034",
           .aliases = {"gossip", "diffusion", "dsgd", "d-psgd", "atc"},
           .options = MixingOptions{},
           .traits = [](const PartOptions& options) { return gossip_traits(options, true); },
           .require_tolerable = require_no_chebyshev,
           .make = make_gossip_atc},
          {.name = "gossip-cta",
           .summary = "combine then adapt (DGD); biased on heterogeneous agents at constant steps",
           .recursion = "S <- W S - a G",
           .reference = "A. Nedic, A. Ozdaglar, IEEE Trans. Automatic Control 54(1), 2009",
           .aliases = {"dgd", "cta"},
           .options = MixingOptions{},
           .traits = [](const PartOptions& options) { return gossip_traits(options, false); },
           .make =
               [](const StrategyContext& context) {
                 return std::make_unique<Gossip>(context, false);
               }}};
}

}  // namespace echelon::detail

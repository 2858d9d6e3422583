#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct LazyGossipOptions {
  double kept = 0.5;

  void visit(OptionVisitor& visitor) {
    visitor("kept", kept, {.low = 0, .high = 1, .high_open = true},
            "part of its own value that an agent keeps");
  }
};

/// S <- (1 - c) W (S - a G) + c (S - a G)
class LazyGossip final : public ConsensusStrategy {
 public:
  explicit LazyGossip(const StrategyContext& context)
      : mix_(context.network.mixer(context.variable, context.dimension)),
        kept_(context.options.as<LazyGossipOptions>().kept) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    mix_(value, (1 - kept_) * (value - step * direction), kept_ * (value - step * direction));
  }

  void visit_state(StateVisitor& visitor) override { visitor.within("mix", mix_); }

 private:
  Mixer mix_;
  double kept_;
};

}  // namespace

StrategyEntry lazy_gossip() {
  return {
      .name = "lazy-gossip",
      .summary = "gossip of which agents keep a part of their own value",
      .recursion = "S <- (1 - c) W (S - a G) + c (S - a G)",
      .reference = "",
      .options = LazyGossipOptions{},
      .traits =
          [](const PartOptions&) {
            return StrategyTraits{.need = NetworkNeed::doubly_stochastic,
                                  .exact_on_heterogeneous = false,
                                  .invariant = Invariant::mean_step};
          },
      .make = [](const StrategyContext& context) { return std::make_unique<LazyGossip>(context); }};
}

}  // namespace outside

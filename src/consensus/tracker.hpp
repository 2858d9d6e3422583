#pragma once
/// What all forms of gradient tracking have in common. Their options are MixingOptions.

#include <cstdint>

#include "strategies.hpp"

namespace echelon::detail {

/// `vectors` per round of mixing.
inline StrategyTraits tracking_traits(const PartOptions& options, double vectors) {
  const auto rounds = static_cast<double>(options.as<MixingOptions>().mixing_rounds);
  return {.need = NetworkNeed::doubly_stochastic,
          .vectors_sent = vectors * rounds,
          .invariant = Invariant::tracker_mean};
}

/// T follows the network mean of the directions: mean(T) = mean(G) at every step, if the columns of
/// W sum to 1. First step T = G; later
///   T <- W T + G - G_last      or, adapting first,      T <- W (T + G - G_last)
class Tracker {
 public:
  explicit Tracker(const StrategyContext& context, Weights weights = Weights::given,
                   bool adapts_first = false)
      : mix_(context.network.mixer(context.variable + " (tracker)", context.dimension,
                                   mixing(context.options.as<MixingOptions>(), weights))),
        adapts_first_(adapts_first),
        tracker_(context.dimension, context.network.agents().count()),
        last_(context.dimension, context.network.agents().count()) {}

  /// T after this step's direction, which is scratch afterwards. Collective.
  const AgentMatrix& follow(AgentMatrix& direction) {
    if (started_ == 0) {
      tracker_.copy_from(direction);
      started_ = 1;
    } else if (adapts_first_) {
      mix_(tracker_, tracker_ + direction - last_);
    } else {
      mix_(tracker_, tracker_, direction - last_);
    }
    swap(last_, direction);
    return tracker_;
  }

  void forget() { started_ = 0; }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("tracker", tracker_);
    visitor.per_agent("last_direction", last_);
    visitor.replicated("started", started_);
    visitor.within("mix_tracker", mix_);
  }

 private:
  Mixer mix_;
  bool adapts_first_;
  AgentMatrix tracker_;
  AgentMatrix last_;
  std::int64_t started_ = 0;
};

}  // namespace echelon::detail

#include "tracker.hpp"

namespace echelon::detail {

namespace {

/// The receiver normalizes the weights of values (R, row-stochastic), the sender those of trackers
/// (C, column-stochastic): any strongly connected digraph will do. First step T = G; later
///   T <- C T + G - G_last      S <- R (S - a T)
/// With the left Perron vector l of R and the right one p of C (sums 1) the step in effect is
/// a n <l, p>: a itself where both are uniform, at most a n.
class PushPull final : public ConsensusStrategy {
 public:
  explicit PushPull(const StrategyContext& context)
      : tracker_(context, Weights::column),
        pull_(context.network.mixer(context.variable, context.dimension,
                                    mixing(context.options.as<MixingOptions>(), Weights::row))) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const AgentMatrix& tracked = tracker_.follow(direction);
    pull_(value, value - step * tracked);
  }

  void forget() override { tracker_.forget(); }

  void visit_state(StateVisitor& visitor) override {
    tracker_.visit_state(visitor);
    visitor.within("pull", pull_);
  }

 private:
  Tracker tracker_;
  Mixer pull_;
};

}  // namespace

std::vector<StrategyEntry> push_pull_parts() {
  return {
      {.name = "push-pull",
       .summary =
           "gradient tracking for directed graphs: values by row, trackers by column weights",
       .recursion = "T <- C T + G - G_last;  S <- R (S - a T)",
       .reference =
           "S. Pu, W. Shi, J. Xu, A. Nedic, IEEE Trans. Automatic Control 66(1), 2021, "
           "arXiv:1810.06653; R. Xin, U. A. Khan, IEEE Control Systems Letters 2(3), 2018, "
           "arXiv:1803.02503",
       .aliases = {"ab"},
       .options = MixingOptions{},
       .traits =
           [](const PartOptions& options) {
             StrategyTraits traits = tracking_traits(options, 2);
             traits.need = NetworkNeed::connected;
             return traits;
           },
       .make = [](const StrategyContext& context) { return std::make_unique<PushPull>(context); }}};
}

}  // namespace echelon::detail

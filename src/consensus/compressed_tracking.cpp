#include "echelon/consensus/compressed_exchange.hpp"
#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// Gradient tracking whose gossip, damped by the consensus step g, sees references only:
///
///     S^ <- S^ + Q(S - S^);   T^ <- T^ + Q(T - T^)
///     T_i <- T_i + g sum_j w_ij (T^_j - T^_i) + G - G_last;   first step: T = G
///     S_i <- S_i + g sum_j w_ij (S^_j - S^_i) - a T_i
///
/// Both messages of a step are under way together. Without compression and with g = 1 this is
/// gt-nonatc.
class CompressedTracking final : public ConsensusStrategy {
 public:
  explicit CompressedTracking(const StrategyContext& context,
                              const std::shared_ptr<const Compressor>& compressor)
      : consensus_step_(consensus_step(context, *compressor)),
        values_(context, "value", compressor),
        trackers_(context, "tracker", compressor),
        tracker_(context.dimension, context.network.agents().count()),
        last_(context.dimension, context.network.agents().count()) {}

  void begin(const AgentView& value) override { values_.begin(value); }

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    values_.send(value);
    if (started_ != 0) trackers_.send(tracker_);
    values_.receive();
    if (started_ != 0) trackers_.receive();
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      tracker_.col(i) +=
          consensus_step_ * trackers_.difference().col(i) + (direction.col(i) - last_.col(i));
      value.col(i) += consensus_step_ * values_.difference().col(i) - step * tracker_.col(i);
    });
    swap(last_, direction);
    started_ = 1;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.per_agent("tracker", tracker_);
    visitor.per_agent("last_direction", last_);
    visitor.within("value_messages", values_);
    visitor.within("tracker_messages", trackers_);
    visitor.replicated("started", started_);
  }

 private:
  double consensus_step_;
  CompressedExchange values_;
  CompressedExchange trackers_;
  AgentMatrix tracker_;
  AgentMatrix last_;
  std::int64_t started_ = 0;
};

}  // namespace

std::vector<StrategyEntry> compressed_tracking_parts() {
  return {{.name = "compressed-tracking",
           .summary =
               "gradient tracking with compressed messages; exact at constant steps under any "
               "compressor",
           .recursion =
               "S^ <- S^ + Q(S - S^);  T^ <- T^ + Q(T - T^);  T <- T + g (W - I) T^ + G - G_last;  "
               "S <- S + g (W - I) S^ - a T",
           .reference =
               "Y. Liao, Z. Li, K. Huang, S. Pu, IEEE Trans. Automatic Control 67(10), 2022, "
               "arXiv:2103.13748; as inner loop: M. Wen, C. Liu, A. Abdelmoniem, Y. Zhou, Y. Xu, "
               "2024, arXiv:2410.14115",
           .aliases = {"c-gt"},
           .options = CompressedOptions{},
           .traits =
               [](const PartOptions& options) {
                 return StrategyTraits{.need = NetworkNeed::symmetric,
                                       .changing_network = false,
                                       .vectors_sent = 2,
                                       .compressor = options.as<CompressedOptions>().compressor,
                                       .invariant = Invariant::tracker_mean};
               },
           .make =
               [](const StrategyContext& context) {
                 return std::make_unique<CompressedTracking>(context, compressor_of(context));
               }}};
}

}  // namespace echelon::detail

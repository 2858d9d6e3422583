#include "echelon/consensus/compressed_exchange.hpp"
#include "strategies.hpp"

namespace echelon::detail {

namespace {

///     S <- S - a G;   S^ <- S^ + Q(S - S^);   S_i <- S_i + g sum_j w_ij (S^_j - S^_i)
///
/// with the consensus step g.
class Choco final : public ConsensusStrategy {
 public:
  Choco(const StrategyContext& context, const std::shared_ptr<const Compressor>& compressor)
      : consensus_step_(consensus_step(context, *compressor)),
        values_(context, "value", compressor) {}

  void begin(const AgentView& value) override { values_.begin(value); }

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const auto each_agent = [&](const auto& body) {
      parallel_for(static_cast<int>(value.cols()), body);
    };
    each_agent([&](int i) { value.col(i) -= step * direction.col(i); });
    values_.send(value);
    values_.receive();
    each_agent([&](int i) { value.col(i) += consensus_step_ * values_.difference().col(i); });
  }

  void visit_state(StateVisitor& visitor) override { visitor.within("messages", values_); }

 private:
  double consensus_step_;
  CompressedExchange values_;
};

}  // namespace

std::vector<StrategyEntry> choco_parts() {
  return {{.name = "choco",
           .summary =
               "gossip with compressed messages (CHOCO-SGD); biased on heterogeneous agents at "
               "constant steps",
           .recursion = "S <- S - a G;  S^ <- S^ + Q(S - S^);  S <- S + g (W - I) S^",
           .reference = "A. Koloskova, S. Stich, M. Jaggi, ICML 2019, arXiv:1902.00340",
           .aliases = {"choco-sgd", "choco-gossip"},
           .options = CompressedOptions{},
           .traits =
               [](const PartOptions& options) {
                 return StrategyTraits{.need = NetworkNeed::symmetric,
                                       .changing_network = false,
                                       .vectors_sent = 1,
                                       .compressor = options.as<CompressedOptions>().compressor,
                                       .exact_on_heterogeneous = false,
                                       .invariant = Invariant::mean_step};
               },
           .make =
               [](const StrategyContext& context) {
                 return std::make_unique<Choco>(context, compressor_of(context));
               }}};
}

}  // namespace echelon::detail

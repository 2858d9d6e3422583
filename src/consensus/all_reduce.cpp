#include "echelon/consensus/aggregation.hpp"
#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// S <- S - a mean(G), or what consensus.aggregation makes of G
class AllReduce final : public ConsensusStrategy {
 public:
  explicit AllReduce(const StrategyContext& context) : aggregate_(context) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const VectorXd& mean = aggregate_(direction);
    parallel_for(static_cast<int>(value.cols()), [&](int i) { value.col(i) -= step * mean; });
  }

  void visit_state(StateVisitor& visitor) override { aggregate_.visit_state(visitor); }

 private:
  Aggregator aggregate_;
};

}  // namespace

StrategyEntry all_reduce_entry() {
  return {
      .name = "all-reduce",
      .summary = "exact mean of the directions: the centralized method on sharded data",
      .recursion = "S <- S - a mean(G)",
      .reference = "",
      .need = NetworkNeed::nothing,
      .changing_network = true,
      .vectors_sent = 1,
      .personal = false,
      .aggregates = true,
      .attackable = true,
      .exact_on_heterogeneous = true,
      .projectable = true,
      .invariant = Invariant::mean_step,
      .make = [](const StrategyContext& context) { return std::make_unique<AllReduce>(context); }};
}

}  // namespace echelon::detail

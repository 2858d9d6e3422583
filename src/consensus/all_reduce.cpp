#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// S <- S - a mean(G)
class AllReduce final : public ConsensusStrategy {
 public:
  explicit AllReduce(Network& network) : network_(network) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    network_.mean(direction, mean_);
    parallel_for(static_cast<int>(value.cols()), [&](int i) { value.col(i) -= step * mean_; });
  }

 private:
  Network& network_;
  VectorXd mean_;
};

}  // namespace

StrategyEntry all_reduce_entry() {
  return {.name = "all-reduce",
          .summary = "exact mean of the directions: the centralized method on sharded data",
          .recursion = "S <- S - a mean(G)",
          .reference = "",
          .need = NetworkNeed::nothing,
          .changing_network = true,
          .vectors_sent = 1,
          .personal = false,
          .exact_on_heterogeneous = true,
          .projectable = true,
          .invariant = Invariant::mean_step,
          .make = [](const StrategyContext& context) {
            return std::make_unique<AllReduce>(context.network);
          }};
}

}  // namespace echelon::detail

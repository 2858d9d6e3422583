#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// S <- S - a mean(G), or what consensus.aggregation makes of G
class AllReduce final : public ConsensusStrategy {
 public:
  explicit AllReduce(const StrategyContext& context)
      : aggregate_(aggregator_of(context, context.options.as<ServerOptions>().aggregation)) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const VectorXd& mean = aggregate_(direction);
    parallel_for(static_cast<int>(value.cols()), [&](int i) { value.col(i) -= step * mean; });
  }

  void visit_state(StateVisitor& visitor) override { aggregate_.visit_state(visitor); }

 private:
  Aggregator aggregate_;
};

}  // namespace

std::vector<StrategyEntry> all_reduce_parts() {
  return {
      {.name = "all-reduce",
       .summary = "exact mean of the directions: the centralized method on sharded data",
       .recursion = "S <- S - a mean(G)",
       .reference = "",
       .aliases = {"allreduce", "centralized", "exact"},
       .options = ServerOptions{},
       .traits =
           [](const PartOptions& options) {
             return StrategyTraits{.has_server = true,
                                   .attendance = Attendance::any_clients,
                                   .averages_exactly = true,
                                   .robust = !options.as<ServerOptions>().aggregation->is_mean,
                                   .attackable = true,
                                   .invariant = Invariant::mean_step};
           },
       .require_tolerable =
           [](const PartOptions& options, const Network&, const Attack& attack,
              const std::string& where) {
             require_rule_tolerates(options.as<ServerOptions>().aggregation, attack, where);
           },
       .make =
           [](const StrategyContext& context) { return std::make_unique<AllReduce>(context); }}};
}

}  // namespace echelon::detail

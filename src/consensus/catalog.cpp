#include "strategies.hpp"

namespace echelon {

const std::vector<StrategyEntry>& strategy_catalog() {
  static const std::vector<StrategyEntry> entries = {
      detail::all_reduce_entry(), detail::gossip_atc_entry(), detail::gossip_cta_entry(),
      detail::gt_atc_entry(),     detail::gt_semi_entry(),    detail::gt_nonatc_entry(),
      detail::none_entry(),
  };
  return entries;
}

void require_served(const StrategyEntry& strategy, const Certificate& certificate,
                    const std::string& variable) {
  if (strategy.need == NetworkNeed::nothing || certificate.agents == 1) return;
  const auto refuse = [&](const char* problem, const char* suggestion) {
    fail(ErrorKind::usage, "consensus.", variable, ": the network cannot serve `", strategy.name,
         "` (", problem, "); ", suggestion);
  };
  if (!certificate.connected) {
    refuse("its graph is not connected, so some agents never hear of others",
           "add edges, or use `all-reduce` or `none`");
  }
  if (strategy.need == NetworkNeed::doubly_stochastic && !certificate.doubly_stochastic()) {
    refuse("its weights are not doubly stochastic, so the mean would drift",
           "use an undirected graph with network.weights = metropolis, or `all-reduce`");
  }
}

}  // namespace echelon

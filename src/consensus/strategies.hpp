#pragma once
/// The entries of the catalog, one per strategy; each lives in the file of its strategy.

#include <memory>
#include <string>
#include <utility>

#include "echelon/comm/mixer.hpp"
#include "echelon/consensus/strategy.hpp"

namespace echelon::detail {

StrategyEntry all_reduce_entry();
StrategyEntry gossip_atc_entry();
StrategyEntry gossip_cta_entry();
StrategyEntry gt_atc_entry();
StrategyEntry gt_semi_entry();
StrategyEntry gt_nonatc_entry();
StrategyEntry none_entry();

}  // namespace echelon::detail

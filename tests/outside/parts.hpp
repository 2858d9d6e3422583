#pragma once
// One part of each kind, each in a file of its own.
#include <echelon/echelon.hpp>

namespace outside {

echelon::ProblemEntry shifted_mean();
echelon::MethodEntry double_loop();
echelon::StrategyEntry lazy_gossip();
echelon::TopologyEntry wheel();
echelon::WeightsEntry timid();
echelon::CompressorEntry group_max();
echelon::EstimatorEntry window();
echelon::StepRuleEntry warm_up();
echelon::AggregationEntry norm_clipped();
echelon::AttackEntry constant_attack();
echelon::PolicyEntry first_part();
echelon::Preset double_loop_on_wheel();

void add_parts();

}  // namespace outside

#include "parts.hpp"

void outside::add_parts() {
  echelon::problem_catalog().add(shifted_mean());
  echelon::method_catalog().add(double_loop());
  echelon::strategy_catalog().add(lazy_gossip());
  echelon::topology_catalog().add(wheel());
  echelon::weights_catalog().add(timid());
  echelon::compressor_catalog().add(group_max());
  echelon::estimator_catalog().add(window());
  echelon::step_rule_catalog().add(warm_up());
  echelon::aggregation_catalog().add(norm_clipped());
  echelon::attack_catalog().add(constant_attack());
  echelon::policy_catalog().add(first_part());
  echelon::preset_catalog().add(double_loop_on_wheel());
}

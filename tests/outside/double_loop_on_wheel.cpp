#include "parts.hpp"

echelon::Preset outside::double_loop_on_wheel() {
  return {.name = "double-loop-on-wheel",
          .summary = "double-loop with gradient tracking, lower level by lazy gossip, on a wheel",
          .reference = "",
          .origin = echelon::Preset::Origin::own,
          .settings = {{"method.name", "double-loop"},
                       {"method.inner_steps", "5"},
                       {"network.topology", "wheel"},
                       {"network.weights", "timid"},
                       {"consensus.strategy", "gt-atc"},
                       {"consensus.auxiliary", "lazy-gossip"}},
          .note = ""};
}

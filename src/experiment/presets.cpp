#include "preset_settings.hpp"

namespace echelon {

PartList<Preset>& preset_catalog() {
  static PartList<Preset> presets("preset", [] {
    std::vector<Preset> all = detail::decentralized_presets();
    for (auto part : {detail::federated_presets(), detail::centralized_presets()}) {
      for (Preset& preset : part) all.push_back(std::move(preset));
    }
    return all;
  }());
  return presets;
}

}  // namespace echelon

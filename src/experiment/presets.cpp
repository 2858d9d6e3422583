#include "preset_settings.hpp"

namespace echelon {

const std::vector<Preset>& preset_catalog() {
  static const std::vector<Preset> entries = [] {
    std::vector<Preset> all = detail::decentralized_presets();
    for (auto part : {detail::federated_presets(), detail::centralized_presets()}) {
      for (Preset& preset : part) all.push_back(std::move(preset));
    }
    return all;
  }();
  return entries;
}

}  // namespace echelon

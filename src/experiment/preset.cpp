#include "echelon/experiment/preset.hpp"

namespace echelon {

namespace {

struct PresetOption {
  std::string preset;

  void visit(OptionVisitor& visitor) { visitor("preset", preset, ""); }
};

}  // namespace

std::string origin_text(Preset::Origin origin) {
  switch (origin) {
    case Preset::Origin::published:
      return "composition as published";
    case Preset::Origin::released:
      return "composition as in the authors' released code";
    case Preset::Origin::reconstructed:
      return "reconstruction: complete and tested, but details may differ from the paper";
    default:
      return "a composition of Echelon's own";
  }
}

void apply_preset(Configuration& configuration) {
  PresetOption option;
  Configuration(configuration)
      .read("run", option);  // the option is declared with the others of its section
  if (option.preset.empty()) return;
  const Preset& preset = preset_catalog().at(option.preset);
  for (const auto& [key, value] : preset.settings) {
    configuration.suggest(key, value, "preset " + preset.name);
  }
}

}  // namespace echelon

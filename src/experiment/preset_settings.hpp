#pragma once
/// Words in which the table of presets is written.

#include <string>
#include <utility>
#include <vector>

#include "echelon/experiment/preset.hpp"

namespace echelon::detail {

using Settings = std::vector<std::pair<std::string, std::string>>;
using Origin = Preset::Origin;

inline Settings operator+(Settings a, const Settings& b) {
  for (const auto& [key, value] : b) {
    bool replaced = false;
    for (auto& [known, old] : a) {
      if (known != key) continue;
      old = value;
      replaced = true;
    }
    if (!replaced) a.emplace_back(key, value);
  }
  return a;
}

inline Settings method(const std::string& name) {
  return {{"method.name", name}};
}

/// One strategy for all variables.
inline Settings all_by(const std::string& strategy) {
  return {{"consensus.strategy", strategy}};
}

/// x by one strategy, y and its auxiliaries by another.
inline Settings x_and_lower_by(const std::string& x, const std::string& lower) {
  return {{"consensus.strategy", lower}, {"consensus.x", x}};
}

/// The lower level is each agent's own; only x travels.
inline Settings personal_by(const std::string& x) {
  return {{"consensus.strategy", x}, {"consensus.y", "none"}};
}

/// The penalty method with a fixed weight, one inner step, and steps for lower levels of unit
/// scale.
inline Settings fixed_penalty() {
  return {{"method.name", "f2sa"},     {"method.lambda", "100"}, {"method.lambda_increment", "0"},
          {"method.inner_steps", "1"}, {"method.alpha", "0.02"}, {"method.beta", "0.1"},
          {"method.gamma", "0.1"}};
}

std::vector<Preset> decentralized_presets();
std::vector<Preset> federated_presets();
std::vector<Preset> centralized_presets();

}  // namespace echelon::detail

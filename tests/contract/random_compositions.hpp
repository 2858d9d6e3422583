#pragma once
/// Compositions drawn at random from every catalog, valid and not.

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "compositions.hpp"
#include "echelon/core/random.hpp"

namespace echelon::testing_support {

/// The same number gives the same composition. Parts are drawn by name from the catalogs, each of
/// their options with a small probability, with values in range.
class RandomComposition {
 public:
  explicit RandomComposition(std::uint64_t number) : draws_(17, Purpose::problem_data, 0, number) {
    settings_ = {{"network.agents", std::to_string(2 + draws_.below(9))},
                 {"run.iterations", "5"},
                 {"metrics.every", std::to_string(1 + draws_.below(5))},
                 {"run.seed", std::to_string(1 + draws_.below(100))}};
    draw_problem();
    draw_part(method_catalog(), "method", "name", 1);
    draw_part(strategy_catalog(), "consensus", "strategy", 0.8);
    draw_part(strategy_catalog(), "consensus", "x", 0.2);
    draw_part(strategy_catalog(), "consensus", "y", 0.2);
    draw_part(strategy_catalog(), "consensus", "auxiliary", 0.1);
    draw_part(strategy_catalog(), "consensus-y", "strategy", 0, 0.1);
    draw_part(compressor_catalog(), "consensus", "compressor", 0.1);
    draw_part(aggregation_catalog(), "consensus", "aggregation", 0.1);
    draw_part(estimator_catalog(), "estimator", "name", 0.4);
    draw_part(step_rule_catalog(), "steps", "rule", 0.15);
    draw_part(attack_catalog(), "attack", "kind", 0.1);
    draw_part(topology_catalog(), "network", "topology", 0.6);
    draw_part(weights_catalog(), "network", "weights", 0.2);
    draw_options(TopologyOptions(), "network", 0.03);
    if (chance(0.2)) draw_participation();
    if (chance(0.05)) settings_["problem.tikhonov"] = "0.1";
    if (chance(0.2)) settings_["metrics.baselines"] = "yes";
  }

  const Settings& settings() const { return settings_; }
  std::string text() const {
    std::string all;
    for (const auto& [key, value] : settings_) all += " --" + key + " " + value;
    return all;
  }

 private:
  bool chance(double probability) { return draws_.uniform() < probability; }

  void draw_problem() {
    const std::vector<std::string> quick{"quadratic", "p-q",   "analytic",         "finite-sum",
                                         "log-cosh",  "ridge", "sparse-regression"};
    for (const auto& [key, value] : small_problem(quick[draws_.below(quick.size())])) {
      settings_[key] = value;
    }
    if (chance(0.2)) settings_["problem.noise"] = "0.1";
  }

  /// With probability `named` the key names a part. Each option of that part, or with probability
  /// `stray` of any part, is given with probability 0.15.
  template <class Entry>
  void draw_part(const PartList<Entry>& list, const std::string& section, const std::string& key,
                 double named, double stray = 0.02) {
    const bool names = chance(named);
    if (!names && !chance(stray)) return;
    const std::vector<std::string> all = list.names();
    const Entry& entry = list.at(all[draws_.below(all.size())]);
    if (entry.name == "file") return;
    if (names) settings_[section + "." + key] = entry.name;
    draw_options(entry.options, section, 0.15);
  }

  template <class Options>
  void draw_options(const Options& options, const std::string& section, double probability) {
    for (const OptionDescription& option : describe_options(options)) {
      if (!chance(probability) || option.operational) continue;
      const std::string value = value_for(option);
      if (!value.empty()) settings_[section + "." + option.name] = value;
    }
  }

  std::string value_for(const OptionDescription& option) {
    if (option.type == "yes/no") return chance(0.5) ? "yes" : "no";
    if (option.type == "integer" || option.type == "number") {
      double value = 0;
      std::from_chars(option.value.data(), option.value.data() + option.value.size(), value);
      if (option.type == "integer") {
        const auto near =
            static_cast<std::int64_t>(value) + static_cast<std::int64_t>(draws_.below(4));
        return std::to_string(std::clamp<std::int64_t>(near - 1, 1, 12));
      }
      return number_text(value == 0 ? 0.1 : value * (0.5 + 0.5 * draws_.uniform()));
    }
    if (option.type == "text" || option.type == "name") return "";
    std::vector<std::string> words;
    for (std::size_t begin = 0; begin < option.type.size();) {
      const std::size_t end = std::min(option.type.find(" | ", begin), option.type.size());
      words.push_back(option.type.substr(begin, end - begin));
      begin = end + 3;
    }
    return words[draws_.below(words.size())];
  }

  void draw_participation() {
    if (chance(0.6)) {
      settings_["consensus.strategy"] = chance(0.5) ? "local-server" : "local-server-cv";
    }
    if (chance(0.6)) settings_["participation.clients"] = std::to_string(2 + draws_.below(30));
    draw_part(policy_catalog(), "participation", "policy", 0.3);
    draw_options(ParticipationOptions(), "participation", 0.1);
  }

  Draws draws_;
  Settings settings_;
};

}  // namespace echelon::testing_support

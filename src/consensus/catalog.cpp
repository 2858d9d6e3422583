#include "strategies.hpp"

namespace echelon {

namespace detail {
std::vector<StrategyEntry> built_in_strategies();
}

namespace {

/// Strategies with their default options that `fit`, for messages.
template <class Fit>
std::string names_where(const Fit& fit) {
  std::string names;
  for (const StrategyEntry& entry : strategy_catalog()) {
    if (fit(entry.traits(entry.options))) names += (names.empty() ? "" : ", ") + entry.name;
  }
  return names;
}

}  // namespace

void detail::require_network(NetworkNeed need, bool changing_network,
                             const Certificate& certificate, const std::string& where,
                             const std::string& who) {
  if (need == NetworkNeed::nothing || certificate.agents == 1) return;
  const auto refuse = [&](const char* problem, const char* suggestion) {
    fail(ErrorKind::usage, where, ": the network cannot serve ", who, " (", problem, "); ",
         suggestion);
  };
  if (!certificate.connected) {
    refuse("its graph is not connected, so some agents never hear of others",
           "add edges, or use `all-reduce` or `none`");
  }
  if (!changing_network && certificate.period != 1) {
    refuse("it changes from round to round, and the recursion is exact for one matrix only",
           "use a fixed network, or `gt-atc`, `push-pull` or `gossip-atc`");
  }
  if (need == NetworkNeed::connected) return;
  if (!certificate.doubly_stochastic()) {
    refuse("its weights are not doubly stochastic, so the mean would drift",
           "use `push-pull`, or an undirected graph with network.weights = metropolis");
  }
  if (need == NetworkNeed::symmetric && !certificate.symmetric) {
    refuse("its weights are not symmetric",
           "use `gt-atc` or `push-pull`, or an undirected graph with network.weights = metropolis");
  }
}

PartList<StrategyEntry>& strategy_catalog() {
  static PartList<StrategyEntry> parts("consensus strategy", detail::built_in_strategies());
  return parts;
}

void detail::require_rule_tolerates(const Chosen<AggregationEntry>& rule, const Attack& attack,
                                    const std::string& where) {
  if (!rule->require_tolerable) return;
  rule->require_tolerable(rule.options(), attack.attackers(), attack.agents(), where);
}

void require_bearable(const Chosen<StrategyEntry>& strategy, const Network& network,
                      const Attack* attack, const std::string& variable) {
  const StrategyTraits traits = traits_of(strategy);
  if (traits.personal || attack == nullptr) return;
  const std::string where = "consensus." + variable;
  require(traits.attackable, ErrorKind::usage, where, ": attacks on consensus strategy `",
          strategy->name, "` are not simulated; choose one of ",
          names_where([](const StrategyTraits& other) { return other.attackable; }));
  attack->require_simulable(traits.has_server, where);
  if (strategy->require_tolerable) {
    strategy->require_tolerable(strategy.options(), network, *attack, where);
  }
}

void require_served(const Chosen<StrategyEntry>& strategy, const Certificate& certificate,
                    const std::string& variable) {
  const StrategyTraits traits = traits_of(strategy);
  if (traits.need == NetworkNeed::nothing || certificate.agents == 1) return;
  const std::string where = "consensus." + variable;
  detail::require_network(traits.need, traits.changing_network, certificate, where,
                          "`" + strategy->name + "`");
  if (strategy->require_served) strategy->require_served(strategy.options(), certificate, where);
}

}  // namespace echelon

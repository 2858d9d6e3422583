#include <algorithm>
#include <cmath>
#include <set>

#include "strategies.hpp"

namespace echelon {

namespace {

/// Smallest eigenvalue (for Chebyshev polynomials: a lower bound) of what `options` make of W.
double smallest_eigenvalue_mixed(const StrategyOptions& options, const Certificate& certificate) {
  const auto rounds = static_cast<double>(options.mixing_rounds);
  if (options.mixing_rounds == 1) return certificate.smallest_eigenvalue;
  if (options.chebyshev) {  // |T_t| <= 1 where W / b has its other eigenvalues
    const double b = certificate.second_eigenvalue;
    return b > 0 ? -1 / std::cosh(rounds * std::acosh(1 / b)) : 0;
  }
  return std::pow(certificate.smallest_eigenvalue, rounds);
}

/// The two-point recursions have the roots w +- sqrt(w^2 - w) for an eigenvalue w of what they mix
/// with: inside the unit circle for -1/3 < w < 1.
void require_stable_unlazified(const StrategyEntry& strategy, const StrategyOptions& options,
                               const Certificate& certificate, const std::string& variable) {
  if (options.lazy || (strategy.name != "extra" && strategy.name != "exact-diffusion")) return;
  const double smallest = smallest_eigenvalue_mixed(options, certificate);
  constexpr double rounding = 1e-9;
  require(smallest > -1.0 / 3 + rounding, ErrorKind::usage, "consensus.", variable,
          ": the network cannot serve `", strategy.name,
          "` without laziness (the smallest eigenvalue of its matrix is ", smallest,
          ", and at -1/3 or below disagreement grows); use lazy = yes, or network.lazy = yes");
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

const std::vector<StrategyEntry>& strategy_catalog() {
  static const std::vector<StrategyEntry> entries = {
      detail::all_reduce_entry(),      detail::gossip_atc_entry(),
      detail::gossip_cta_entry(),      detail::gt_atc_entry(),
      detail::gt_semi_entry(),         detail::gt_nonatc_entry(),
      detail::extra_entry(),           detail::exact_diffusion_entry(),
      detail::push_pull_entry(),       detail::push_sum_entry(),
      detail::push_diging_entry(),     detail::compressed_tracking_entry(),
      detail::choco_entry(),           detail::local_server_entry(),
      detail::local_server_cv_entry(), detail::stale_server_entry(),
      detail::clipped_gossip_entry(),  detail::none_entry(),
  };
  return entries;
}

namespace {

/// Honest agents must hear of each other without attackers, over the rounds until the network
/// repeats, and hear attackers with little weight.
void require_honest_network(const StrategyOptions& options, const Network& network,
                            const Attack& attack, const std::string& where) {
  const MixingSchedule& schedule = network.schedule();
  const std::uint64_t rounds = std::clamp<std::uint64_t>(schedule.period(), 1, 64);
  double most = 0;
  std::vector<std::set<AgentId>> hears(static_cast<std::size_t>(network.size()));
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto matrix = schedule.at(round, Weights::given);
    for (AgentId i = 0; i < network.size(); ++i) {
      if (attack.attacks(i)) continue;
      double weight = 0;
      for (const auto& entry : matrix->row(i)) {
        if (attack.attacks(entry.sender)) {
          weight += entry.weight;
        } else {
          hears[static_cast<std::size_t>(entry.sender)].insert(i);
        }
      }
      most = std::max(most, weight);
    }
  }
  constexpr double rounding = 1e-9;
  require(most <= options.trimmed_fraction + rounding, ErrorKind::usage, where,
          ": clipped-gossip does not bear attackers that have ", most,
          " of the weight at an agent (trimmed_fraction = ", options.trimmed_fraction,
          "); use a denser network, fewer attackers, or a larger trimmed_fraction");
  std::vector<AgentId> reached;
  std::set<AgentId> seen;
  for (AgentId i = 0; i < network.size() && reached.empty(); ++i) {
    if (!attack.attacks(i)) reached.push_back(i);
  }
  seen.insert(reached.begin(), reached.end());
  for (std::size_t next = 0; next < reached.size(); ++next) {
    for (const AgentId i : hears[static_cast<std::size_t>(reached[next])]) {
      if (seen.insert(i).second) reached.push_back(i);
    }
  }
  require(static_cast<AgentId>(seen.size()) == network.size() - attack.attackers(),
          ErrorKind::usage, where,
          ": clipped-gossip cannot bring honest agents together that hear of each other through "
          "attackers only; use a denser network, or another run.seed");
}

}  // namespace

void require_bearable(const StrategyEntry& strategy, const StrategyOptions& options,
                      const Network& network, const Attack* attack, const std::string& variable) {
  if (strategy.personal) return;
  const std::string where = "consensus." + variable;
  const bool is_mean = options.aggregation == "mean";
  require(is_mean || strategy.aggregates, ErrorKind::usage, where, ": consensus strategy `",
          strategy.name, "` has no server that could take a ", options.aggregation,
          "; choose all-reduce, local-server, local-server-cv or stale-server, or aggregation = "
          "mean");
  if (attack == nullptr) return;
  require(strategy.attackable, ErrorKind::usage, where, ": attacks on consensus strategy `",
          strategy.name,
          "` are not simulated; choose all-reduce, local-server, local-server-cv, stale-server, "
          "gossip-atc or clipped-gossip");
  require(!attack->needs_neighbors() || !strategy.aggregates, ErrorKind::usage, where,
          ": attack.kind = dissensus is for agents with neighbors, and `", strategy.name,
          "` has a server; choose gossip-atc or clipped-gossip, or another attack");
  if (strategy.name == "clipped-gossip") {
    require_honest_network(options, network, *attack, where);
  }
  if (is_mean) return;
  require(2 * attack->attackers() < network.size(), ErrorKind::usage, where, ": ",
          options.aggregation,
          " bears fewer attackers than half of the agents, and attack.fraction "
          "makes ",
          attack->attackers(), " of ", network.size(), "; choose a smaller one");
  constexpr double rounding = 1e-9;
  const double trimmed = options.trimmed_fraction * network.size();
  require((options.aggregation != "trimmed-mean" && !options.mix_nearest) ||
              trimmed + rounding >= attack->attackers(),
          ErrorKind::usage, where, ": ", options.aggregation,
          " with trimmed_fraction = ", options.trimmed_fraction, " bears ", trimmed, " of ",
          network.size(), " agents as attackers, and attack.fraction makes ", attack->attackers(),
          "; choose a larger trimmed_fraction");
}

void require_served(const StrategyEntry& strategy, const StrategyOptions& options,
                    const Certificate& certificate, const std::string& variable) {
  if (strategy.need == NetworkNeed::nothing || certificate.agents == 1) return;
  detail::require_network(strategy.need, strategy.changing_network, certificate,
                          "consensus." + variable, "`" + strategy.name + "`");
  require_stable_unlazified(strategy, options, certificate, variable);
}

}  // namespace echelon

#include <cmath>

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
      detail::all_reduce_entry(),
      detail::gossip_atc_entry(),
      detail::gossip_cta_entry(),
      detail::gt_atc_entry(),
      detail::gt_semi_entry(),
      detail::gt_nonatc_entry(),
      detail::extra_entry(),
      detail::exact_diffusion_entry(),
      detail::push_pull_entry(),
      detail::push_sum_entry(),
      detail::push_diging_entry(),
      detail::compressed_tracking_entry(),
      detail::choco_entry(),
      detail::local_server_entry(),
      detail::local_server_cv_entry(),
      detail::stale_server_entry(),
      detail::none_entry(),
  };
  return entries;
}

void require_served(const StrategyEntry& strategy, const StrategyOptions& options,
                    const Certificate& certificate, const std::string& variable) {
  if (strategy.need == NetworkNeed::nothing || certificate.agents == 1) return;
  detail::require_network(strategy.need, strategy.changing_network, certificate,
                          "consensus." + variable, "`" + strategy.name + "`");
  require_stable_unlazified(strategy, options, certificate, variable);
}

}  // namespace echelon

#include "echelon/experiment/judge.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "echelon/experiment/cost.hpp"
#include "echelon/topology/certificate.hpp"
#include "trial.hpp"

namespace echelon {

namespace {

constexpr Role all_roles[] = {Role::upper, Role::lower, Role::auxiliary};

/// What rules look at.
struct Case {
  const GeneralOptions& general;
  const JudgedNetworks& networks;
  const std::set<Role>& moved;  ///< roles of the variables that strategies move

  /// Of the network, or as many as the options say where it is not known.
  AgentId agents() const {
    return networks.common != nullptr ? networks.common->agents()
                                      : static_cast<AgentId>(general.network.agents);
  }
  SharedSchedule network_of(Role role) const {
    const auto own = networks.of_role.find(role);
    return own == networks.of_role.end() ? networks.common : own->second;
  }
};

/// A rule throws a usage error where it is broken.
struct Rule {
  std::vector<std::string> keys;
  std::function<void(const Case&)> check;
};

void networks_fit_their_options(const Case& at) {
  judge(at.general.network);
  for (const auto& [role, own] : at.general.networks) judge(own);
}

void lower_level_is_shared_or_personal(const Case& at) {
  at.general.consensus.personal();
}

void upper_variable_is_agreed_on(const Case& at) {
  const StrategyTraits traits = at.general.consensus.traits(Role::upper);
  require(!traits.personal || at.agents() == 1, ErrorKind::usage, "consensus.x is `",
          at.general.consensus.entry(Role::upper).name,
          "` (the upper variable is what agents agree on); choose consensus.x = gt-atc, and "
          "consensus.y = none for a personal lower level");
}

void networks_serve_their_strategies(const Case& at) {
  for (const Role role : at.moved) {
    const SharedSchedule schedule = at.network_of(role);
    if (schedule == nullptr) continue;
    require_served(at.general.consensus.of(role), certify(*schedule), role_name(role));
  }
}

/// Only a server can do without some of the agents' answers.
void strategies_fit_rounds(const Case& at) {
  if (at.networks.common == nullptr) return;
  const AgentId seats = at.networks.common->agents();
  if (!at.general.participation.is_on(seats)) return;
  const ConsensusOptions& consensus = at.general.consensus;
  ParticipationOptions options = at.general.participation;
  options.availability.clear();  // files are read where the run is made
  options.speeds.clear();
  const bool asynchronous = options.is_asynchronous();
  const RoundShape shape{.local_steps = asynchronous ? 1 : consensus.local_steps()};
  const Participation participation(options, seats, shape, 1);
  for (const Role role : all_roles) {
    const StrategyEntry& strategy = consensus.entry(role);
    const Attendance attendance = consensus.traits(role).attendance;
    if (asynchronous) {
      require(attendance == Attendance::late_answers, ErrorKind::usage, "consensus strategy `",
              strategy.name, "` of ", role_name(role),
              " waits for all agents; with participation.policy = bounded-staleness choose "
              "consensus.strategy = stale-server");
      continue;
    }
    const bool fits = attendance == Attendance::some_answers ||
                      (attendance == Attendance::any_clients && participation.is_full());
    require(fits, ErrorKind::usage, "consensus strategy `", strategy.name, "` of ", role_name(role),
            " needs every agent at every step (section participation lets some stay away, or "
            "others sit down); choose consensus.strategy = local-server or local-server-cv");
  }
}

void plain_means_meet_no_attackers(const Case& at) {
  const GeneralOptions& general = at.general;
  bool robust = !general.consensus.means.aggregation->is_mean;
  for (const Role role : at.moved) robust = robust || general.consensus.traits(role).robust;
  if (!robust && !make_attack(general.attack, at.agents(), 1)) return;
  GeneralOptions with_constant_steps = general;
  with_constant_steps.steps = GeneralOptions().steps;
  require_protected(*general.method, cost_of(with_constant_steps).takes_plain_means, general.steps);
}

/// What parts refuse when they are made, or in the first iterations.
void parts_work_together(const Case& at) {
  detail::run_trial(at.general, 16, 16);
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all{
      {{"network.topology", "network.weights"}, networks_fit_their_options},
      {{"consensus.y", "consensus.auxiliary"}, lower_level_is_shared_or_personal},
      {{"consensus.x"}, upper_variable_is_agreed_on},
      {{"consensus.strategy", "network.topology", "network.weights"},
       networks_serve_their_strategies},
      {{"consensus.strategy", "participation.policy"}, strategies_fit_rounds},
      {{"method.name", "attack.kind", "consensus.aggregation", "steps.rule"},
       plain_means_meet_no_attackers},
      {{"method.name", "consensus.strategy", "estimator.name"}, parts_work_together},
  };
  return all;
}

}  // namespace

std::vector<Finding> judge(const GeneralOptions& general, const JudgedNetworks& networks) {
  const Case at{general, networks, general.consensus.moved};
  std::vector<Finding> findings;
  for (const Rule& rule : rules()) {
    try {
      rule.check(at);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::usage) throw;
      const std::string what = error.what();
      const bool known = std::any_of(findings.begin(), findings.end(),
                                     [&](const Finding& other) { return other.text == what; });
      if (!known) findings.push_back({what, rule.keys});
    }
  }
  return findings;
}

std::vector<Finding> judge(const Configuration& configuration) {
  Configuration copy = configuration;
  GeneralOptions general;
  general.read_from(copy);
  std::vector<Finding> findings;
  const auto add = [&](const std::string& text, const std::vector<std::string>& keys) {
    const bool known = std::any_of(findings.begin(), findings.end(),
                                   [&](const Finding& other) { return other.text == text; });
    if (!known) findings.push_back({text, keys});
  };
  try {
    copy.require_all_read(part_axes(general));
  } catch (const Error& error) {
    add(error.what(), {});
  }
  JudgedNetworks networks;
  const bool is_file = &*general.network.topology == &file_topology();
  try {
    if (!is_file) networks.common = make_schedule(general.network);
  } catch (const Error& error) {
    add(error.what(), {"network.topology"});
  }
  for (const Finding& finding : judge(general, networks)) add(finding.text, finding.keys);
  return findings;
}

void require_sound(const std::vector<Finding>& findings) {
  if (findings.empty()) return;
  std::string all;
  for (const Finding& finding : findings) all += (all.empty() ? "" : "\n") + finding.text;
  fail(ErrorKind::usage, all);
}

bool is_exact(const GeneralOptions& general) {
  const std::set<Role>& moved = general.consensus.moved;
  return std::all_of(moved.begin(), moved.end(), [&](Role role) {
    return general.consensus.traits(role).exact_on_heterogeneous;
  });
}

}  // namespace echelon

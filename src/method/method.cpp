#include "echelon/method/method.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "echelon/core/catalog.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon {

namespace {

/// Names in section `consensus`.
struct StrategyNames {
  std::string strategy = "gt-atc";
  std::string x{}, y{}, auxiliary{};

  void visit(OptionVisitor& visitor) {
    const auto name = [&](std::string_view key, std::string& value, std::string_view help) {
      visitor.part(
          key, value, strategy_catalog().names(),
          [](const std::string& word) { return strategy_catalog().at(word).name; }, help);
    };
    name("strategy", strategy, "how directions become agreed steps (`echelon list consensus`)");
    name("x", x, "strategy of the upper variable; empty: as consensus.strategy");
    name("y", y,
         "strategy of the lower variable; empty: as consensus.strategy; `none` = personal lower "
         "level");
    name("auxiliary", auxiliary, "strategy of the lower auxiliaries (z, v); empty: as y");
  }
};

std::string section_of(Role role) {
  return "consensus-" + role_name(role);
}

/// Options of one variable.
template <class Options>
void read_options(Configuration& configuration, Role role, Options& options) {
  if (configuration.has_section(section_of(role))) {
    configuration.read(section_of(role), options, "consensus");
  } else {
    configuration.read("consensus", options);
  }
}

double decayed(double exponent, const StepSchedule& schedule, std::uint64_t k) {
  const double since = std::max(0.0, static_cast<double>(k) - schedule.decay_start);
  return exponent == 0 ? 1.0 : std::pow(1.0 + since / schedule.decay_offset, -exponent);
}

}  // namespace

std::string role_name(Role role) {
  switch (role) {
    case Role::upper:
      return "x";
    case Role::lower:
      return "y";
    default:
      return "auxiliary";
  }
}

void ConsensusOptions::read_from(Configuration& configuration, const MethodEntry& method,
                                 const std::set<Role>& roles) {
  StrategyNames names;
  configuration.read("consensus", names);
  const auto chosen = [](const std::string& name, const std::string& otherwise) {
    return Chosen<StrategyEntry>(strategy_catalog(), name.empty() ? otherwise : name);
  };
  upper = chosen(names.x, names.strategy);
  lower = chosen(names.y, names.strategy);
  auxiliary = chosen(names.auxiliary, lower->name);
  if (method.means_first && !method.always_exact) {
    if (all_reduced()) {
      ServerOptions exact;
      configuration.read("consensus", exact);
      means.aggregation = exact.aggregation;
    } else {
      configuration.read("consensus", means.mixing);
      for (const Role role : {Role::upper, Role::lower, Role::auxiliary}) {
        if (roles.count(role) > 0 || !configuration.has_section(section_of(role))) continue;
        read_options(configuration, role, mixing_of_means[role]);
      }
    }
  }
  moved = roles;
  for (const Role role : roles) read_options(configuration, role, of(role).options());
}

std::int64_t ConsensusOptions::local_steps() const {
  return traits(moved.count(Role::upper) > 0 ? Role::upper : Role::lower).local_steps;
}

const Chosen<StrategyEntry>& ConsensusOptions::of(Role role) const {
  return role == Role::upper ? upper : role == Role::lower ? lower : auxiliary;
}

Chosen<StrategyEntry>& ConsensusOptions::of(Role role) {
  return role == Role::upper ? upper : role == Role::lower ? lower : auxiliary;
}

const MixingOptions& ConsensusOptions::mixing_along_means(Role role) const {
  const auto own = mixing_of_means.find(role);
  return own == mixing_of_means.end() ? means.mixing : own->second;
}

bool ConsensusOptions::personal() const {
  const bool is_personal = traits(Role::lower).personal;
  require(is_personal == traits(Role::auxiliary).personal, ErrorKind::usage, "consensus.y is `",
          lower->name, "` but consensus.auxiliary is `", auxiliary->name,
          "` (a personal lower level has personal auxiliaries); give both `none`, or neither");
  return is_personal;
}

bool ConsensusOptions::all_reduced() const {
  return traits(Role::upper).averages_exactly && traits(Role::lower).averages_exactly;
}

std::unique_ptr<GradientEstimator> MethodContext::make_estimator(
    const std::vector<Index>& outputs, const std::vector<Index>& arguments, bool collective) const {
  const Index q = problem.lower_dimension();
  const std::vector<Index> usual{problem.upper_dimension(), q, q};
  return echelon::make_estimator(
      estimator, {outputs, arguments.empty() ? usual : arguments, network.agents().local,
                  problem.sub_batch_seed(), &problem, seed, collective, participation});
}

Network& MethodContext::network_of(Role role) const {
  const auto own = networks.find(role);
  return own == networks.end() ? network : *own->second;
}

ConsensusVariable MethodContext::variable(std::string name, const VectorXd& start, Role role,
                                          FeasibleSet set) const {
  roles->insert(role);
  return stepping(ConsensusVariable(network_of(role), std::move(name), start, consensus.of(role),
                                    seed, std::move(set), participation, attack),
                  role);
}

ConsensusVariable MethodContext::stepping(ConsensusVariable variable, Role role) const {
  const StepRule::Place place = role == Role::upper   ? StepRule::Place::upper
                                : role == Role::lower ? StepRule::Place::lower
                                                      : StepRule::Place::auxiliary;
  variable.use(make_step_rule(steps, {network, variable.name(), place, step_memory}));
  return variable;
}

ConsensusVariable MethodContext::upper_variable(std::string name) const {
  return upper_variable(std::move(name), problem.upper_set());
}

ConsensusVariable MethodContext::upper_variable(std::string name, FeasibleSet set) const {
  require(!consensus.traits(Role::upper).personal || network.size() == 1, ErrorKind::usage,
          "consensus.x is `", consensus.upper->name,
          "` (the upper variable is what agents agree on); choose consensus.x = gt-atc, and "
          "consensus.y = none for a personal lower level");
  return variable(std::move(name), problem.start_x(), Role::upper, std::move(set));
}

ConsensusVariable MethodContext::lower_variable(std::string name) const {
  return variable(std::move(name), problem.start_y(), Role::lower, problem.lower_set());
}

ConsensusVariable MethodContext::lower_copy(std::string name) const {
  return variable(std::move(name), problem.start_y(), Role::auxiliary, problem.lower_set());
}

ConsensusVariable MethodContext::auxiliary_variable(std::string name, const VectorXd& start) const {
  return variable(std::move(name), start, Role::auxiliary);
}

bool MethodContext::exact_means() const {
  require(
      !consensus.personal(), ErrorKind::usage,
      "consensus.y = none: this method combines means over all agents of lower-level quantities "
      "(a personal lower level has none); choose consensus.y = all-reduce, or a method such as "
      "f2ba or soba");
  return consensus.all_reduced();
}

MethodContext MethodContext::with_exact_means() const {
  exact_means();  // refuses a personal lower level
  MethodContext exact = *this;
  exact.consensus = ConsensusOptions("all-reduce");
  return exact;
}

MeanTracker MethodContext::mean_tracker(std::string name, const std::vector<Index>& heights) const {
  return {network, std::move(name), heights, exact_means(), consensus.means, attack};
}

ConsensusVariable MethodContext::variable_of_means(std::string name, const VectorXd& start,
                                                   Role role, FeasibleSet set) const {
  Chosen<StrategyEntry> strategy(strategy_catalog(), "none");
  if (!exact_means()) {
    strategy = {strategy_catalog(), "gossip-atc", consensus.mixing_along_means(role)};
  }
  return {network_of(role), std::move(name), start, strategy, seed, std::move(set)};
}

ConsensusVariable MethodContext::upper_variable_of_means(std::string name) const {
  return variable_of_means(std::move(name), problem.start_x(), Role::upper, problem.upper_set());
}

ConsensusVariable MethodContext::lower_variable_of_means(std::string name) const {
  return variable_of_means(std::move(name), problem.start_y(), Role::lower, problem.lower_set());
}

ConsensusVariable MethodContext::auxiliary_variable_of_means(std::string name) const {
  return variable_of_means(std::move(name), VectorXd::Zero(problem.lower_dimension()),
                           Role::auxiliary, {});
}

ConsensusVariable MethodContext::multiplier_of_means(std::string name, FeasibleSet set) const {
  return variable_of_means(std::move(name), VectorXd::Zero(1), Role::lower, std::move(set));
}

ExactMean::ExactMean(const MethodContext& context, bool alone)
    : network_(context.network), keeps_own_(alone || context.consensus.personal()) {}

void ExactMean::operator()(AgentView& block) {
  if (keeps_own_) return;
  network_.mean(block, mean_);
  parallel_for(static_cast<int>(block.cols()), [&](int i) { block.col(i) = mean_; });
}

std::unique_ptr<Method> make_method(const MethodEntry& entry, const MethodContext& context,
                                    Configuration& configuration) {
  PartOptions options = entry.options;
  configuration.read("method", options);
  return entry.make(context, options);
}

void require_served(const MethodEntry& method, const BilevelProblem& problem) {
  const LowerLevel& serves = method.serves;
  const LinearConstraints* constraints = problem.lower_constraints();
  const bool equal = constraints != nullptr && constraints->kind == LinearConstraints::Kind::equal;
  const bool at_most = constraints != nullptr && !equal;
  const auto check = [&](bool good, const std::string& what, bool LowerLevel::*feature) {
    if (good) return;
    std::string others;
    for (const MethodEntry& entry : method_catalog()) {
      if (!(entry.serves.*feature)) continue;
      others += (others.empty() ? "" : ", ") + entry.name;
    }
    fail(ErrorKind::usage, "method.name = ", method.name, ": ", what,
         "; methods that do: ", others);
  };
  check(problem.lower_set().is_whole_space() || serves.set,
        text("the lower level is kept in ", problem.lower_set().text(),
             ", onto which this method does not project"),
        &LowerLevel::set);
  check(!problem.has_nonsmooth_term() || serves.nonsmooth,
        "the lower level has a nonsmooth term, whose proximal map this method does not take",
        &LowerLevel::nonsmooth);
  check(!equal || serves.equalities,
        "the lower level has linear equality constraints, which this method does not keep",
        &LowerLevel::equalities);
  check(!at_most || serves.inequalities,
        "the lower level has linear inequality constraints, which this method does not keep",
        &LowerLevel::inequalities);
  const bool lacks = (serves.equalities && !equal) || (serves.inequalities && !at_most);
  require(!lacks, ErrorKind::usage, "method.name = ", method.name,
          ": the lower level has no linear ", serves.equalities ? "equality" : "inequality",
          " constraints, which this method is made for; for a free lower level take soba or f2ba");
}

void require_protected(const MethodEntry& method, bool takes_plain_means,
                       const Chosen<StepRuleEntry>& steps) {
  require(!takes_plain_means && !method.always_exact, ErrorKind::usage,
          "method.name = ", method.name,
          ": the method takes plain means over agents inside its iteration, which no rule protects "
          "from attackers; choose a method such as f2sa or soba");
  require(!steps->averages, ErrorKind::usage, "steps.rule = ", steps->name,
          ": step sizes follow from plain means over agents, which no rule protects from "
          "attackers; choose steps.rule = constant");
}

void StepSchedule::visit(OptionVisitor& visitor) {
  visitor("upper_decay", upper_decay, at_least(0),
          "e in alpha (1 + k / decay_offset)^-e; 0 = constant step");
  visitor("lower_decay", lower_decay, at_least(0),
          "the same for the steps of y and its auxiliaries");
  visitor("decay_offset", decay_offset, above(0), "iterations before the decay sets in");
  visitor("decay_start", decay_start, at_least(0),
          "iterations of constant steps, from which k is counted");
}

double StepSchedule::upper(std::uint64_t k) const {
  return decayed(upper_decay, *this, k);
}
double StepSchedule::lower(std::uint64_t k) const {
  return decayed(lower_decay, *this, k);
}

}  // namespace echelon

#include "echelon/method/method.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "echelon/core/catalog.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon {

namespace {

const StrategyEntry& find_strategy(const std::string& name) {
  return find_entry(strategy_catalog(), name, "consensus strategy");
}

double decayed(double exponent, const StepSchedule& schedule, std::uint64_t k) {
  const double since = std::max(0.0, static_cast<double>(k) - schedule.decay_start);
  return exponent == 0 ? 1.0 : std::pow(1.0 + since / schedule.decay_offset, -exponent);
}

}  // namespace

void ConsensusOptions::visit(OptionVisitor& visitor) {
  visitor("strategy", strategy, "how directions become agreed steps (`echelon list consensus`)");
  visitor("x", x, "strategy of the upper variable; empty: as consensus.strategy");
  visitor("y", y,
          "strategy of the lower variable; empty: as consensus.strategy; `none` = personal lower "
          "level");
  visitor("auxiliary", auxiliary, "strategy of the lower auxiliaries (z, v); empty: as y");
  all.visit(visitor);
}

const StrategyEntry& ConsensusOptions::entry(Role role) const {
  const std::string& lower = y.empty() ? strategy : y;
  switch (role) {
    case Role::upper:
      return find_strategy(x.empty() ? strategy : x);
    case Role::lower:
      return find_strategy(lower);
    default:
      return find_strategy(auxiliary.empty() ? lower : auxiliary);
  }
}

const StrategyOptions& ConsensusOptions::options(Role role) const {
  const auto own = of.find(role);
  return own == of.end() ? all : own->second;
}

bool ConsensusOptions::personal() const {
  const StrategyEntry& lower = entry(Role::lower);
  const StrategyEntry& helper = entry(Role::auxiliary);
  require(lower.personal == helper.personal, ErrorKind::usage, "consensus.y is `", lower.name,
          "` but consensus.auxiliary is `", helper.name,
          "` (a personal lower level has personal auxiliaries); give both `none`, or neither");
  return lower.personal;
}

bool ConsensusOptions::all_reduced() const {
  return entry(Role::upper).name == "all-reduce" && entry(Role::lower).name == "all-reduce";
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
  return stepping(
      ConsensusVariable(network_of(role), std::move(name), start, consensus.entry(role),
                        consensus.options(role), seed, std::move(set), participation, attack),
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
  const StrategyEntry& strategy = consensus.entry(Role::upper);
  require(!strategy.personal || network.size() == 1, ErrorKind::usage, "consensus.x is `",
          strategy.name,
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
  exact.consensus.strategy = "all-reduce";
  exact.consensus.x = exact.consensus.y = exact.consensus.auxiliary = "";
  return exact;
}

MeanTracker MethodContext::mean_tracker(std::string name, const std::vector<Index>& heights) const {
  return {network, std::move(name), heights, exact_means(), consensus.all, attack};
}

ConsensusVariable MethodContext::variable_of_means(std::string name, const VectorXd& start,
                                                   Role role, FeasibleSet set) const {
  const StrategyEntry& strategy = find_strategy(exact_means() ? "none" : "gossip-atc");
  return {network_of(role), std::move(name), start, strategy, consensus.options(role), seed,
          std::move(set)};
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

void require_protected(const MethodEntry& method, const MethodCost& cost,
                       const Chosen<StepRuleEntry>& steps) {
  const bool averages = cost.p_exact > 0 || cost.q_exact > 0 || cost.scalars_exact > 0 ||
                        cost.per_x.q_exact > 0 || cost.per_y.q_exact > 0 || method.always_exact;
  require(!averages, ErrorKind::usage, "method.name = ", method.name,
          ": the method takes plain means over agents inside its iteration, which no rule protects "
          "from attackers; choose a method such as f2sa or soba");
  require(steps->averages == StepRuleEntry::Averages::nothing, ErrorKind::usage,
          "steps.rule = ", steps->name,
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

#include "echelon/consensus/attack.hpp"

#include <cmath>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"

namespace echelon {

namespace detail {
std::vector<AttackEntry> built_in_attacks();
}

namespace {

void visit_fraction(OptionVisitor& visitor, double& fraction) {
  visitor("fraction", fraction, above_up_to(0, 1),
          "fraction of the agents that attack, rounded to whole agents; they are drawn from "
          "run.seed");
}

}  // namespace

void AttackersOptions::visit(OptionVisitor& visitor) {
  visit_fraction(visitor, fraction);
}

void ScaledAttackOptions::visit(OptionVisitor& visitor) {
  visit_fraction(visitor, fraction);
  visitor("scale", scale, at_least(0), "strength s of the attack");
}

Attack::Attack(double fraction, AgentId agents, std::uint64_t seed)
    : seed_(seed), is_attacker_(static_cast<std::size_t>(agents), 0) {
  attackers_ = static_cast<AgentId>(std::lround(fraction * agents));
  require(attackers_ > 0 && attackers_ < agents, ErrorKind::usage, "attack.fraction = ", fraction,
          ": that makes ", attackers_, " of ", agents,
          " agents attackers (there must be some, and some others); choose another fraction or "
          "attack.kind = none");
  const auto order = Draws(seed, Purpose::attack).permutation(agents);
  for (AgentId a = 0; a < attackers_; ++a) {
    is_attacker_[static_cast<std::size_t>(order[static_cast<std::size_t>(a)])] = 1;
  }
}

PartList<AttackEntry>& attack_catalog() {
  static PartList<AttackEntry> parts("attack", detail::built_in_attacks());
  return parts;
}

std::shared_ptr<const Attack> make_attack(const Chosen<AttackEntry>& chosen, AgentId agents,
                                          std::uint64_t seed) {
  return chosen->make(chosen.options(), agents, seed);
}

}  // namespace echelon

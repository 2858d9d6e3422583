#pragma once
/// Agents that lie: simulated, to see which rules bear it.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/core/part.hpp"

namespace echelon {

/// Options of attacks that are neither strong nor weak.
struct AttackersOptions {
  double fraction = 0.2;

  void visit(OptionVisitor& visitor);
};

struct ScaledAttackOptions {
  double fraction = 0.2;
  double scale = 1;

  void visit(OptionVisitor& visitor);
};

/// What some agents, the same throughout a run, send in place of their answer m. They compute as
/// the others do and keep honest values of their own: only what leaves them is forged. s = scale.
///
///     sign-flip    -s m
///     noise        m + s |m| / sqrt(d) N(0, I)
///     nan          not-a-number
///     little       mean - s std of the honest ones, coordinate by coordinate; in gossip of those
///                  that the receiver i hears
///     dissensus    in gossip: x_i - s sum over honest k of w_ik (x_k - x_i) / sum over attackers b
///                  of w_ib, which undoes the receiver's averaging for s = 1
///
/// Sources: G. Baruch, M. Baruch, Y. Goldberg, NeurIPS 2019, arXiv:1902.06156 (little); L. He, S.
/// P. Karimireddy, M. Jaggi, arXiv:2202.01545 (dissensus).
class Attack {
 public:
  /// Draws the attackers: fraction x agents, to the nearest. Throws a usage error if that is nobody
  /// or everybody.
  Attack(double fraction, AgentId agents, std::uint64_t seed);
  virtual ~Attack() = default;

  bool attacks(AgentId agent) const { return is_attacker_[static_cast<std::size_t>(agent)] != 0; }
  AgentId attackers() const { return attackers_; }
  AgentId agents() const { return static_cast<AgentId>(is_attacker_.size()); }
  /// Throws a usage error, beginning with `where`, if it makes no sense against agents that have a
  /// server in place of neighbors.
  virtual void require_simulable(bool /*has_server*/, const std::string& /*where*/) const {}

  /// Which numbers are drawn: one stream per variable.
  struct Occasion {
    std::uint64_t round;
    std::uint64_t stream;
  };
  /// Overwrites the attackers' columns of what goes to a server. `weights` are those of all agents,
  /// 0 for who is not heard; empty: all are. Collective.
  virtual void forge_answers(Network& network, AgentView& answers,
                             const std::vector<double>& weights,
                             const Occasion& occasion) const = 0;

  /// What an agent hears from another.
  struct Said {
    AgentId sender;
    double weight;
    const double* numbers;
  };
  /// What `receiver`, whose own value is `own`, gets in place of what the attacker `by` has to say;
  /// `heard` is all that it hears, d numbers each.
  virtual void forge_message(AgentId receiver, const VectorXd& own, std::span<const Said> heard,
                             const Said& by, const Occasion& occasion, VectorXd& forged) const = 0;

 protected:
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  AgentId attackers_ = 0;
  std::vector<char> is_attacker_;
};

/// A kind of attack; its options are in section `attack`.
struct AttackEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<std::string> aliases{};
  PartOptions options{};
  /// nullptr: nobody lies.
  std::function<std::shared_ptr<const Attack>(const PartOptions&, AgentId agents,
                                              std::uint64_t seed)>
      make;
};

/// none, sign-flip, noise, nan, little, dissensus.
PartList<AttackEntry>& attack_catalog();

/// The chosen attack among `agents` agents; nullptr if nobody lies.
std::shared_ptr<const Attack> make_attack(const Chosen<AttackEntry>& chosen, AgentId agents,
                                          std::uint64_t seed);

}  // namespace echelon

#pragma once
/// Agents that lie: simulated, to see which rules bear it.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/core/options.hpp"

namespace echelon {

struct AttackOptions {
  std::string kind = "none";
  double fraction = 0.2;
  double scale = 1;

  void visit(OptionVisitor& visitor);  ///< section `attack`
  bool is_on() const { return kind != "none"; }
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
  Attack(const AttackOptions& options, AgentId agents, std::uint64_t seed);

  bool attacks(AgentId agent) const { return is_attacker_[static_cast<std::size_t>(agent)] != 0; }
  AgentId attackers() const { return attackers_; }
  AgentId agents() const { return static_cast<AgentId>(is_attacker_.size()); }
  bool needs_neighbors() const { return kind_ == Kind::dissensus; }

  /// Which numbers are drawn: one stream per variable.
  struct Occasion {
    std::uint64_t round;
    std::uint64_t stream;
  };
  /// Overwrites the attackers' columns of what goes to a server. `weights` are those of all agents,
  /// 0 for who is not heard; empty: all are. Collective.
  void forge_answers(Network& network, AgentView& answers, const std::vector<double>& weights,
                     const Occasion& occasion) const;

  /// What an agent hears from another.
  struct Said {
    AgentId sender;
    double weight;
    const double* numbers;
  };
  /// What `receiver`, whose own value is `own`, gets in place of what the attacker `by` has to say;
  /// `heard` is all that it hears, d numbers each.
  void forge_message(AgentId receiver, const VectorXd& own, std::span<const Said> heard,
                     const Said& by, const Occasion& occasion, VectorXd& forged) const;

 private:
  enum class Kind { sign_flip, noise, nan, little, dissensus };
  void forge_alone(AgentId sender, const Occasion& occasion, Eigen::Ref<VectorXd> message) const;
  void forge_little(Network& network, AgentView& answers, const std::vector<double>& weights) const;

  Kind kind_;
  double scale_;
  std::uint64_t seed_;
  AgentId attackers_ = 0;
  std::vector<char> is_attacker_;
};

}  // namespace echelon

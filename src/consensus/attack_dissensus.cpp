#include "echelon/consensus/attack.hpp"
#include "echelon/core/error.hpp"

namespace echelon::detail {

namespace {

/// Attackers undo the averaging of whoever receives from them.
class Dissensus final : public Attack {
 public:
  Dissensus(const ScaledAttackOptions& options, AgentId agents, std::uint64_t seed)
      : Attack(options.fraction, agents, seed), scale_(options.scale) {}

  void require_simulable(bool has_server, const std::string& where) const override {
    require(!has_server, ErrorKind::usage, where,
            ": attack.kind = dissensus is for agents with neighbors, and this strategy has a "
            "server; choose gossip-atc or clipped-gossip, or another attack");
  }

  void forge_answers(Network&, AgentView&, const std::vector<double>&,
                     const Occasion&) const override {
    fail(ErrorKind::internal, "dissensus against a server, which require_simulable refuses");
  }

  void forge_message(AgentId, const VectorXd& own, std::span<const Said> heard, const Said&,
                     const Occasion&, VectorXd& forged) const override {
    forged.setZero(own.size());
    double attacking = 0;
    for (const Said& said : heard) {
      if (attacks(said.sender)) {
        attacking += said.weight;
      } else {
        forged += said.weight * (Eigen::Map<const VectorXd>(said.numbers, own.size()) - own);
      }
    }
    forged = own - scale_ / attacking * forged;
  }

 private:
  double scale_;
};

}  // namespace

std::vector<AttackEntry> attack_dissensus_parts() {
  return {
      {.name = "dissensus",
       .summary =
           "in gossip: attackers send what undoes the averaging of the receiver i, for s = 1",
       .formula = "x_i - s sum over honest k of w_ik (x_k - x_i) / sum over attackers b of w_ib",
       .reference = "L. He, S. P. Karimireddy, M. Jaggi, arXiv:2202.01545",
       .aliases = {},
       .options = ScaledAttackOptions{},
       .make = [](const PartOptions& options, AgentId agents, std::uint64_t seed) {
         return std::make_shared<Dissensus>(options.as<ScaledAttackOptions>(), agents, seed);
       }}};
}

}  // namespace echelon::detail

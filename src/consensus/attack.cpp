#include "echelon/consensus/attack.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "echelon/core/error.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"

namespace echelon {

void AttackOptions::visit(OptionVisitor& visitor) {
  visitor.choice(
      "kind", kind, {"none", "sign-flip", "noise", "little", "dissensus", "nan"},
      "what attackers send: -scale times their answer; it plus noise of scale times its length; "
      "the honest mean minus scale standard deviations; in gossip, what undoes the receiver's "
      "averaging; or not-a-number. For all-reduce, local-server, local-server-cv, stale-server, "
      "gossip-atc, clipped-gossip");
  visitor("fraction", fraction, above_up_to(0, 1),
          "of the agents that are attackers, to the nearest; drawn from run.seed");
  visitor("scale", scale, at_least(0), "how strong, see kind");
}

Attack::Attack(const AttackOptions& options, AgentId agents, std::uint64_t seed)
    : scale_(options.scale), seed_(seed), is_attacker_(static_cast<std::size_t>(agents), 0) {
  attackers_ = static_cast<AgentId>(std::lround(options.fraction * agents));
  require(attackers_ > 0 && attackers_ < agents, ErrorKind::usage,
          "attack.fraction = ", options.fraction, ": that makes ", attackers_, " of ", agents,
          " agents attackers (there must be some, and some others); choose another fraction or "
          "attack.kind = none");
  kind_ = options.kind == "sign-flip" ? Kind::sign_flip
          : options.kind == "noise"   ? Kind::noise
          : options.kind == "nan"     ? Kind::nan
          : options.kind == "little"  ? Kind::little
                                      : Kind::dissensus;
  const auto order = Draws(seed, Purpose::attack).permutation(agents);
  for (AgentId a = 0; a < attackers_; ++a) {
    is_attacker_[static_cast<std::size_t>(order[static_cast<std::size_t>(a)])] = 1;
  }
}

/// For kinds that look at nobody else.
void Attack::forge_alone(AgentId sender, const Occasion& occasion,
                         Eigen::Ref<VectorXd> message) const {
  if (kind_ == Kind::sign_flip) {
    message *= -scale_;
  } else if (kind_ == Kind::nan) {
    message.setConstant(std::numeric_limits<double>::quiet_NaN());
  } else if (kind_ == Kind::noise) {
    double square = 0;  // in one order, wherever the message lies
    for (Index r = 0; r < message.size(); ++r) square += message(r) * message(r);
    const double deviation = scale_ * std::sqrt(square / static_cast<double>(message.size()));
    Draws draws(seed_, Purpose::attack, sender, occasion.round, occasion.stream);
    for (Index r = 0; r < message.size(); ++r) message(r) += deviation * draws.normal();
  }
}

void Attack::forge_answers(Network& network, AgentView& answers, const std::vector<double>& weights,
                           const Occasion& occasion) const {
  if (kind_ == Kind::little) return forge_little(network, answers, weights);
  parallel_for(static_cast<int>(answers.cols()), [&](int i) {
    const AgentId agent = network.agents().local[static_cast<std::size_t>(i)];
    if (attacks(agent)) forge_alone(agent, occasion, answers.col(i));
  });
}

void Attack::forge_little(Network& network, AgentView& answers,
                          const std::vector<double>& weights) const {
  const auto counts = [&](AgentId agent) {
    return !attacks(agent) && (weights.empty() || weights[static_cast<std::size_t>(agent)] > 0);
  };
  double honest = 0;
  for (AgentId a = 0; a < agents(); ++a) honest += counts(a) ? 1 : 0;
  if (honest == 0) return;
  AgentMatrix& scratch = network.scratch("attack", answers.rows());
  const auto agent_of = [&](int i) { return network.agents().local[static_cast<std::size_t>(i)]; };
  const auto agents_here = static_cast<int>(answers.cols());
  parallel_for(agents_here, [&](int i) {
    if (counts(agent_of(i))) {
      scratch.col(i) = answers.col(i);
    } else {
      scratch.col(i).setZero();
    }
  });
  VectorXd mean, variance;
  network.sum_at_server(scratch, mean);
  mean /= honest;
  parallel_for(agents_here, [&](int i) {
    if (counts(agent_of(i))) scratch.col(i) = (answers.col(i) - mean).cwiseAbs2();
  });
  network.sum_at_server(scratch, variance);
  const VectorXd forged = mean - scale_ * (variance / honest).cwiseSqrt();
  parallel_for(agents_here, [&](int i) {
    if (attacks(agent_of(i))) answers.col(i) = forged;
  });
}

void Attack::forge_message(AgentId receiver, const VectorXd& own, std::span<const Said> heard,
                           const Said& by, const Occasion& occasion, VectorXd& forged) const {
  const Index rows = own.size();
  const auto numbers = [&](const Said& said) {
    return Eigen::Map<const VectorXd>(said.numbers, rows);
  };
  if (kind_ == Kind::dissensus) {
    forged.setZero(rows);
    double attacking = 0;
    for (const Said& said : heard) {
      if (attacks(said.sender)) {
        attacking += said.weight;
      } else {
        forged += said.weight * (numbers(said) - own);
      }
    }
    forged = own - scale_ / attacking * forged;
    return;
  }
  if (kind_ != Kind::little) {
    forged = numbers(by);
    return forge_alone(by.sender, occasion, forged);
  }
  double honest = attacks(receiver) ? 0 : 1;
  VectorXd mean = honest * own;
  for (const Said& said : heard) {
    if (attacks(said.sender)) continue;
    mean += numbers(said);
    ++honest;
  }
  mean /= std::max(honest, 1.0);
  VectorXd square = VectorXd::Zero(rows);
  if (!attacks(receiver)) square = (own - mean).cwiseAbs2();
  for (const Said& said : heard) {
    if (!attacks(said.sender)) square += (numbers(said) - mean).cwiseAbs2();
  }
  forged = mean - scale_ * (square / std::max(honest, 1.0)).cwiseSqrt();
}

}  // namespace echelon

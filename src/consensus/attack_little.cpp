#include <algorithm>
#include <cmath>

#include "echelon/consensus/attack.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon::detail {

namespace {

/// All attackers hide in the deviation of the honest ones.
class Little final : public Attack {
 public:
  Little(const ScaledAttackOptions& options, AgentId agents, std::uint64_t seed)
      : Attack(options.fraction, agents, seed), scale_(options.scale) {}

  void forge_answers(Network& network, AgentView& answers, const std::vector<double>& weights,
                     const Occasion&) const override {
    const auto counts = [&](AgentId agent) {
      return !attacks(agent) && (weights.empty() || weights[static_cast<std::size_t>(agent)] > 0);
    };
    double honest = 0;
    for (AgentId a = 0; a < agents(); ++a) honest += counts(a) ? 1 : 0;
    if (honest == 0) return;
    AgentMatrix& scratch = network.scratch("attack", answers.rows());
    const auto agent_of = [&](int i) {
      return network.agents().local[static_cast<std::size_t>(i)];
    };
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

  void forge_message(AgentId receiver, const VectorXd& own, std::span<const Said> heard,
                     const Said&, const Occasion&, VectorXd& forged) const override {
    const Index rows = own.size();
    const auto numbers = [&](const Said& said) {
      return Eigen::Map<const VectorXd>(said.numbers, rows);
    };
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

 private:
  double scale_;
};

}  // namespace

std::vector<AttackEntry> attack_little_parts() {
  return {{.name = "little",
           .summary =
               "all attackers send the mean of the honest responses minus s standard deviations; "
               "in gossip, of those that the receiver gets",
           .formula = "mean - s std, coordinate by coordinate",
           .reference = "G. Baruch, M. Baruch, Y. Goldberg, NeurIPS 2019, arXiv:1902.06156",
           .aliases = {"alie", "a-little-is-enough"},
           .options = ScaledAttackOptions{},
           .make = [](const PartOptions& options, AgentId agents, std::uint64_t seed) {
             return std::make_shared<Little>(options.as<ScaledAttackOptions>(), agents, seed);
           }}};
}

}  // namespace echelon::detail

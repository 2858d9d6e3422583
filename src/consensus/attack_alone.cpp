#include <cmath>
#include <limits>

#include "echelon/consensus/attack.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"

namespace echelon::detail {

namespace {

/// Attackers that look at nobody else.
class LoneAttack : public Attack {
 public:
  using Attack::Attack;

  void forge_answers(Network& network, AgentView& answers, const std::vector<double>&,
                     const Occasion& occasion) const final {
    parallel_for(static_cast<int>(answers.cols()), [&](int i) {
      const AgentId agent = network.agents().local[static_cast<std::size_t>(i)];
      if (attacks(agent)) forge(agent, occasion, answers.col(i));
    });
  }
  void forge_message(AgentId, const VectorXd& own, std::span<const Said>, const Said& by,
                     const Occasion& occasion, VectorXd& forged) const final {
    forged = Eigen::Map<const VectorXd>(by.numbers, own.size());
    forge(by.sender, occasion, forged);
  }

 private:
  virtual void forge(AgentId sender, const Occasion& occasion,
                     Eigen::Ref<VectorXd> message) const = 0;
};

class SignFlip final : public LoneAttack {
 public:
  SignFlip(const ScaledAttackOptions& options, AgentId agents, std::uint64_t seed)
      : LoneAttack(options.fraction, agents, seed), scale_(options.scale) {}

 private:
  void forge(AgentId, const Occasion&, Eigen::Ref<VectorXd> message) const override {
    message *= -scale_;
  }

  double scale_;
};

class Noise final : public LoneAttack {
 public:
  Noise(const ScaledAttackOptions& options, AgentId agents, std::uint64_t seed)
      : LoneAttack(options.fraction, agents, seed), scale_(options.scale) {}

 private:
  void forge(AgentId sender, const Occasion& occasion,
             Eigen::Ref<VectorXd> message) const override {
    double square = 0;  // in one order, wherever the message lies
    for (Index r = 0; r < message.size(); ++r) square += message(r) * message(r);
    const double deviation = scale_ * std::sqrt(square / static_cast<double>(message.size()));
    Draws draws(seed(), Purpose::attack, sender, occasion.round, occasion.stream);
    for (Index r = 0; r < message.size(); ++r) message(r) += deviation * draws.normal();
  }

  double scale_;
};

class NotANumber final : public LoneAttack {
 public:
  using LoneAttack::LoneAttack;

 private:
  void forge(AgentId, const Occasion&, Eigen::Ref<VectorXd> message) const override {
    message.setConstant(std::numeric_limits<double>::quiet_NaN());
  }
};

}  // namespace

std::vector<AttackEntry> attack_alone_parts() {
  return {{.name = "none",
           .summary = "all agents are honest",
           .formula = "m",
           .reference = "",
           .aliases = {},
           .options = {},
           .make = [](const PartOptions&, AgentId,
                      std::uint64_t) { return std::shared_ptr<const Attack>(); }},
          {.name = "sign-flip",
           .summary = "attackers send the opposite of their response, s times as long",
           .formula = "-s m",
           .reference = "",
           .aliases = {},
           .options = ScaledAttackOptions{},
           .make =
               [](const PartOptions& options, AgentId agents, std::uint64_t seed) {
                 return std::make_shared<SignFlip>(options.as<ScaledAttackOptions>(), agents, seed);
               }},
          {.name = "noise",
           .summary = "attackers add Gaussian noise that is s times as long as their response",
           .formula = "m + s |m| / sqrt(d) N(0, I)",
           .reference = "",
           .aliases = {"gaussian"},
           .options = ScaledAttackOptions{},
           .make =
               [](const PartOptions& options, AgentId agents, std::uint64_t seed) {
                 return std::make_shared<Noise>(options.as<ScaledAttackOptions>(), agents, seed);
               }},
          {.name = "nan",
           .summary = "attackers send values that are not a number",
           .formula = "not-a-number",
           .reference = "",
           .aliases = {},
           .options = AttackersOptions{},
           .make = [](const PartOptions& options, AgentId agents, std::uint64_t seed) {
             return std::make_shared<NotANumber>(options.as<AttackersOptions>().fraction, agents,
                                                 seed);
           }}};
}

}  // namespace echelon::detail

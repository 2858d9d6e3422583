#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct ConstantOptions {
  double fraction = 0.2;
  double constant = 1;

  void visit(OptionVisitor& visitor) {
    visitor("fraction", fraction, between(0, 1), "fraction of the agents that attack");
    visitor("constant", constant, any_number(), "the number that attackers send in every entry");
  }
};

class Constant final : public Attack {
 public:
  Constant(const ConstantOptions& options, AgentId agents, std::uint64_t seed)
      : Attack(options.fraction, agents, seed), constant_(options.constant) {}

  void forge_answers(Network& network, AgentView& answers, const std::vector<double>&,
                     const Occasion&) const override {
    for (int i = 0; i < answers.cols(); ++i) {
      const AgentId agent = network.agents().local[static_cast<std::size_t>(i)];
      if (attacks(agent)) answers.col(i).setConstant(constant_);
    }
  }
  void forge_message(AgentId, const VectorXd& own, std::span<const Said>, const Said&,
                     const Occasion&, VectorXd& forged) const override {
    forged = VectorXd::Constant(own.size(), constant_);
  }

 private:
  double constant_;
};

}  // namespace

AttackEntry constant_attack() {
  return {.name = "constant",
          .summary = "attackers send one number in every entry",
          .formula = "m = c (1, ..., 1)",
          .reference = "",
          .options = ConstantOptions{},
          .make = [](const PartOptions& options, AgentId agents, std::uint64_t seed) {
            return std::make_shared<Constant>(options.as<ConstantOptions>(), agents, seed);
          }};
}

}  // namespace outside

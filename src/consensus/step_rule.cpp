#include "echelon/consensus/step_rule.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "echelon/core/parallel.hpp"

namespace echelon {

namespace detail {
std::vector<StepRuleEntry> built_in_step_rules();
}

PartList<StepRuleEntry>& step_rule_catalog() {
  static PartList<StepRuleEntry> parts("step rule", detail::built_in_step_rules());
  return parts;
}

std::unique_ptr<StepRule> make_step_rule(const Chosen<StepRuleEntry>& chosen,
                                         StepRuleContext context) {
  if (!context.memory) context.memory = std::make_shared<StepMemory>();
  return chosen->make(chosen.options(), context);
}

void AccumulatedOptions::visit(OptionVisitor& visitor) {
  visitor("initial", initial, above(0), "the root of the accumulated squared norms at the start");
  visitor("coupled", coupled,
          "x also divides by the root of y and auxiliaries, so that it is never faster than they "
          "are");
}

namespace detail {

namespace {

/// 1 / m_s;  coupled: auxiliaries take 1 / max(m_y, m_v), x takes 1 / (m_x max(m_y, m_v))
class Accumulated final : public StepRule {
 public:
  Accumulated(const AccumulatedOptions& options, StepRuleContext context, bool is_local)
      : context_(std::move(context)),
        local_(is_local),
        coupled_(options.coupled),
        square_(options.initial * options.initial) {}

  double factor(const AgentView& direction) override {
    square_ += squared_norm(direction);
    const double own = std::sqrt(square_);
    if (context_.place != Place::upper) context_.memory->norms[context_.name] = own;
    if (!coupled_ || context_.place == Place::lower) return 1 / own;
    const double lower = lower_norm();
    if (context_.place == Place::auxiliary) return 1 / std::max(own, lower);
    return 1 / (own * std::max(lower, 1.0));
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.replicated("squared_steps", square_);
    if (context_.place != Place::upper) {
      context_.memory->norms[context_.name] = std::sqrt(square_);
    }
  }

 private:
  double squared_norm(const AgentView& direction) {
    Network& network = context_.network;
    if (!local_) {
      network.mean(direction, mean_);
      return mean_.squaredNorm();
    }
    AgentMatrix& squares = network.scratch("step rule", 1);
    parallel_for(static_cast<int>(direction.cols()),
                 [&](int i) { squares(0, i) = direction.col(i).squaredNorm(); });
    network.mean(squares, mean_);
    return mean_(0);
  }
  double lower_norm() const {
    double largest = 0;
    for (const auto& [name, norm] : context_.memory->norms) largest = std::max(largest, norm);
    return largest;
  }

  StepRuleContext context_;
  bool local_;
  bool coupled_;
  double square_;  ///< m_s^2
  VectorXd mean_;
};

class Normalized final : public StepRule {
 public:
  explicit Normalized(Network& network) : network_(network) {}

  double factor(const AgentView& direction) override {
    network_.mean(direction, mean_);
    const double square = mean_.squaredNorm();
    return square > 0 ? 1 / std::sqrt(square) : 0;
  }

 private:
  Network& network_;
  VectorXd mean_;
};

StepRuleEntry accumulated_entry(bool is_local) {
  return {.name = is_local ? "accumulated-local" : "accumulated",
          .summary = is_local ? "divides steps by the root of the mean squared norms of all "
                                "agents' directions so far; averages one number per step"
                              : "divides steps by the root of the squared norms of all mean "
                                "directions so far; averages a direction per step",
          .formula = is_local ? "1 / m_s, m_s^2 <- m_s^2 + mean |D_i|^2, m_s = initial at the start"
                              : "1 / m_s, m_s^2 <- m_s^2 + |mean D|^2, m_s = initial at the start",
          .reference = is_local ? "Z. Zhai, W. Yan, Y. Zhang, NeurIPS 2025, arXiv:2510.24288"
                                : "A. Han et al., arXiv:2504.06042",
          .aliases = {},
          .options = AccumulatedOptions{},
          .make = [is_local](const PartOptions& options, const StepRuleContext& context) {
            return std::make_unique<Accumulated>(options.as<AccumulatedOptions>(), context,
                                                 is_local);
          }};
}

}  // namespace

std::vector<StepRuleEntry> step_rule_parts() {
  return {{.name = "constant",
           .summary = "steps as the method gives them",
           .formula = "1",
           .reference = "",
           .aliases = {},
           .options = {},
           .averages = false,
           .make = [](const PartOptions&,
                      const StepRuleContext&) { return std::unique_ptr<StepRule>(); }},
          accumulated_entry(false),
          accumulated_entry(true),
          {.name = "normalized",
           .summary = "divides steps by the norm of the mean direction; for noise with heavy tails",
           .formula = "1 / |mean D|",
           .reference = "arXiv:2509.15543",
           .aliases = {},
           .options = {},
           .make = [](const PartOptions&, const StepRuleContext& context) {
             return std::make_unique<Normalized>(context.network);
           }}};
}

}  // namespace detail

}  // namespace echelon

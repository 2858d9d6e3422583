#include "echelon/experiment/cost.hpp"

#include "echelon/core/catalog.hpp"

namespace echelon {

namespace {

using Length = TrafficTerm::Length;

/// What rules that set the step size average at each step.
void add_step_rule(CompositionCost& cost, const StepRuleEntry& rule, Length length, double steps) {
  using Averages = StepRuleEntry::Averages;
  if (rule.averages == Averages::nothing || steps == 0) return;
  cost.traffic.push_back(
      {rule.averages == Averages::number ? Length::scalar : length, steps, true});
}

void add_steps(CompositionCost& cost, const ConsensusOptions& consensus, Role role, Length length,
               double steps) {
  const StrategyTraits traits = consensus.traits(role);
  const double vectors = steps * traits.vectors_sent / static_cast<double>(traits.local_steps);
  if (vectors > 0) cost.traffic.push_back({length, vectors, traits.has_server, traits.compressor});
}

void add_means(CompositionCost& cost, const MethodCost& method, bool exact, double rounds) {
  const double repeats = exact ? 1 : rounds;
  const std::pair<Length, double> means[] = {{Length::upper, method.p_means},
                                             {Length::lower, method.q_means},
                                             {Length::scalar, method.scalar_means}};
  for (const auto& [length, vectors] : means) {
    if (vectors > 0) cost.traffic.push_back({length, vectors * repeats, exact});
  }
}

std::string length_text(Length length) {
  switch (length) {
    case Length::upper:
      return "p";
    case Length::lower:
      return "q";
    case Length::lower_by_upper:
      return "p q";
    case Length::lower_by_lower:
      return "q q";
    default:
      return "1";
  }
}

Index numbers_in(Length length, Index p, Index q) {
  switch (length) {
    case Length::upper:
      return p;
    case Length::lower:
      return q;
    case Length::lower_by_upper:
      return p * q;
    case Length::lower_by_lower:
      return q * q;
    default:
      return 1;
  }
}

}  // namespace

CompositionCost cost_of(const GeneralOptions& general, Configuration& configuration) {
  const MethodEntry& entry = find_entry(method_catalog(), general.method, "method");
  const MethodCost method = entry.cost(configuration);
  const ConsensusOptions& consensus = general.consensus;
  CompositionCost cost;
  const EstimatorTraits estimator = general.estimator->traits(general.estimator.options());
  const double factor = estimator.calls;
  cost.gradients = factor * method.gradients + method.direct.gradients;
  cost.products = factor * method.products + method.direct.products;
  cost.values = method.values;
  cost.count = method.count;
  if (general.participation.is_asynchronous()) cost.count = MethodCost::Count::at_most;
  if (estimator.calls_vary && cost.count == MethodCost::Count::exact) {
    cost.count = MethodCost::Count::on_average;
  }
  for (const auto& [own, given] :
       {std::pair{&cost.per_x, &method.per_x}, std::pair{&cost.per_y, &method.per_y}}) {
    *own = {factor * given->gradients, factor * given->products, factor * given->q_exact};
  }
  if (!entry.means_first) {
    add_steps(cost, consensus, Role::upper, Length::upper, method.x_steps);
    add_steps(cost, consensus, Role::lower, Length::lower, method.y_steps);
    add_steps(cost, consensus, Role::auxiliary, Length::lower, method.auxiliary_steps);
  } else {
    const bool exact = entry.always_exact || consensus.all_reduced();
    const auto rounds_of = [](const MixingOptions& mixing) {
      return static_cast<double>(mixing.mixing_rounds);
    };
    add_means(cost, method, exact, rounds_of(consensus.means.mixing));
    if (!exact) {
      const double x_rounds = rounds_of(consensus.mixing_along_means(Role::upper));
      const double y_rounds = rounds_of(consensus.mixing_along_means(Role::lower));
      cost.traffic.push_back({Length::upper, method.x_steps * x_rounds});
      cost.traffic.push_back({Length::lower, method.y_steps * y_rounds});
      if (method.scalar_steps > 0) {
        cost.traffic.push_back({Length::scalar, method.scalar_steps * y_rounds});
      }
    }
    if (method.auxiliary_steps > 0) {
      add_steps(cost, consensus, Role::auxiliary, Length::lower, method.auxiliary_steps);
    }
  }
  add_step_rule(cost, *general.steps, Length::upper, method.x_steps);
  add_step_rule(cost, *general.steps, Length::lower, method.y_steps + method.auxiliary_steps);
  if (!consensus.personal()) {
    MethodCost averaged;
    averaged.p_means = factor * method.p_exact;
    averaged.q_means = factor * method.q_exact;
    averaged.scalar_means = factor * method.scalars_exact;
    add_means(cost, averaged, true, 1);
    if (cost.per_x.q_exact > 0) {
      cost.traffic.push_back({Length::lower_by_upper, cost.per_x.q_exact, true});
    }
    if (cost.per_y.q_exact > 0) {
      cost.traffic.push_back({Length::lower_by_lower, cost.per_y.q_exact, true});
    }
  }
  return cost;
}

double CompositionCost::gradients_for(Index p, Index q) const {
  return gradients + static_cast<double>(p) * per_x.gradients +
         static_cast<double>(q) * per_y.gradients;
}

double CompositionCost::products_for(Index p, Index q) const {
  return products + static_cast<double>(p) * per_x.products +
         static_cast<double>(q) * per_y.products;
}

std::string CompositionCost::traffic_text() const {
  std::string text_of[2];  // to neighbors, reduced
  for (const bool reduced : {false, true}) {
    std::string& out = text_of[reduced ? 1 : 0];
    for (const Length length : {Length::upper, Length::lower, Length::scalar,
                                Length::lower_by_upper, Length::lower_by_lower}) {
      double plain = 0;
      for (const TrafficTerm& term : traffic) {
        if (term.length != length || term.reduced != reduced) continue;
        if (!term.compressor) {
          plain += term.vectors;
          continue;
        }
        out += text(out.empty() ? "" : " + ", number_text(term.vectors), " ",
                    (*term.compressor)->name, "(", length_text(length), ")");
      }
      if (plain > 0) {
        out += text(out.empty() ? "" : " + ", number_text(plain),
                    length == Length::scalar ? "" : " " + length_text(length));
      }
    }
  }
  if (text_of[0].empty() && text_of[1].empty()) return "nothing";
  std::string all;
  if (!text_of[0].empty()) all += text_of[0] + " to each neighbor";
  if (!text_of[1].empty()) all += (all.empty() ? "" : ", ") + text_of[1] + " averaged over all";
  return all;
}

double CompositionCost::bytes(bool reduced, Index p, Index q) const {
  double total = 0;
  for (const TrafficTerm& term : traffic) {
    if (term.reduced != reduced) continue;
    const Index numbers = numbers_in(term.length, p, q);
    const double each =
        !term.compressor
            ? static_cast<double>(numbers) * sizeof(double)
            : static_cast<double>(make_compressor(*term.compressor, numbers)->bytes(numbers));
    total += term.vectors * each;
  }
  return total;
}

}  // namespace echelon

#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct TimidOptions {
  double trust = 0.5;

  void visit(OptionVisitor& visitor) {
    visitor("trust", trust, above_up_to(0, 1), "factor on the weights of neighbors");
  }
};

MixingMatrix weigh(const TopologyRound& round, const PartOptions& options) {
  const double trust = options.as<TimidOptions>().trust;
  const MixingMatrix metropolis = metropolis_weights(round.graph);
  std::vector<std::vector<MixingMatrix::Entry>> rows;
  for (AgentId i = 0; i < metropolis.agents(); ++i) {
    auto& row = rows.emplace_back();
    double own = 1;
    for (const auto& entry : metropolis.row(i)) {
      if (entry.sender == i) continue;
      row.push_back({entry.sender, trust * entry.weight});
      own -= trust * entry.weight;
    }
    row.push_back({i, own});
  }
  return MixingMatrix(rows);
}

}  // namespace

WeightsEntry timid() {
  return {.name = "timid",
          .summary = "undirected graphs; Metropolis weights that trust neighbors less",
          .formula = "w_ij = trust / (1 + max(deg_i, deg_j))",
          .options = TimidOptions{},
          .undirected_only = true,
          .make = weigh};
}

}  // namespace outside

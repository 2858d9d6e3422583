#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// S <- S - a G
class None final : public ConsensusStrategy {
 public:
  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    parallel_for(static_cast<int>(value.cols()),
                 [&](int i) { value.col(i) -= step * direction.col(i); });
  }
};

}  // namespace

std::vector<StrategyEntry> none_parts() {
  return {{.name = "none",
           .summary = "each agent keeps a value of its own (personal lower level); nothing is sent",
           .recursion = "S <- S - a G",
           .reference = "",
           .aliases = {"personal", "local"},
           .options = {},
           .traits =
               [](const PartOptions&) {
                 return StrategyTraits{.vectors_sent = 0,
                                       .attendance = Attendance::some_answers,
                                       .personal = true,
                                       .invariant = Invariant::mean_step};
               },
           .make = [](const StrategyContext&) { return std::make_unique<None>(); }}};
}

}  // namespace echelon::detail

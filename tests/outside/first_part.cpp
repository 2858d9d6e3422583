#include <cmath>

#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct FirstPartOptions {
  double part = 0.5;

  void visit(OptionVisitor& visitor) {
    visitor("part", part, above_up_to(0, 1), "fraction of the responses that the server uses");
  }
};

RoundEnd end_round(const PartOptions& options, const std::vector<double>& responses, double lost) {
  if (responses.empty()) return {0, lost};
  const double count = options.as<FirstPartOptions>().part * static_cast<double>(responses.size());
  const auto used = static_cast<std::size_t>(std::ceil(count));
  return {used, responses[used - 1]};
}

}  // namespace

PolicyEntry first_part() {
  return {.name = "first-part",
          .summary = "the server uses the first responses, a fixed fraction of those that come",
          .formula = "round ends at the time of response number ceil(part x responses)",
          .options = FirstPartOptions{},
          .end_round = end_round};
}

}  // namespace outside

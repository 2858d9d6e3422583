#include <cmath>
#include <limits>

#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct NormClippedOptions {
  double largest_norm = 10;

  void visit(OptionVisitor& visitor) {
    visitor("largest_norm", largest_norm, above(0), "length to which longer responses are cut");
  }
};

/// sum u_i m_i min(1, r / |m_i|), for each part of a response on its own
class NormClipped final : public AggregationRule {
 public:
  NormClipped(double radius, const AggregationContext& context)
      : radius_(radius), context_(context) {}

  void combine(AgentView& answers, const Heard& heard, VectorXd& result) override {
    Network& network = context_.network;
    AgentMatrix& weights = network.scratch("weights", 1);
    for (int i = 0; i < answers.cols(); ++i) {
      const AgentId agent = network.agents().local[static_cast<std::size_t>(i)];
      const bool left_out = answers.rows() == 0 || std::isnan(answers(0, i));
      const auto at = static_cast<std::size_t>(agent);
      weights(0, i) = left_out ? 0 : heard.weights.empty() ? 1 : heard.weights[at];
      if (weights(0, i) == 0) answers.col(i).setZero();
      for (std::size_t k = 0; k < context_.heights.size(); ++k) {
        auto part = answers.col(i).segment(context_.offsets[k], context_.heights[k]);
        double square = 0;  // in one order, wherever the numbers lie
        for (Index r = 0; r < part.size(); ++r) square += part(r) * part(r);
        const double norm = std::sqrt(square);
        part *= weights(0, i) * (norm > radius_ ? radius_ / norm : 1);
      }
    }
    VectorXd total;
    network.sum_at_server(weights, total);
    network.sum_at_server(answers, result);
    result /= total(0);
    if (total(0) == 0) result.setConstant(std::numeric_limits<double>::quiet_NaN());
  }

 private:
  double radius_;
  AggregationContext context_;
};

}  // namespace

AggregationEntry norm_clipped() {
  return {.name = "norm-clipped",
          .summary = "the mean of responses that are cut to a largest length",
          .formula = "sum u_i m_i min(1, r / |m_i|)",
          .reference = "",
          .options = NormClippedOptions{},
          .require_tolerable =
              [](const PartOptions&, AgentId attackers, AgentId agents, const std::string& where) {
                require(2 * attackers < agents, ErrorKind::usage, where,
                        ": norm-clipped tolerates fewer attackers than half of the agents; lower "
                        "attack.fraction");
              },
          .make =
              [](const PartOptions& options, const AggregationContext& context) {
                return std::make_unique<NormClipped>(options.as<NormClippedOptions>().largest_norm,
                                                     context);
              }};
}

}  // namespace outside

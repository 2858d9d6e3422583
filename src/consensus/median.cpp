#include "nearest.hpp"

namespace echelon {

void MedianOptions::visit(OptionVisitor& visitor) {
  detail::visit_nearest(visitor, mix_nearest, trimmed_fraction);
}

namespace detail {

namespace {

class Median final : public AggregationRule {
 public:
  Median(const MedianOptions& options, const AggregationContext& context)
      : network_(context.network), nearest_(nearest_mixing(options, context)) {}

  void combine(AgentView& answers, const Heard& heard, VectorXd& result) override {
    if (nearest_) (*nearest_)(answers, heard);
    fold_by_coordinate(network_, answers, heard, result,
                       [&](std::span<double> numbers, const std::vector<double>& weights) {
                         return weighted_median(numbers, weights);
                       });
  }

 private:
  Network& network_;
  std::optional<NearestMixing> nearest_;
};

}  // namespace

std::vector<AggregationEntry> median_parts() {
  return {{.name = "median",
           .summary = "the median of the responses, coordinate by coordinate; tolerates fewer "
                      "attackers than half of the agents",
           .formula = "coordinate by coordinate: the median of m_i with weights u_i",
           .reference = "D. Yin, Y. Chen, K. Ramchandran, P. Bartlett, ICML 2018, arXiv:1803.01498",
           .aliases = {"coordinate-median"},
           .options = MedianOptions{},
           .require_tolerable =
               [](const PartOptions& given, AgentId attackers, AgentId agents,
                  const std::string& where) {
                 const auto& options = given.as<MedianOptions>();
                 require_minority("median", attackers, agents, where);
                 if (options.mix_nearest)
                   require_trimmed("median", options.trimmed_fraction, attackers, agents, where);
               },
           .make =
               [](const PartOptions& options, const AggregationContext& context) {
                 return std::make_unique<Median>(options.as<MedianOptions>(), context);
               }}};
}

}  // namespace detail

}  // namespace echelon

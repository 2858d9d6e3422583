#include "nearest.hpp"

namespace echelon {

void TrimmedMeanOptions::visit(OptionVisitor& visitor) {
  detail::visit_trimmed_fraction(
      visitor, trimmed_fraction,
      "fraction of the responses that is left out at each end of every coordinate");
  detail::visit_mix_nearest(visitor, mix_nearest);
}

namespace detail {

namespace {

class TrimmedMean final : public AggregationRule {
 public:
  TrimmedMean(const TrimmedMeanOptions& options, const AggregationContext& context)
      : network_(context.network), options_(options), nearest_(nearest_mixing(options, context)) {}

  void combine(AgentView& answers, const Heard& heard, VectorXd& result) override {
    if (nearest_) (*nearest_)(answers, heard);
    fold_by_coordinate(network_, answers, heard, result,
                       [&](std::span<double> numbers, const std::vector<double>& weights) {
                         return weighted_trimmed_mean(numbers, weights, options_.trimmed_fraction);
                       });
  }

 private:
  Network& network_;
  TrimmedMeanOptions options_;
  std::optional<NearestMixing> nearest_;
};

}  // namespace

std::vector<AggregationEntry> trimmed_mean_parts() {
  return {{.name = "trimmed-mean",
           .summary = "the mean of the responses without the largest and the smallest, coordinate "
                      "by coordinate",
           .formula = "coordinate by coordinate: the mean by u of what lies between the quantiles "
                      "b and 1 - b, b = trimmed_fraction",
           .reference = "D. Yin, Y. Chen, K. Ramchandran, P. Bartlett, ICML 2018, arXiv:1803.01498",
           .aliases = {},
           .options = TrimmedMeanOptions{},
           .require_tolerable =
               [](const PartOptions& given, AgentId attackers, AgentId agents,
                  const std::string& where) {
                 const auto& options = given.as<TrimmedMeanOptions>();
                 require_minority("trimmed-mean", attackers, agents, where);
                 require_trimmed("trimmed-mean", options.trimmed_fraction, attackers, agents,
                                 where);
               },
           .make =
               [](const PartOptions& options, const AggregationContext& context) {
                 return std::make_unique<TrimmedMean>(options.as<TrimmedMeanOptions>(), context);
               }}};
}

}  // namespace detail

}  // namespace echelon

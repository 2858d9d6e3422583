#pragma once
/// A step before aggregation rules, for agents that differ much or know different coordinates.

#include <optional>
#include <string>
#include <vector>

#include "echelon/consensus/aggregation.hpp"

namespace echelon::detail {

/// m_i becomes the mean by u of those nearest to it, itself among them, whose weights come to 1 - b
/// (b = `fraction`), part by part. Then what rules make of honest answers is near their mean also
/// if these differ much. It costs 2 n sums over agents, n distances per agent. Source: Y. Allouah,
/// S. Farhadkhani, R. Guerraoui, N. Gupta, R. Pinot, J. Stephan, AISTATS 2023, arXiv:2302.01772.
class NearestMixing {
 public:
  NearestMixing(AggregationContext context, double fraction)
      : context_(std::move(context)), fraction_(fraction) {}

  /// Collective.
  void operator()(AgentView& answers, const Heard& heard);

 private:
  void mix(AgentView& answers, const Heard& heard, std::size_t part);
  Eigen::MatrixXd nearest(const Eigen::MatrixXd& squares, const std::vector<double>& weights) const;
  /// Part of the column of one agent, on all ranks. Collective.
  void tell(const AgentView& answers, AgentId of, std::size_t part, VectorXd& column);

  AggregationContext context_;
  double fraction_;
};

/// What the option mix_nearest asks for.
template <class Options>
std::optional<NearestMixing> nearest_mixing(const Options& options,
                                            const AggregationContext& context) {
  if (!options.mix_nearest) return std::nullopt;
  return NearestMixing(context, options.trimmed_fraction);
}

void visit_mix_nearest(OptionVisitor& visitor, bool& mix_nearest);
void visit_trimmed_fraction(OptionVisitor& visitor, double& trimmed_fraction,
                            std::string_view help);
/// With the fraction of the nearest, where it is used.
void visit_nearest(OptionVisitor& visitor, bool& mix_nearest, double& trimmed_fraction);

/// Throws a usage error unless fewer than half of the agents attack.
void require_minority(const std::string& rule, AgentId attackers, AgentId agents,
                      const std::string& where);
/// Throws a usage error if more agents attack than `trimmed_fraction` leaves room for.
void require_trimmed(const std::string& rule, double trimmed_fraction, AgentId attackers,
                     AgentId agents, const std::string& where);

/// Are the weights all 1 or 0 up to a factor? Then none are needed: who is not heard is left out.
bool count_alike(const std::vector<double>& weights);

/// Calls `combined(numbers, weights)` for each coordinate of the answers, with weights that are
/// empty if all who are heard count alike. Collective.
template <class Combine>
void fold_by_coordinate(Network& network, AgentView& answers, const Heard& heard, VectorXd& result,
                        const Combine& combined) {
  static const std::vector<double> alike;
  const std::vector<double>& weights = count_alike(heard.weights) ? alike : heard.weights;
  network.fold_coordinates(
      answers, [&](std::span<double> numbers) { return combined(numbers, weights); }, result);
}

}  // namespace echelon::detail

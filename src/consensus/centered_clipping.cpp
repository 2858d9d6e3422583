#include <algorithm>
#include <cmath>
#include <limits>

#include "echelon/core/parallel.hpp"
#include "nearest.hpp"
#include "strategies.hpp"

namespace echelon {

void CenteredClippingOptions::visit(OptionVisitor& visitor) {
  detail::visit_nearest(visitor, mix_nearest, trimmed_fraction);
  visitor("clipping_radius", clipping_radius, at_least(0),
          "clipping radius t; 0 = chosen each round from the observed distances");
  visitor("clipping_rounds", clipping_rounds, between(1, 100),
          "number of moves of the center per call");
}

namespace detail {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// v <- v + sum u_i (m_i - v) min(1, t / |m_i - v|), clipping_rounds times; v stays from call to
/// call. t = clipping_radius; 0: the median of |m_i - v|.
class CenteredClipping final : public AggregationRule {
 public:
  CenteredClipping(const CenteredClippingOptions& options, const AggregationContext& context)
      : context_(context), options_(options), nearest_(nearest_mixing(options, context)) {
    if (context.heights.empty()) return;
    center_ = Eigen::MatrixXd::Zero(context.offsets.back() + context.heights.back(), 1);
  }

  void combine(AgentView& answers, const Heard& heard, VectorXd& result) override {
    if (nearest_) (*nearest_)(answers, heard);
    clip(answers, heard, result);
  }

  void visit_state(StateVisitor& visitor) override { visitor.replicated("center", center_); }

 private:
  /// Row k: |m_i - v| of part k; not-a-number for who is left out.
  void measure(const AgentView& answers, AgentMatrix& distances) const {
    parallel_for(static_cast<int>(answers.cols()), [&](int i) {
      for (std::size_t k = 0; k < context_.heights.size(); ++k) {
        distances(static_cast<Index>(k), i) =
            std::sqrt(squared_distance(answers.col(i).data() + context_.offsets[k],
                                       center_.data() + context_.offsets[k], context_.heights[k]));
      }
    });
  }

  void clip(AgentView& answers, const Heard& heard, VectorXd& result) {
    Network& network = context_.network;

    const auto parts = static_cast<Index>(context_.heights.size());
    AgentMatrix& distances = network.scratch("distances", parts);
    AgentMatrix& moves = network.scratch("clipped", answers.rows());
    AgentMatrix& weights = network.scratch("weights", 1);
    const auto agents = static_cast<int>(answers.cols());
    const auto weight_of = [&](int i) {
      if (heard.weights.empty()) return 1.0;
      return heard
          .weights[static_cast<std::size_t>(network.agents().local[static_cast<std::size_t>(i)])];
    };
    for (int i = 0; i < agents; ++i) {
      weights(0, i) = answers.rows() == 0 || std::isnan(answers(0, i)) ? 0 : weight_of(i);
    }
    VectorXd total, radii = VectorXd::Constant(parts, options_.clipping_radius), move;
    network.sum_at_server(weights, total);
    for (std::int64_t round = 0; round < options_.clipping_rounds && total(0) > 0; ++round) {
      measure(answers, distances);
      if (options_.clipping_radius == 0) {
        network.fold_coordinates(
            distances,
            [&](std::span<double> numbers) { return weighted_median(numbers, heard.weights); },
            radii);
      }
      parallel_for(agents, [&](int i) {
        moves.col(i).setZero();
        if (weights(0, i) == 0) return;
        for (Index k = 0; k < parts; ++k) {
          const auto at = static_cast<std::size_t>(k);
          const double clipped = distances(k, i) > radii(k) ? radii(k) / distances(k, i) : 1;
          moves.col(i).segment(context_.offsets[at], context_.heights[at]) =
              weights(0, i) * clipped *
              (answers.col(i).segment(context_.offsets[at], context_.heights[at]) -
               center_.col(0).segment(context_.offsets[at], context_.heights[at]));
        }
      });
      network.sum_at_server(moves, move);
      center_.col(0) += move / total(0);
    }
    result = center_.col(0);
    if (total(0) == 0) result.setConstant(not_a_number);
  }

  AggregationContext context_;
  CenteredClippingOptions options_;
  std::optional<NearestMixing> nearest_;
  Eigen::MatrixXd center_;  ///< v, d x 1
};

}  // namespace

std::vector<AggregationEntry> centered_clipping_parts() {
  return {{.name = "centered-clipping",
           .summary =
               "a center that no response moves by more than its weight times a radius; tolerates "
               "fewer attackers than half of the agents",
           .formula =
               "v <- v + sum u_i (m_i - v) min(1, t / |m_i - v|), several times; v stays from call "
               "to call",
           .reference = "S. P. Karimireddy, L. He, M. Jaggi, ICML 2021, arXiv:2012.10333",
           .aliases = {"clipping"},
           .options = CenteredClippingOptions{},
           .require_tolerable =
               [](const PartOptions& given, AgentId attackers, AgentId agents,
                  const std::string& where) {
                 const auto& options = given.as<CenteredClippingOptions>();
                 require_minority("centered-clipping", attackers, agents, where);
                 if (!options.mix_nearest) return;
                 require_trimmed("centered-clipping", options.trimmed_fraction, attackers, agents,
                                 where);
               },
           .make =
               [](const PartOptions& options, const AggregationContext& context) {
                 return std::make_unique<CenteredClipping>(options.as<CenteredClippingOptions>(),
                                                           context);
               }}};
}

}  // namespace detail

}  // namespace echelon

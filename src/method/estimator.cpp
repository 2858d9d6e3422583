#include "echelon/method/estimator.hpp"

#include <utility>

namespace echelon {

namespace detail {
std::vector<EstimatorEntry> built_in_estimators();
}

namespace {

/// An estimator of agents whose clients take turns: its memory is of those who sit there, and
/// starts anew with the next round.
class OfRound final : public GradientEstimator {
 public:
  OfRound(std::unique_ptr<GradientEstimator> inner, const Participation& participation)
      : inner_(std::move(inner)), turn_(&participation) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    if (turn_.has_changed()) inner_->forget();
    inner_->estimate(sample, point, oracle, outputs);
  }

  void visit_state(StateVisitor& visitor) override {
    inner_->visit_state(visitor);
    visitor.within("turn", turn_);
  }

 private:
  std::unique_ptr<GradientEstimator> inner_;
  Turn turn_;
};

}  // namespace

std::unique_ptr<GradientEstimator> make_estimator(const Chosen<EstimatorEntry>& chosen,
                                                  const EstimatorContext& context) {
  auto estimator = chosen->make(chosen.options(), context);
  const bool rotates = context.participation != nullptr && context.participation->rotates();
  if (!rotates || !chosen->traits(chosen.options()).remembers) return estimator;
  return std::make_unique<OfRound>(std::move(estimator), *context.participation);
}

PartList<EstimatorEntry>& estimator_catalog() {
  static PartList<EstimatorEntry> parts("gradient estimator", detail::built_in_estimators());
  return parts;
}

}  // namespace echelon

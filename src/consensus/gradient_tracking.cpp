#include "strategies.hpp"

namespace echelon::detail {

namespace {

enum class Form { atc, semi, nonatc };

/// The tracker T follows the network mean of the directions: mean(T) = mean(G) at every step. First
/// step T = G; later
///   atc      T <- W (T + G - G_last)     S <- W (S - a T)
///   semi     T <- W T + G - G_last       S <- W (S - a T)
///   nonatc   T <- W T + G - G_last       S <- W S - a T
class GradientTracking final : public ConsensusStrategy {
 public:
  GradientTracking(const StrategyContext& context, Form form)
      : mix_tracker_(context.network.mixer(context.variable + " (tracker)", context.dimension,
                                           mixing(context.options))),
        mix_value_(
            context.network.mixer(context.variable, context.dimension, mixing(context.options))),
        form_(form),
        tracker_(context.dimension, context.network.agents().count()),
        last_(context.dimension, context.network.agents().count()) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    if (started_ == 0) {
      tracker_.copy_from(direction);
      started_ = 1;
    } else if (form_ == Form::atc) {
      mix_tracker_(tracker_, tracker_ + direction - last_);
    } else {
      mix_tracker_(tracker_, tracker_, direction - last_);
    }
    swap(last_, direction);
    if (form_ == Form::nonatc) {
      mix_value_(value, value, -step * tracker_);
    } else {
      mix_value_(value, value - step * tracker_);
    }
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.per_agent("tracker", tracker_);
    visitor.per_agent("last_direction", last_);
    visitor.replicated("started", started_);
    visitor.within("mix_tracker", mix_tracker_);
    visitor.within("mix", mix_value_);
  }

 private:
  Mixer mix_tracker_;
  Mixer mix_value_;
  Form form_;
  AgentMatrix tracker_;
  AgentMatrix last_;
  std::int64_t started_ = 0;
};

StrategyEntry entry(Form form, std::string name, std::string recursion, std::string reference) {
  return {.name = std::move(name),
          .summary =
              "gradient tracking: a second vector follows the mean direction, so constant steps "
              "are exact",
          .recursion = std::move(recursion),
          .reference = std::move(reference),
          .need = NetworkNeed::doubly_stochastic,
          .changing_network = true,
          .vectors_sent = 2,
          .personal = false,
          .exact_on_heterogeneous = true,
          .projectable = true,
          .invariant = Invariant::tracker_mean,
          .make = [form](const StrategyContext& context) {
            return std::make_unique<GradientTracking>(context, form);
          }};
}

}  // namespace

StrategyEntry gt_atc_entry() {
  return entry(Form::atc, "gt-atc", "T <- W (T + G - G_last);  S <- W (S - a T)",
               "J. Xu, S. Zhu, Y. C. Soh, L. Xie, CDC 2015; P. Di Lorenzo, G. Scutari, IEEE TSIPN "
               "2(2), 2016, arXiv:1602.00591");
}

StrategyEntry gt_semi_entry() {
  return entry(Form::semi, "gt-semi", "T <- W T + G - G_last;  S <- W (S - a T)",
               "K. Yuan, S. A. Alghunaim, B. Ying, A. H. Sayed (unified view of the tracking "
               "forms), 2020, arXiv:2002.12645");
}

StrategyEntry gt_nonatc_entry() {
  return entry(Form::nonatc, "gt-nonatc", "T <- W T + G - G_last;  S <- W S - a T",
               "A. Nedic, A. Olshevsky, W. Shi, SIAM J. Optimization 27(4), 2017, "
               "arXiv:1607.03218; G. Qu, N. Li, IEEE TCNS 5(3), 2018, arXiv:1605.07112");
}

}  // namespace echelon::detail

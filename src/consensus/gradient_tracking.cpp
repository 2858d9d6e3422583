#include "tracker.hpp"

namespace echelon::detail {

namespace {

enum class Form { atc, semi, nonatc };

///   atc      T <- W (T + G - G_last)     S <- W (S - a T)
///   semi     T <- W T + G - G_last       S <- W (S - a T)
///   nonatc   T <- W T + G - G_last       S <- W S - a T
class GradientTracking final : public ConsensusStrategy {
 public:
  GradientTracking(const StrategyContext& context, Form form)
      : tracker_(context, Weights::given, form == Form::atc),
        mix_(context.network.mixer(context.variable, context.dimension,
                                   mixing(context.options.as<MixingOptions>()))),
        form_(form) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const AgentMatrix& tracked = tracker_.follow(direction);
    if (form_ == Form::nonatc) {
      mix_(value, value, -step * tracked);
    } else {
      mix_(value, value - step * tracked);
    }
  }

  void forget() override { tracker_.forget(); }

  void visit_state(StateVisitor& visitor) override {
    tracker_.visit_state(visitor);
    visitor.within("mix", mix_);
  }

 private:
  Tracker tracker_;
  Mixer mix_;
  Form form_;
};

StrategyEntry entry(Form form, std::string name, std::vector<std::string> aliases,
                    std::string recursion, std::string reference) {
  return {.name = std::move(name),
          .summary =
              "gradient tracking: a second vector follows the mean direction, so constant steps "
              "are exact",
          .recursion = std::move(recursion),
          .reference = std::move(reference),
          .aliases = std::move(aliases),
          .options = MixingOptions{},
          .traits = [](const PartOptions& options) { return tracking_traits(options, 2); },
          .make =
              [form](const StrategyContext& context) {
                return std::make_unique<GradientTracking>(context, form);
              }};
}

}  // namespace

std::vector<StrategyEntry> gradient_tracking_parts() {
  return {
      entry(Form::atc, "gt-atc", {"gradient-tracking", "gt", "aug-dgm", "next"},
            "T <- W (T + G - G_last);  S <- W (S - a T)",
            "J. Xu, S. Zhu, Y. C. Soh, L. Xie, CDC 2015; P. Di Lorenzo, G. Scutari, IEEE TSIPN "
            "2(2), 2016, arXiv:1602.00591"),
      entry(Form::semi, "gt-semi", {}, "T <- W T + G - G_last;  S <- W (S - a T)",
            "K. Yuan, S. A. Alghunaim, B. Ying, A. H. Sayed (unified view of the tracking "
            "forms), 2020, arXiv:2002.12645"),
      entry(Form::nonatc, "gt-nonatc", {"diging"}, "T <- W T + G - G_last;  S <- W S - a T",
            "A. Nedic, A. Olshevsky, W. Shi, SIAM J. Optimization 27(4), 2017, "
            "arXiv:1607.03218; G. Qu, N. Li, IEEE TCNS 5(3), 2018, arXiv:1605.07112"),
  };
}

}  // namespace echelon::detail

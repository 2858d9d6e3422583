#include "echelon/core/error.hpp"
#include "tracker.hpp"

namespace echelon::detail {

namespace {

/// Senders split numerators u and masses w (1 at first) by column weights C; the value is the
/// ratio:
///   w_next = C w,   u_next = C u,   S = u / w
/// u = w S is not carried: it is made anew from the value, in one block [u; w] of d + 1 rows.
class Ratio {
 public:
  explicit Ratio(const StrategyContext& context)
      : network_(context.network),
        mix_(context.network.mixer(context.variable + " (with mass)", context.dimension + 1,
                                   mixing(context.options.as<MixingOptions>(), Weights::column))),
        mass_(1, context.network.agents().count()) {
    const Certificate& certificate = context.network.certificate();
    require(certificate.smallest_weight >= 0 || certificate.doubly_stochastic(), ErrorKind::usage,
            "consensus.", context.variable, ": masses need not stay positive (a weight is ",
            certificate.smallest_weight, "); use weights that are not negative");
    mass_.setOnes();
  }

  /// S <- (C (w S - a_first D) - a_later D) / (C w)
  void step(AgentMatrix& value, const AgentMatrix& direction, double first, double later) {
    const Index d = value.rows();
    AgentMatrix& stacked = network_.scratch("push-sum", d + 1);
    const int agents = static_cast<int>(value.cols());
    parallel_for(agents, [&](int i) {
      stacked.col(i).head(d) = mass_(0, i) * value.col(i) - first * direction.col(i);
      stacked(d, i) = mass_(0, i);
    });
    mix_(stacked, stacked);
    parallel_for(agents, [&](int i) {
      mass_(0, i) = stacked(d, i);
      value.col(i) = (stacked.col(i).head(d) - later * direction.col(i)) / mass_(0, i);
    });
  }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("mass", mass_);
    visitor.within("mix", mix_);
  }

 private:
  Network& network_;
  Mixer mix_;
  AgentMatrix mass_;
};

/// u <- C u - a G(u / w);  w <- C w
class PushSum final : public ConsensusStrategy {
 public:
  explicit PushSum(const StrategyContext& context) : ratio_(context) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    ratio_.step(value, direction, 0, step);
  }
  void visit_state(StateVisitor& visitor) override { ratio_.visit_state(visitor); }

 private:
  Ratio ratio_;
};

/// First step T = G; later T <- C T + G - G_last.   u <- C (u - a T);  w <- C w
class PushDiging final : public ConsensusStrategy {
 public:
  explicit PushDiging(const StrategyContext& context)
      : tracker_(context, Weights::column), ratio_(context) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    ratio_.step(value, tracker_.follow(direction), step, 0);
  }

  void forget() override { tracker_.forget(); }

  void visit_state(StateVisitor& visitor) override {
    tracker_.visit_state(visitor);
    ratio_.visit_state(visitor);
  }

 private:
  Tracker tracker_;
  Ratio ratio_;
};

}  // namespace

std::vector<StrategyEntry> push_sum_parts() {
  return {
      {.name = "push-sum",
       .summary = "gradient-push: gossip for directed graphs; biased on heterogeneous agents at "
                  "constant steps",
       .recursion = "u <- C u - a G;  w <- C w;  S = u / w",
       .reference = "D. Kempe, A. Dobra, J. Gehrke, FOCS 2003; A. Nedic, A. Olshevsky, IEEE Trans. "
                    "Automatic Control 60(3), 2015, arXiv:1303.2289",
       .aliases = {"sgp", "gradient-push", "subgradient-push"},
       .options = MixingOptions{},
       .traits =
           [](const PartOptions& options) {
             const auto rounds = static_cast<double>(options.as<MixingOptions>().mixing_rounds);
             return StrategyTraits{.need = NetworkNeed::connected,
                                   .vectors_sent = rounds,
                                   .exact_on_heterogeneous = false,
                                   .projectable = false,
                                   .invariant = Invariant::unit_mass};
           },
       .make = [](const StrategyContext& context) { return std::make_unique<PushSum>(context); }},
      {.name = "push-diging",
       .summary = "gradient tracking for directed graphs by push-sum: column weights only",
       .recursion = "T <- C T + G - G_last;  u <- C (u - a T);  w <- C w;  S = u / w",
       .reference =
           "A. Nedic, A. Olshevsky, W. Shi, SIAM J. Optimization 27(4), 2017, arXiv:1607.03218",
       .aliases = {"add-opt"},
       .options = MixingOptions{},
       .traits =
           [](const PartOptions& options) {
             StrategyTraits traits = tracking_traits(options, 2);
             traits.need = NetworkNeed::connected;
             traits.projectable = false;
             return traits;
           },
       .make =
           [](const StrategyContext& context) { return std::make_unique<PushDiging>(context); }}};
}

}  // namespace echelon::detail

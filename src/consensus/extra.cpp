#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// extra             S_next = W~ (2 S - S_last) - a (G - G_last)          first step W~ S - a G
/// exact diffusion   S_next = W~ (2 S - S_last - a (G - G_last))          first step W~ (S - a G)
/// with W~ = (I + W) / 2, or W itself if not lazy. In that form rounding builds up in the mean,
/// where nothing corrects it. So carry the increment d = S - S_last and the product A = a_last
/// G_last, both 0 before the first step, and add differences, whose rounding vanishes with the
/// disagreement:
///   z = S + d  (extra),  S + d - (a G - A)  (exact diffusion)
///   d_i <- d_i + sum_j w~_ij (z_j - z_i) - (a G - A)_i ;   S <- S + d ;   A <- a G
class TwoPoint final : public ConsensusStrategy {
 public:
  TwoPoint(const StrategyContext& context, bool adapt_first)
      : adapt_first_(adapt_first),
        halved_(is_halved(context.options)),
        mix_(context.network.mixer(context.variable, context.dimension,
                                   two_point_mixing(context.options))),
        increment_(context.dimension, context.network.agents().count()),
        product_(context.dimension, context.network.agents().count()) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const double share = halved_ ? 0.5 : 1.0;
    if (adapt_first_) {
      mix_.difference(increment_, share * (value + increment_ - (step * direction - product_)),
                      increment_ - (step * direction - product_));
    } else {
      mix_.difference(increment_, share * (value + increment_),
                      increment_ - (step * direction - product_));
    }
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      value.col(i) += increment_.col(i);
      direction.col(i) *= step;
    });
    swap(product_, direction);
  }

  void forget() override {
    increment_.setZero();
    product_.setZero();
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.per_agent("increment", increment_);
    visitor.per_agent("product", product_);
    visitor.within("mix", mix_);
  }

 private:
  /// A Chebyshev polynomial P of W has eigenvalues in [-1, 1] even if those of W are positive, so
  /// laziness is put around it: (I + P) / 2, that is half of the differences.
  static bool is_halved(const StrategyOptions& options) {
    return options.lazy && options.chebyshev && options.mixing_rounds > 1;
  }
  static Mixing two_point_mixing(const StrategyOptions& options) {
    Mixing chosen = mixing(options);
    chosen.lazy = options.lazy && !is_halved(options);
    return chosen;
  }

  bool adapt_first_;
  bool halved_;
  Mixer mix_;
  AgentMatrix increment_;
  AgentMatrix product_;
};

StrategyEntry entry(bool adapt_first, std::string name, std::string summary, std::string recursion,
                    std::string reference) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .recursion = std::move(recursion),
          .reference = std::move(reference),
          .need = NetworkNeed::symmetric,
          .changing_network = false,
          .vectors_sent = 1,
          .personal = false,
          .exact_on_heterogeneous = true,
          .projectable = false,
          .invariant = Invariant::mean_step,
          .make = [adapt_first](const StrategyContext& context) {
            return std::make_unique<TwoPoint>(context, adapt_first);
          }};
}

}  // namespace

StrategyEntry extra_entry() {
  return entry(false, "extra",
               "corrected DGD: constant steps are exact at half of tracking's traffic",
               "S_next = W~ (2 S - S_last) - a (G - G_last),  W~ = (I + W) / 2",
               "W. Shi, Q. Ling, G. Wu, W. Yin, SIAM J. Optimization 25(2), 2015, arXiv:1404.6264");
}

StrategyEntry exact_diffusion_entry() {
  return entry(true, "exact-diffusion",
               "corrected diffusion (D2): constant steps are exact at half of tracking's traffic",
               "S_next = W~ (2 S - S_last - a (G - G_last)),  W~ = (I + W) / 2",
               "K. Yuan, B. Ying, X. Zhao, A. H. Sayed, IEEE Trans. Signal Processing 67(3), 2019, "
               "arXiv:1702.05122; H. Tang, X. Lian, M. Yan, C. Zhang, J. Liu, ICML 2018, "
               "arXiv:1803.07068");
}

}  // namespace echelon::detail

#include <cmath>

#include "strategies.hpp"

namespace echelon {

void TwoPointOptions::visit(OptionVisitor& visitor) {
  mixing.visit(visitor);
  visitor("lazy", lazy,
          "mix with (I + W) / 2; off: with W, whose eigenvalues must then be above -1/3");
}

namespace detail {

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
        halved_(is_halved(context.options.as<TwoPointOptions>())),
        mix_(context.network.mixer(context.variable, context.dimension,
                                   two_point_mixing(context.options.as<TwoPointOptions>()))),
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
  static bool is_halved(const TwoPointOptions& options) {
    return options.lazy && options.mixing.chebyshev && options.mixing.mixing_rounds > 1;
  }
  static Mixing two_point_mixing(const TwoPointOptions& options) {
    Mixing chosen = mixing(options.mixing);
    chosen.lazy = options.lazy && !is_halved(options);
    return chosen;
  }

  bool adapt_first_;
  bool halved_;
  Mixer mix_;
  AgentMatrix increment_;
  AgentMatrix product_;
};

/// Smallest eigenvalue (for Chebyshev polynomials: a lower bound) of what `options` make of W.
double smallest_eigenvalue_mixed(const MixingOptions& options, const Certificate& certificate) {
  const auto rounds = static_cast<double>(options.mixing_rounds);
  if (options.mixing_rounds == 1) return certificate.smallest_eigenvalue;
  if (options.chebyshev) {  // |T_t| <= 1 where W / b has its other eigenvalues
    const double b = certificate.second_eigenvalue;
    return b > 0 ? -1 / std::cosh(rounds * std::acosh(1 / b)) : 0;
  }
  return std::pow(certificate.smallest_eigenvalue, rounds);
}

/// The two-point recursions have the roots w +- sqrt(w^2 - w) for an eigenvalue w of what they mix
/// with: inside the unit circle for -1/3 < w < 1.
void require_stable(const std::string& name, const TwoPointOptions& options,
                    const Certificate& certificate, const std::string& where) {
  if (options.lazy) return;
  const double smallest = smallest_eigenvalue_mixed(options.mixing, certificate);
  constexpr double rounding = 1e-9;
  require(smallest > -1.0 / 3 + rounding, ErrorKind::usage, where, ": the network cannot serve `",
          name, "` without laziness (the smallest eigenvalue of its matrix is ", smallest,
          ", and at -1/3 or below disagreement grows); use lazy = yes, or network.lazy = yes");
}

StrategyEntry entry(bool adapt_first, const std::string& name, std::vector<std::string> aliases,
                    std::string summary, std::string recursion, std::string reference) {
  return {.name = name,
          .summary = std::move(summary),
          .recursion = std::move(recursion),
          .reference = std::move(reference),
          .aliases = std::move(aliases),
          .options = TwoPointOptions{},
          .traits =
              [](const PartOptions& options) {
                const MixingOptions& mixing = options.as<TwoPointOptions>().mixing;
                return StrategyTraits{.need = NetworkNeed::symmetric,
                                      .changing_network = false,
                                      .vectors_sent = static_cast<double>(mixing.mixing_rounds),
                                      .projectable = false,
                                      .invariant = Invariant::mean_step};
              },
          .require_served =
              [name](const PartOptions& options, const Certificate& certificate,
                     const std::string& where) {
                require_stable(name, options.as<TwoPointOptions>(), certificate, where);
              },
          .make =
              [adapt_first](const StrategyContext& context) {
                return std::make_unique<TwoPoint>(context, adapt_first);
              }};
}

}  // namespace

std::vector<StrategyEntry> extra_parts() {
  return {
      entry(false, "extra", {},
            "corrected DGD: constant steps are exact at half of tracking's traffic",
            "S_next = W~ (2 S - S_last) - a (G - G_last),  W~ = (I + W) / 2",
            "W. Shi, Q. Ling, G. Wu, W. Yin, SIAM J. Optimization 25(2), 2015, arXiv:1404.6264"),
      entry(true, "exact-diffusion", {"d2", "ed"},
            "corrected diffusion (D2): constant steps are exact at half of tracking's traffic",
            "S_next = W~ (2 S - S_last - a (G - G_last)),  W~ = (I + W) / 2",
            "K. Yuan, B. Ying, X. Zhao, A. H. Sayed, IEEE Trans. Signal Processing 67(3), 2019, "
            "arXiv:1702.05122; H. Tang, X. Lian, M. Yan, C. Zhang, J. Liu, ICML 2018, "
            "arXiv:1803.07068"),
  };
}

}  // namespace detail

}  // namespace echelon

#include "rounds.hpp"

#include <cstring>

#include "echelon/consensus/compressed_exchange.hpp"

namespace echelon::detail {

namespace {

using ConstVectors = Eigen::Map<const Eigen::MatrixXd>;

/// Doubles, by the mixer of the agents' blocks.
class DoubleRounds final : public Rounds<double> {
 public:
  DoubleRounds(Network& network, const std::string& name, Index size, const Mixing& mixing)
      : name_(name),
        rounds_(mixing.rounds),
        at_once_(mixing.chebyshev && mixing.rounds > 1),
        mixer_(network, name, size, at_once_ ? mixing : single(mixing)),
        mixed_(size, 1) {
    require(mixing.rounds >= 1, ErrorKind::usage, "variable `", name, "`: ", mixing.rounds,
            " rounds make no step; use 1 or more");
  }

  void start(const double* in) override {
    require(!at_once_, ErrorKind::usage, "variable `", name_,
            "`: Chebyshev rounds cannot be split into start and finish (each needs the one before);"
            " use mix");
    mixer_.start(column(in));
  }
  void progress() override { mixer_.progress(); }
  void finish(double* out) override {
    mixer_.finish(mixed_);
    go_on(out);
  }
  void mix(const double* in, double* out) override {
    mixer_(mixed_, column(in));
    go_on(out);
  }
  std::uint64_t round() const override { return mixer_.round(); }

 private:
  static Mixing single(Mixing mixing) {
    mixing.rounds = 1;
    return mixing;
  }
  ConstVectors column(const double* in) const { return {in, mixed_.rows(), 1}; }
  void go_on(double* out) {
    for (int t = 1; t < rounds_ && !at_once_; ++t) mixer_(mixed_, mixed_);
    std::copy_n(mixed_.data(), mixed_.rows(), out);
  }

  std::string name_;
  int rounds_;
  bool at_once_;  ///< all rounds by one call of the mixer
  Mixer mixer_;
  AgentMatrix mixed_;
};

/// Floats, four bytes each on the wire.
class FloatRounds final : public Rounds<float> {
 public:
  FloatRounds(Network& network, const std::string& name, Index size, const Mixing& mixing)
      : size_(static_cast<std::size_t>(size)),
        rounds_(mixing.rounds),
        mixer_(network, name, size_ * sizeof(float), mixing) {
    require(mixing.rounds >= 1, ErrorKind::usage, "variable `", name, "`: ", mixing.rounds,
            " rounds make no step; use 1 or more");
    require(!mixing.chebyshev || mixing.rounds == 1, ErrorKind::usage, "variable `", name,
            "`: Chebyshev acceleration is for doubles (it amplifies rounding); use a variable of "
            "doubles, or more rounds without it");
  }

  void start(const float* in) override {
    mixer_.start([&](int, std::span<std::byte> message) {
      std::memcpy(message.data(), in, message.size());
    });
  }
  void progress() override { mixer_.progress(); }
  void finish(float* out) override {
    finish_one(out);
    for (int t = 1; t < rounds_; ++t) {
      start(out);
      finish_one(out);
    }
  }
  std::uint64_t round() const override { return mixer_.round(); }

 private:
  void finish_one(float* out) {
    mixer_.finish([&](int, std::span<const MessageMixer::Received> received) {
      mix_messages(received, 0, std::span(out, size_));
    });
  }

  std::size_t size_;
  int rounds_;
  MessageMixer mixer_;
};

template <class Scalar>
class CompressedRounds final : public Rounds<Scalar> {
 public:
  CompressedRounds(Network& network, const std::string& name, Index size,
                   const CompressedMixing& mixing)
      : CompressedRounds(
            {network, name, size,
             CompressedOptions{.consensus_step = mixing.gamma, .compressor = mixing.compressor},
             mixing.seed}) {}

  void start(const Scalar* in) override {
    for (Index r = 0; r < started_.rows(); ++r) started_(r, 0) = in[r] + rounding_(r, 0);
    references_.send(started_);
  }
  void progress() override { references_.progress(); }
  void finish(Scalar* out) override {
    references_.receive();
    for (Index r = 0; r < started_.rows(); ++r) {
      const double mixed = started_(r, 0) + gamma_ * references_.difference()(r, 0);
      out[r] = static_cast<Scalar>(mixed);
      rounding_(r, 0) = mixed - out[r];
    }
  }
  std::uint64_t round() const override { return references_.round(); }

 private:
  explicit CompressedRounds(const StrategyContext& context)
      : CompressedRounds(context, compressor_of(context)) {}
  CompressedRounds(const StrategyContext& context,
                   const std::shared_ptr<const Compressor>& compressor)
      : gamma_(consensus_step(context, *compressor)),
        references_(context, "value", compressor),
        started_(context.dimension, 1),
        rounding_(context.dimension, 1) {}

  double gamma_;
  CompressedExchange references_;
  AgentMatrix started_;   ///< x at `start`
  AgentMatrix rounding_;  ///< what x lost as floats; kept, so that the mean does not drift
};

}  // namespace

template <>
std::unique_ptr<Rounds<double>> make_rounds(Network& network, const std::string& name, Index size,
                                            const Mixing& mixing) {
  return std::make_unique<DoubleRounds>(network, name, size, mixing);
}

template <>
std::unique_ptr<Rounds<float>> make_rounds(Network& network, const std::string& name, Index size,
                                           const Mixing& mixing) {
  return std::make_unique<FloatRounds>(network, name, size, mixing);
}

template <class Scalar>
std::unique_ptr<Rounds<Scalar>> make_rounds(Network& network, const std::string& name, Index size,
                                            const CompressedMixing& mixing) {
  require(mixing.gamma >= 0 && mixing.gamma <= 1, ErrorKind::usage, "variable `", name,
          "`: gamma = ", mixing.gamma,
          ": out of range; choose a value in (0, 1], or 0 for one that suits the compressor");
  const Certificate& certificate = network.certificate();
  require(network.schedule().fixed() && certificate.symmetric && certificate.row_stochastic,
          ErrorKind::usage, "variable `", name,
          "`: compressed mixing needs a symmetric matrix that does not change; use an undirected, "
          "fixed network, or mix without compression");
  require(mixing.gamma > 0 || certificate.spectral_gap > 0 || certificate.agents == 1,
          ErrorKind::usage, "variable `", name,
          "`: no step suits a network without a spectral gap; connect it, make its matrix lazy, or "
          "choose gamma");
  return std::make_unique<CompressedRounds<Scalar>>(network, name, size, mixing);
}

template std::unique_ptr<Rounds<float>> make_rounds(Network&, const std::string&, Index,
                                                    const CompressedMixing&);
template std::unique_ptr<Rounds<double>> make_rounds(Network&, const std::string&, Index,
                                                     const CompressedMixing&);

}  // namespace echelon::detail

#include "rounds.hpp"

#include <cstring>

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

double step_for(const Network& network, const Compressor& compressor, Index size, double gamma) {
  if (gamma > 0) return gamma;
  return std::min(1.0, compressor.contraction(size) * network.certificate().spectral_gap);
}

/// What a rank needs of its neighbors' references is their weighted difference to its own, which
/// changes by that of the messages.
template <class Scalar>
class CompressedRounds final : public Rounds<Scalar> {
 public:
  CompressedRounds(Network& network, const std::string& name, Index size,
                   const CompressedMixing& mixing)
      : compressor_(make_compressor(mixing.compression, size)),
        mixer_(network, name + " (compressed)", compressor_->bytes(size)),
        self_(network.communicator().rank()),
        seed_(mixing.seed),
        gamma_(step_for(network, *compressor_, size, mixing.gamma)),
        scale_(1 / (1 + compressor_->variance(size))),
        started_(static_cast<std::size_t>(size)),
        rounding_(started_.size(), 0.0),
        reference_(started_.size(), 0.0),
        difference_(started_.size(), 0.0),
        own_(started_.size()),
        theirs_(started_.size()) {
    for (const char letter : name) {  // FNV-1a
      stream_ = (stream_ ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
    }
  }

  void start(const Scalar* in) override {
    for (std::size_t r = 0; r < own_.size(); ++r) started_[r] = in[r] + rounding_[r];
    round_ = mixer_.round();
    mixer_.start([&](int, std::span<std::byte> message) {
      for (std::size_t r = 0; r < own_.size(); ++r) {
        own_[r] = started_[r] - reference_[r];
      }
      compressor_->encode(own_, key(self_), message);
      compressor_->decode(message, key(self_), own_);
      for (std::size_t r = 0; r < own_.size(); ++r) reference_[r] += scale_ * own_[r];
    });
  }
  void progress() override { mixer_.progress(); }
  void finish(Scalar* out) override {
    const std::size_t bytes = compressor_->bytes(static_cast<Index>(own_.size()));
    mixer_.finish([&](int, std::span<const MessageMixer::Received> received) {
      for (const MessageMixer::Received& term : received) {
        if (term.sender == self_) continue;
        compressor_->decode({term.message, bytes}, key(term.sender), theirs_);
        const double weight = scale_ * term.weight;
        for (std::size_t r = 0; r < own_.size(); ++r) {
          difference_[r] += weight * (theirs_[r] - own_[r]);
        }
      }
    });
    for (std::size_t r = 0; r < own_.size(); ++r) {
      const double mixed = started_[r] + gamma_ * difference_[r];
      out[r] = static_cast<Scalar>(mixed);
      rounding_[r] = mixed - out[r];
    }
  }
  std::uint64_t round() const override { return mixer_.round(); }

 private:
  MessageKey key(AgentId sender) const { return {seed_, stream_, round_, sender}; }

  std::unique_ptr<Compressor> compressor_;
  MessageMixer mixer_;
  AgentId self_;
  std::uint64_t seed_;
  std::uint64_t stream_ = 0xcbf29ce484222325;
  std::uint64_t round_ = 0;  ///< of the messages under way
  double gamma_;
  double scale_;                   ///< 1 / (1 + variance): unbiased compressors become contractions
  std::vector<double> started_;    ///< x at `start`
  std::vector<double> rounding_;   ///< what x lost as floats; kept, so that the mean does not drift
  std::vector<double> reference_;  ///< r_i
  std::vector<double> difference_;    ///< sum_j w_ij (r_j - r_i)
  std::vector<double> own_, theirs_;  ///< decoded messages
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

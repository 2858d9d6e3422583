#include "echelon/comm/mixer.hpp"

namespace echelon {

Mixer::Mixer(Network& network, std::string name, Index dimension, Mixing mixing)
    : network_(&network), name_(std::move(name)), dimension_(dimension), mixing_(mixing) {
  require(mixing.rounds >= 1, ErrorKind::usage, "mixing of variable `", name_, "`: ", mixing.rounds,
          " rounds make no step; use 1 or more");
  if (!mixing.chebyshev || mixing.rounds == 1) return;
  const Certificate& certificate = network.certificate();
  require(network.schedule().fixed() && certificate.symmetric, ErrorKind::usage,
          "mixing of variable `", name_,
          "`: Chebyshev acceleration needs a symmetric matrix that does not change; switch it off "
          "or use an undirected, fixed network");
  require(certificate.second_eigenvalue < 1, ErrorKind::usage, "mixing of variable `", name_,
          "`: Chebyshev acceleration needs a connected network with a known spectral gap");
}

void Mixer::begin_round(Exchange::Pace pace) {
  exchange_ = network_->acquire(dimension_);
  exchange_->begin(network_->plan(round(), mixing_), name_, pace);
  ++round_;
}

void Mixer::end_round() {
  exchange_->end();
  const auto bytes = dimension_ * static_cast<Index>(sizeof(double));
  network_->count_round(exchange_->plan(), bytes, exchange_->bytes_per_round(),
                        RoundNote::Kind::neighbors);
  network_->release(std::move(exchange_));
}

Mixer Mixer::single() const {
  Mixing one = mixing_;
  one.rounds = 1;
  Mixer mixer(*network_, name_, dimension_, one);
  mixer.round_ = round_;
  return mixer;
}

// With c_k = T_k(1 / b):  x_{k+1} = 2 c_k / (b c_{k+1}) W x_k - c_{k-1} / c_{k+1} x_{k-1}
void Mixer::chebyshev(Mixer& once, AgentMatrix& out, AgentMatrix& previous) const {
  const double second = network_->certificate().second_eigenvalue;
  const double b = mixing_.lazy ? (1 + second) / 2 : second;
  once(out, previous);
  if (b < 1e-6) {  // W averages at once
    for (int t = 1; t < mixing_.rounds; ++t) once(out, out);
    return;
  }
  double c_before = 1;
  double c = 1 / b;
  for (int t = 1; t < mixing_.rounds; ++t) {
    const double c_next = 2 / b * c - c_before;
    once(previous, 2 * c / (b * c_next) * out, -c_before / c_next * previous);
    swap(previous, out);
    c_before = c;
    c = c_next;
  }
}

}  // namespace echelon

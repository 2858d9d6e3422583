#include "echelon/embed/gossip.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "echelon/comm/message_mixer.hpp"
#include "echelon/comm/multiply_add.hpp"
#include "echelon/core/fnv.hpp"
#include "echelon/topology/topologies.hpp"
#include "rounds.hpp"

namespace echelon {

namespace {

/// Non-negative, so that its negative exists as well.
class Digest {
 public:
  void add(std::uint64_t word) { fnv_.add_number(word); }
  void add(double number) { add(std::bit_cast<std::uint64_t>(number)); }
  void add(const std::string& letters) { fnv_.add(std::string_view(letters)); }
  std::int64_t value() const { return static_cast<std::int64_t>(fnv_.value() >> 1); }

 private:
  Fnv<> fnv_;
};

/// Of one number on all ranks.
struct Extremes {
  std::int64_t low;
  std::int64_t high;
  bool agree() const { return low == high; }
};

void require_same(bool condition, const std::string& message) {
  if (!condition) throw Error(ErrorKind::usage, message, true);
}

/// Collective. Refuses, on all ranks, what is not the same everywhere.
void agree(const Communicator& ranks, const std::string& what, std::int64_t size,
           std::int64_t digest) {
  std::int64_t numbers[] = {size, -size, digest, -digest};
  ranks.maximum(numbers, "all ranks to make or reduce a variable");
  const Extremes sizes{-numbers[1], numbers[0]};
  const Extremes digests{-numbers[3], numbers[2]};
  require_same(sizes.agree(), text(what, ": between ", sizes.low, " and ", sizes.high,
                                   " numbers on different ranks (it is equally long everywhere); "
                                   "pass the same size on all ranks"));
  require_same(digests.agree(), text(what,
                                     ": name, type or options differ between ranks; make the same "
                                     "variables in the same order on all ranks"));
}

void add(Digest& digest, const Mixing& mixing) {
  digest.add(text("mixing ", static_cast<int>(mixing.weights), mixing.lazy, ' ', mixing.rounds, ' ',
                  mixing.chebyshev));
}

void add(Digest& digest, const CompressedMixing& mixing) {
  digest.add(text("compressed ", mixing.compressor->name, ' ', mixing.seed));
  for (const auto& option : describe_options(mixing.compressor.options())) {
    digest.add(option.name + '=' + option.value);
  }
  digest.add(mixing.gamma);
}

template <class Scalar>
void agree_on_variable(const Communicator& ranks, const std::string& name, Index size,
                       Digest digest) {
  const std::string what = text("variable `", name, "`");
  digest.add(name);
  digest.add(std::uint64_t{sizeof(Scalar)});
  agree(ranks, what, size, digest.value());
  const auto most = std::numeric_limits<std::int32_t>::max();
  require_same(size >= 1 && size <= most,
               text(what, ": a size of ", size, " is out of range; use 1 to ", most, " numbers"));
}

template <class Scalar, class HowToMix>
std::unique_ptr<detail::Rounds<Scalar>> agreed_rounds(Network& network, const std::string& name,
                                                      Index size, const HowToMix& mixing) {
  Digest digest;
  add(digest, mixing);
  agree_on_variable<Scalar>(network.communicator(), name, size, digest);
  std::unique_ptr<detail::Rounds<Scalar>> rounds;
  network.communicator().together(
      [&] { rounds = detail::make_rounds<Scalar>(network, name, size, mixing); });
  return rounds;
}

/// What MPI would end the program for.
MPI_Comm checked(MPI_Comm comm) {
  int initialized = 0;
  int finalized = 0;
  check_mpi(MPI_Initialized(&initialized), "MPI_Initialized");
  check_mpi(MPI_Finalized(&finalized), "MPI_Finalized");
  require(initialized != 0 && finalized == 0, ErrorKind::usage,
          "gossip communicator: MPI is not initialized (or finalized already); use it between "
          "MPI_Init and MPI_Finalize");
  require(comm != MPI_COMM_NULL, ErrorKind::usage,
          "gossip communicator: the communicator is MPI_COMM_NULL; only its members take part");
  int inter = 0;
  check_mpi(MPI_Comm_test_inter(comm, &inter), "MPI_Comm_test_inter");
  require(inter == 0, ErrorKind::usage,
          "gossip communicator: this is an inter-communicator; merge its groups first");
  return comm;
}

std::int64_t digest_of(const MixingSchedule& schedule) {
  Digest digest;
  digest.add(schedule.period());
  const auto matrix = schedule.at(0);
  for (AgentId i = 0; i < matrix->agents(); ++i) {
    digest.add(std::uint64_t{matrix->row(i).size()});
    for (const auto& [sender, weight] : matrix->row(i)) {
      digest.add(static_cast<std::uint64_t>(sender));
      digest.add(weight);
    }
  }
  return digest.value();
}

std::shared_ptr<Network> make_network(Communicator ranks,
                                      const GossipCommunicator::MakeSchedule& make,
                                      const GossipOptions& options) {
  SharedSchedule schedule;
  std::int64_t digest = 0;
  ranks.together([&] {
    schedule = make(static_cast<AgentId>(ranks.size()));
    require(schedule != nullptr, ErrorKind::usage,
            "gossip communicator: there is no schedule; pass one");
    require(schedule->agents() == ranks.size(), ErrorKind::usage,
            "gossip communicator: the network has ", schedule->agents(), " agents for ",
            ranks.size(), " ranks (agent i is rank i); make it for one agent per rank");
    digest = digest_of(*schedule);
  });
  std::int64_t digests[] = {digest, -digest};
  ranks.maximum(digests, "all ranks to make a gossip communicator");
  require_same(digests[0] == -digests[1],
               "gossip communicator: ranks have different networks; pass the whole network, the "
               "same on all ranks");
  return std::make_shared<Network>(
      std::move(ranks), std::move(schedule),
      NetworkLayout{.owner = {}, .share_memory = options.share_memory});
}

SharedSchedule schedule_of(TopologyOptions topology, AgentId agents) {
  topology.agents = agents;
  return make_schedule(topology);
}

void require_size(const std::string& name, std::size_t given, Index right) {
  require(given == static_cast<std::size_t>(right), ErrorKind::usage, "variable `", name,
          "`: the buffer holds ", given, " numbers; it must hold ", right);
}

}  // namespace

// GossipVariable

template <class Scalar>
GossipVariable<Scalar>::GossipVariable(std::shared_ptr<Network> network, std::string name,
                                       Index size, std::unique_ptr<detail::Rounds<Scalar>> rounds)
    : network_(std::move(network)),
      name_(std::move(name)),
      size_(size),
      rounds_(std::move(rounds)) {}

template <class Scalar>
GossipVariable<Scalar>::GossipVariable(GossipVariable&& other) noexcept = default;
template <class Scalar>
GossipVariable<Scalar>& GossipVariable<Scalar>::operator=(GossipVariable&& other) noexcept {
  rounds_ = std::move(other.rounds_);  // before the network that the old one needs
  network_ = std::move(other.network_);
  name_ = std::move(other.name_);
  size_ = other.size_;
  under_way_ = other.under_way_;
  return *this;
}
template <class Scalar>
GossipVariable<Scalar>::~GossipVariable() = default;

template <class Scalar>
void GossipVariable<Scalar>::mix(std::span<const Scalar> in, std::span<Scalar> out) {
  require_size(name_, in.size(), size_);
  require_size(name_, out.size(), size_);
  require(!under_way_, ErrorKind::usage, "variable `", name_,
          "`: mix while a round is under way; call finish first");
  rounds_->mix(in.data(), out.data());
}

template <class Scalar>
void GossipVariable<Scalar>::start(std::span<const Scalar> x) {
  require_size(name_, x.size(), size_);
  require(!under_way_, ErrorKind::usage, "variable `", name_,
          "`: start while a round is under way; call finish first");
  rounds_->start(x.data());
  under_way_ = true;
}

template <class Scalar>
void GossipVariable<Scalar>::progress() {
  if (under_way_) rounds_->progress();
}

template <class Scalar>
void GossipVariable<Scalar>::finish(std::span<Scalar> x) {
  require_size(name_, x.size(), size_);
  require(under_way_, ErrorKind::usage, "variable `", name_,
          "`: finish without a round under way; call start first");
  rounds_->finish(x.data());
  under_way_ = false;
}

template <class Scalar>
std::uint64_t GossipVariable<Scalar>::round() const {
  return rounds_->round();
}

// PushSum

/// A message is v, then u.
template <class Scalar>
class PushSum<Scalar>::State {
 public:
  State(Network& network, const std::string& name, std::size_t size)
      : mixer_(network, name + " (push-sum)", sizeof(double) + size * sizeof(Scalar),
               {.weights = Weights::column}) {}

  /// u <- C u; returns C v.
  double round(std::span<Scalar> u, double v) {
    mixer_.start([&](int, std::span<std::byte> message) {
      std::memcpy(message.data(), &v, sizeof v);
      std::memcpy(message.data() + sizeof v, u.data(), u.size_bytes());
    });
    double mixed = 0;
    mixer_.finish([&](int, std::span<const MessageMixer::Received> received) {
      for (const MessageMixer::Received& term : received) {
        double theirs = 0;
        std::memcpy(&theirs, term.message, sizeof theirs);
        // Rounded as those of u are, so that the errors of the weights leave the ratio.
        mixed = detail::multiply_add<double>(static_cast<Scalar>(term.weight), theirs, mixed);
      }
      detail::mix_messages(received, sizeof v, u);
    });
    return mixed;
  }
  std::uint64_t rounds() const { return mixer_.round(); }

 private:
  MessageMixer mixer_;
};

template <class Scalar>
PushSum<Scalar>::PushSum(std::shared_ptr<Network> network, std::string name, Index size)
    : network_(std::move(network)),
      name_(std::move(name)),
      size_(size),
      state_(std::make_unique<State>(*network_, name_, static_cast<std::size_t>(size))) {}

template <class Scalar>
PushSum<Scalar>::PushSum(PushSum&& other) noexcept = default;
template <class Scalar>
PushSum<Scalar>& PushSum<Scalar>::operator=(PushSum&& other) noexcept {
  state_ = std::move(other.state_);
  network_ = std::move(other.network_);
  name_ = std::move(other.name_);
  size_ = other.size_;
  return *this;
}
template <class Scalar>
PushSum<Scalar>::~PushSum() = default;

template <class Scalar>
void PushSum<Scalar>::mix(std::span<Scalar> x, int rounds) {
  require_size(name_, x.size(), size_);
  require(rounds >= 1, ErrorKind::usage, "variable `", name_, "`: ", rounds,
          " rounds make no step; use 1 or more");
  double v = 1;
  for (int t = 0; t < rounds; ++t) v = state_->round(x, v);
  require(v > 0, ErrorKind::usage, "variable `", name_, "`: push-sum brought rank ",
          network_->communicator().rank(),
          " no weight (nobody sends to it, itself included); give it a self weight");
  for (Scalar& number : x) number = static_cast<Scalar>(static_cast<double>(number) / v);
}

template <class Scalar>
std::uint64_t PushSum<Scalar>::round() const {
  return state_->rounds();
}

// GossipCommunicator

GossipCommunicator::GossipCommunicator(MPI_Comm comm, const MakeSchedule& make,
                                       const GossipOptions& options)
    : network_(make_network(Communicator(checked(comm), options.stall_seconds), make, options)) {}

GossipCommunicator::GossipCommunicator(MPI_Comm comm, SharedSchedule schedule,
                                       const GossipOptions& options)
    : GossipCommunicator(
          comm, [&](AgentId) { return schedule; }, options) {}

GossipCommunicator::GossipCommunicator(MPI_Comm comm, MixingMatrix matrix,
                                       const GossipOptions& options)
    : GossipCommunicator(
          comm, [&](AgentId) { return periodic({std::move(matrix)}); }, options) {}

GossipCommunicator::GossipCommunicator(MPI_Comm comm, TopologyOptions topology,
                                       const GossipOptions& options)
    : GossipCommunicator(
          comm, [&](AgentId agents) { return schedule_of(topology, agents); }, options) {}

template <class Scalar>
GossipVariable<Scalar> GossipCommunicator::variable(std::string name, Index size,
                                                    const Mixing& mixing) {
  auto rounds = agreed_rounds<Scalar>(*network_, name, size, mixing);
  return {network_, std::move(name), size, std::move(rounds)};
}

template <class Scalar>
GossipVariable<Scalar> GossipCommunicator::variable(std::string name, Index size,
                                                    const CompressedMixing& mixing) {
  auto rounds = agreed_rounds<Scalar>(*network_, name, size, mixing);
  return {network_, std::move(name), size, std::move(rounds)};
}

template <class Scalar>
PushSum<Scalar> GossipCommunicator::push_sum(std::string name, Index size) {
  Digest digest;
  digest.add(std::string("push-sum"));
  agree_on_variable<Scalar>(network_->communicator(), name, size, digest);
  return {network_, std::move(name), size};
}

template <class Scalar>
void GossipCommunicator::mean(std::span<Scalar> x) {
  const auto size = static_cast<Index>(x.size());
  agree(network_->communicator(), "mean", size, sizeof(Scalar));
  if (size == 0) return;
  AgentMatrix& local = network_->scratch("gossip: mean", size);
  for (Index r = 0; r < size; ++r)
    local(r, 0) = static_cast<double>(x[static_cast<std::size_t>(r)]);
  VectorXd mean;
  network_->mean(local, mean);
  for (Index r = 0; r < size; ++r) x[static_cast<std::size_t>(r)] = static_cast<Scalar>(mean[r]);
}

template class GossipVariable<float>;
template class GossipVariable<double>;
template class PushSum<float>;
template class PushSum<double>;
template GossipVariable<float> GossipCommunicator::variable(std::string, Index, const Mixing&);
template GossipVariable<double> GossipCommunicator::variable(std::string, Index, const Mixing&);
template GossipVariable<float> GossipCommunicator::variable(std::string, Index,
                                                            const CompressedMixing&);
template GossipVariable<double> GossipCommunicator::variable(std::string, Index,
                                                             const CompressedMixing&);
template PushSum<float> GossipCommunicator::push_sum(std::string, Index);
template PushSum<double> GossipCommunicator::push_sum(std::string, Index);
template void GossipCommunicator::mean(std::span<float>);
template void GossipCommunicator::mean(std::span<double>);

}  // namespace echelon

#pragma once
/// Averaging with neighbors as a service for programs that have an MPI communicator and buffers of
/// their own: one agent per rank, no optimization.

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "echelon/comm/network.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {

struct GossipOptions {
  double stall_seconds = 300;  ///< patience of every wait for a peer; 0 = for ever
  bool share_memory = true;    ///< between ranks of a node; off: messages. Changes no result
};

/// Gossip with compressed messages: every rank keeps a reference r_i of its values that its
/// neighbors know as well, and sends m_i = Q(x_i - r_i) only,
///
///     r_i <- r_i + m_i;   x_i <- x_i + gamma sum_j w_ij (r_j - r_i)
///
/// so the mean of x over ranks stays, and the disagreement vanishes linearly although Q loses most
/// of each message. Source: A. Koloskova, S. Stich, M. Jaggi, ICML 2019, arXiv:1902.00340,
/// algorithm 1.
struct CompressedMixing {
  Chosen<CompressorEntry> compressor{compressor_catalog(), "top-k"};
  double gamma = 0;        ///< in (0, 1]; 0 = Compressor::gossip_step, on the safe side
  std::uint64_t seed = 1;  ///< of random compressors
};

namespace detail {

template <class Scalar>
class Rounds;

template <class Scalar>
concept GossipScalar = std::same_as<Scalar, float> || std::same_as<Scalar, double>;

template <class Buffer>
concept EigenBuffer =
    std::is_base_of_v<Eigen::DenseBase<std::remove_cvref_t<Buffer>>, std::remove_cvref_t<Buffer>> &&
    requires(Buffer& buffer) {
  buffer.data();
};

/// The numbers of a contiguous matrix, vector or map, in the order of memory.
template <EigenBuffer Buffer>
auto span_of(Buffer&& buffer, const std::string& name) {
  require(buffer.innerStride() == 1 &&
              (buffer.outerSize() <= 1 || buffer.outerStride() == buffer.innerSize()),
          ErrorKind::usage, "variable `", name,
          "`: the Eigen expression has gaps in memory; pass a matrix, a vector, or a copy");
  return std::span(buffer.data(), static_cast<std::size_t>(buffer.size()));
}

}  // namespace detail

/// One vector per rank, `size` numbers of type float or double, that is mixed with the neighbors'.
/// Made by GossipCommunicator::variable. Keeps buffers, so make it once and mix often.
///
/// All functions but `progress` and the accessors are collective: every rank of the communicator
/// calls them in the same order. Several variables may be between `start` and `finish` at once.
/// Throws a usage error, before anything is sent and on this rank only, for a buffer of another
/// length, and for calls out of order; the call may be repeated with the right buffer. Throws
/// `stalled` if a peer does not answer; the communicator is of no use afterwards.
template <class Scalar>
class GossipVariable {
 public:
  GossipVariable(GossipVariable&& other) noexcept;
  GossipVariable& operator=(GossipVariable&& other) noexcept;
  /// Not between `start` and `finish`.
  ~GossipVariable();

  /// x <- sum_j w_ij x_j with this round's W, in the variable's own type: a chain of multiply-adds
  /// in ascending order of ranks, so the same bits however messages travel. With Mixing::rounds =
  /// t, W^t or its Chebyshev form.
  void mix(std::span<Scalar> x) { mix(x, x); }
  /// out <- sum_j w_ij in_j; `in` and `out` may be the same memory, or overlap.
  void mix(std::span<const Scalar> in, std::span<Scalar> out);

  /// Sends. `x` may change as soon as this returns. Not with Mixing::chebyshev over several rounds.
  void start(std::span<const Scalar> x);
  /// Lets messages under way go on; never waits. Not collective. Worth a call now and then between
  /// `start` and `finish` unless MPI was initialized with MPI_THREAD_MULTIPLE, when a thread of the
  /// library does it.
  void progress();
  /// x <- sum_j w_ij (what rank j started with), to the bit as `mix`. With several rounds, all but
  /// the first happen here.
  void finish(std::span<Scalar> x);

  /// The same for Eigen's matrices, vectors and maps without gaps in memory.
  template <detail::EigenBuffer Buffer>
  void mix(Buffer&& x) {
    mix(std::span<Scalar>(detail::span_of(x, name_)));
  }
  template <detail::EigenBuffer In, detail::EigenBuffer Out>
  void mix(const In& in, Out&& out) {
    mix(std::span<const Scalar>(detail::span_of(in, name_)),
        std::span<Scalar>(detail::span_of(out, name_)));
  }
  template <detail::EigenBuffer Buffer>
  void start(const Buffer& x) {
    start(std::span<const Scalar>(detail::span_of(x, name_)));
  }
  template <detail::EigenBuffer Buffer>
  void finish(Buffer&& x) {
    finish(std::span<Scalar>(detail::span_of(x, name_)));
  }

  const std::string& name() const { return name_; }
  Index size() const { return size_; }
  /// Exchanges so far; the next one uses the schedule's matrix of this round.
  std::uint64_t round() const;

 private:
  friend class GossipCommunicator;
  GossipVariable(std::shared_ptr<Network> network, std::string name, Index size,
                 std::unique_ptr<detail::Rounds<Scalar>> rounds);

  std::shared_ptr<Network> network_;  ///< outlives `rounds_`
  std::string name_;
  Index size_;
  std::unique_ptr<detail::Rounds<Scalar>> rounds_;
  bool under_way_ = false;
};

/// Ratio consensus: the mean over all ranks on any strongly connected network, directed ones too,
/// whose ranks only split what they hold among those that hear them. With column weights C,
///
///     u <- C u,  v <- C v  (from u = x, v = 1), in one message;   x = u / v
///
/// tends to the mean. Made by GossipCommunicator::push_sum. Source: D. Kempe, A. Dobra, J. Gehrke,
/// FOCS 2003; F. Benezit, V. Blondel, P. Thiran, J. Tsitsiklis, M. Vetterli, ISIT 2010.
template <class Scalar>
class PushSum {
 public:
  PushSum(PushSum&& other) noexcept;
  PushSum& operator=(PushSum&& other) noexcept;
  ~PushSum();

  /// `rounds` exchanges from x; the ratio replaces x. Collective, with the same number of rounds on
  /// all ranks. Successive calls go on in the schedule. Throws a usage error on this rank before
  /// anything is sent if the length of x is wrong or rounds < 1; after the last round if no weight
  /// reached this rank.
  void mix(std::span<Scalar> x, int rounds);
  template <detail::EigenBuffer Buffer>
  void mix(Buffer&& x, int rounds) {
    mix(std::span<Scalar>(detail::span_of(x, name_)), rounds);
  }

  const std::string& name() const { return name_; }
  Index size() const { return size_; }
  std::uint64_t round() const;

 private:
  friend class GossipCommunicator;
  class State;
  PushSum(std::shared_ptr<Network> network, std::string name, Index size);

  std::shared_ptr<Network> network_;
  std::string name_;
  Index size_;
  std::unique_ptr<State> state_;
};

/// Ranks of an MPI communicator that average with their neighbors; agent i of the schedule is rank
/// i. Any number may exist at once, on disjoint or on overlapping communicators, as long as all
/// ranks make their calls in a consistent order.
///
/// Construction and destruction are collective over `comm` (the last of the communicator and its
/// variables gives MPI's resources back). `comm` is duplicated: no message and no error handler of
/// the caller's is touched. MPI must be initialized, with MPI_THREAD_FUNNELED or higher if the
/// program has threads, and finalized later than the object. One thread at a time may call.
class GossipCommunicator {
 public:
  /// Makes the schedule of a network for that many agents.
  using MakeSchedule = std::function<SharedSchedule(AgentId agents)>;

  /// Throws a usage error if MPI is not initialized, or for a null or an inter-communicator; and,
  /// on all ranks together, if `make` throws on one of them, if the schedule does not have one
  /// agent per rank, or if ranks give different schedules.
  GossipCommunicator(MPI_Comm comm, const MakeSchedule& make, const GossipOptions& options = {});
  GossipCommunicator(MPI_Comm comm, SharedSchedule schedule, const GossipOptions& options = {});
  GossipCommunicator(MPI_Comm comm, MixingMatrix matrix, const GossipOptions& options = {});
  /// A topology by name, or `file` with the name of a graph file that all ranks can read.
  /// `topology.agents` is set to the size of `comm`.
  GossipCommunicator(MPI_Comm comm, TopologyOptions topology, const GossipOptions& options = {});

  int rank() const { return network_->communicator().rank(); }
  int size() const { return network_->communicator().size(); }

  /// A variable of `size` numbers per rank. Collective. Throws a usage error on all ranks if sizes,
  /// names, types or options differ between ranks, or if the mixing does not suit the network
  /// (Chebyshev: see Mixing; doubles only).
  template <class Scalar>
  GossipVariable<Scalar> variable(std::string name, Index size, const Mixing& mixing = {});
  /// The same with compressed messages, which need a symmetric matrix that does not change.
  template <class Scalar>
  GossipVariable<Scalar> variable(std::string name, Index size, const CompressedMixing& mixing);
  /// Collective; throws as `variable`.
  template <class Scalar>
  PushSum<Scalar> push_sum(std::string name, Index size);

  /// x <- (1/n) sum_j x_j, exactly as `Network::mean`: summed in double along a fixed tree over
  /// ranks, the same bits on all ranks. Collective; throws a usage error on all ranks if lengths
  /// differ.
  template <class Scalar>
  void mean(std::span<Scalar> x);
  template <detail::EigenBuffer Buffer>
  void mean(Buffer&& x) {
    mean(detail::span_of(x, "mean"));
  }

  /// What the network can be relied on for.
  const Certificate& certificate() const { return network_->certificate(); }
  /// What this rank has sent so far, all variables together.
  Traffic traffic() const { return network_->traffic(); }
  /// For everything that the library does with agents; lives as long as this or a variable.
  Network& network() { return *network_; }

 private:
  std::shared_ptr<Network> network_;
};

}  // namespace echelon

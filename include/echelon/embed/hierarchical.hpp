#pragma once
/// Averaging in two levels as a service for programs that have an MPI communicator: exactly inside
/// a node, with neighbors between nodes. One agent per rank.

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "echelon/comm/network.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {

struct HierarchicalOptions {
  /// Ranks of the same group are a node; any numbers from 0 on, nodes are numbered by ascending
  /// group. -1 on all ranks: the ranks of a machine are a node, numbered by their lowest rank.
  int group = -1;
  double stall_seconds = 300;  ///< patience of every wait for a peer; 0 = for ever
  bool share_memory = true;    ///< between ranks of a machine; off: messages. Changes no result
};

namespace detail {
class Hierarchy;
}

/// One vector per rank, of always the same length. Made by HierarchicalCommunicator::variable.
/// Keeps buffers, so make it once and mix often.
///
/// `mix`, `start`, `finish` and destruction are collective: every rank of the communicator calls
/// them in the same order. Several variables may be between `start` and `finish` at once. Floats
/// are mixed, and sent, as doubles, and rounded at the end. Throws a usage error, before anything
/// is sent and on this rank only, for a buffer of another length, and for calls out of order; the
/// call may be repeated with the right buffer. Throws `stalled` if a peer does not answer; the
/// communicator is of no use afterwards.
class HierarchicalVariable {
 public:
  HierarchicalVariable(HierarchicalVariable&& other) noexcept;
  HierarchicalVariable& operator=(HierarchicalVariable&& other) noexcept;
  /// Not between `start` and `finish`.
  ~HierarchicalVariable();

  /// x_i <- sum_h V_gh (mean of x over node h), for all ranks i of node g: the same bits on all of
  /// them.
  void mix(std::span<double> x);
  void mix(std::span<float> x);

  /// Takes the mean inside the node, and the node's first rank sends it. `x` may change as soon as
  /// this returns.
  void start(std::span<const double> x);
  void start(std::span<const float> x);
  /// Lets messages under way go on; never waits. Not collective. Worth a call now and then between
  /// `start` and `finish` on the node's first rank unless MPI was initialized with
  /// MPI_THREAD_MULTIPLE, when a thread of the library does it.
  void progress();
  /// What `mix` gives for that with which all ranks started, to the bit. Waits for the node's first
  /// rank to get here.
  void finish(std::span<double> x);
  void finish(std::span<float> x);

  const std::string& name() const;
  Index size() const;
  std::uint64_t round() const;  ///< rounds finished so far

 private:
  friend class HierarchicalCommunicator;
  class State;
  HierarchicalVariable(std::shared_ptr<detail::Hierarchy> hierarchy, std::string name, Index size);

  std::unique_ptr<State> state_;
};

/// Ranks of an MPI communicator, grouped into nodes whose sizes may differ. A round averages
/// exactly inside each node, through shared memory where there is some; then the first ranks of
/// neighboring nodes exchange their means, and hand the result to the others of their node:
///
///     x_i <- sum_h V_gh (1 / n_h) sum_{j in h} x_j         for rank i of node g
///
/// with n_h ranks in node h, d_h neighbors of node h, and the weights of Metropolis and Hastings
/// for the distribution n_g / n,
///
///     V_gh = min(n_g / (1 + d_g), n_h / (1 + d_h)) / n_g   on edges between nodes,
///     V_gg = 1 - sum_{h != g} V_gh.
///
/// This is mixing with W_ij = V_gh / n_h, which is symmetric and doubly stochastic: the mean over
/// ranks stays, on uneven nodes too. The eigenvalues of W are those of V, and zeros. With a single
/// node every round gives the exact mean. Source of the weights: W. K. Hastings, Biometrika 57,
/// 1970.
///
/// Construction and destruction are collective over `comm` (the last of the communicator and its
/// variables gives MPI's resources back). `comm` is duplicated: no message and no error handler of
/// the caller's is touched. MPI must be initialized, with MPI_THREAD_FUNNELED or higher if the
/// program has threads, and finalized later than the object. One thread at a time may call.
class HierarchicalCommunicator {
 public:
  /// Makes the graph between that many nodes.
  using MakeGraph = std::function<Graph(AgentId nodes)>;
  static constexpr int most_equivalent_ranks = 4096;

  /// Throws a usage error if MPI is not initialized, or for a null or an inter-communicator; and,
  /// on all ranks together, if a group is below -1, or -1 on some ranks only, if `share_memory`
  /// differs between ranks, if `make` throws on one of them, or if the graph has another number of
  /// agents than there are nodes, is directed or not connected, or is not the same on all ranks.
  HierarchicalCommunicator(MPI_Comm comm, const MakeGraph& make,
                           const HierarchicalOptions& options = {});
  /// A generated topology; `topology.agents` is set to the number of nodes. Throws as above, and on
  /// all ranks for one that changes from round to round, is lazy, or asks for other weights than
  /// `automatic` or `metropolis`.
  HierarchicalCommunicator(MPI_Comm comm, TopologyOptions topology,
                           const HierarchicalOptions& options = {});

  int rank() const;
  int size() const;  ///< ranks
  int nodes() const;
  int node() const;       ///< of this rank, 0 .. nodes() - 1
  int node_size() const;  ///< ranks of this node
  bool is_first() const;  ///< this rank sends for its node

  /// A variable of `size` numbers per rank. Collective. Throws a usage error on all ranks if sizes
  /// differ between ranks, or if they are not 1 to 2147483647.
  HierarchicalVariable variable(std::string name, Index size);

  /// The same round for a vector of any length. Collective; all ranks compare their lengths first,
  /// which a variable does only once. Throws a usage error on all ranks if they differ, or are 0.
  void mix(std::span<double> x);
  void mix(std::span<float> x);

  /// V, from node to node; row-stochastic, symmetric if all nodes are of one size.
  const MixingMatrix& node_matrix() const;
  /// W, from rank to rank. Not collective. Throws a usage error beyond `most_equivalent_ranks`
  /// ranks: where all nodes are neighbors W has n^2 weights.
  MixingMatrix equivalent_matrix() const;
  /// What W can be relied on for. Not collective; computed anew at every call. Throws as
  /// equivalent_matrix(); certify(node_matrix()) has the same second eigenvalue and spectral gap.
  Certificate certificate() const;

  /// What this rank has sent to other nodes so far, all variables together; nothing but on the
  /// first ranks of nodes. Exchanges inside nodes are not counted.
  Traffic traffic() const;

 private:
  template <class Scalar>
  void mix_any(std::span<Scalar> x);

  std::shared_ptr<detail::Hierarchy> hierarchy_;
  std::optional<HierarchicalVariable> latest_;  ///< of the length that `mix` had last
};

}  // namespace echelon

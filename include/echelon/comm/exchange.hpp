#pragma once
/// Moves the agents' outgoing columns to where their neighbors can read them.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/comm/exchange_plan.hpp"
#include "echelon/comm/node.hpp"
#include "echelon/core/agent_matrix.hpp"

namespace echelon {

/// Transport of blocks of one height: through a window of shared memory to ranks on the same node,
/// by messages to others. (Agents of one rank read each other's columns where they are.) Rows
/// travel in strips; a strip can be mixed while later ones are under way.
///
/// A round is: begin, write the published columns and publish() strip by strip, wait() for a strip
/// before it is read, end. Where all ranks run at once on one node, long columns take turns in a
/// few strips of memory that stay in cache; then a strip also needs room before it is written, and
/// is consumed() when it was read. All ranks create their exchanges and run their rounds in the
/// same order; ranks without agents, too.
class Exchange {
 public:
  static constexpr Index strip_rows = 2048;

  /// Collective. `capacity`: most columns that this rank will publish.
  Exchange(const Communicator& communicator, const Node& node, Index dimension, int capacity);
  /// Never waits for others: after a stall messages may be under way, and their memory stays.
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Index dimension() const { return dimension_; }
  int strips() const { return static_cast<int>((dimension_ + strip_rows - 1) / strip_rows); }

  /// How strips follow each other, the same on all ranks: all are published before the first is
  /// read, or each is read soon after.
  enum class Pace { all_at_once, strip_by_strip };

  /// `variable` is named if a peer does not answer.
  void begin(std::shared_ptr<const ExchangePlan> plan, const std::string& variable, Pace pace);
  const ExchangePlan& plan() const { return *plan_; }
  /// Where the published agent at `place` writes its rows from `row`, the first of a strip.
  double* outgoing(int place, Index row) { return outgoing_ + place * stride_ + wrapped(row); }
  /// True if strip number `strip` can be written without overwriting what others still read.
  bool has_room(int strip) const;
  void wait_for_room(int strip);
  /// Strips 0 .. count-1 of all published columns are written.
  void publish(int count);
  /// True if strips 0 .. count-1 of all foreign columns can be read. Never waits.
  bool ready(int count);
  void wait(int count);
  /// Rows of a foreign agent from `row`, the first of a strip; valid until the strip is consumed.
  const double* foreign(int slot, Index row) const {
    return foreign_[static_cast<std::size_t>(slot)] + wrapped(row);
  }
  /// Strips 0 .. count-1 are mixed.
  void consumed(int count);
  void end();
  /// Lets messages under way go on.
  void progress();
  /// True if some of the present plan's columns travel in messages.
  bool has_messages() const { return !wires_->receives.empty() || !wires_->sends.empty(); }

  /// Memory for the columns of agents that are not published, d x m; its pages cost nothing before
  /// they are used.
  AgentMatrix& unpublished();
  /// Scratch of the calling thread for `columns` strips; `reserve_rings` comes before.
  double* ring(int columns);
  void reserve_rings(int columns);

  std::int64_t bytes_per_round() const;  ///< of the present plan, to other ranks by any way
  std::int64_t buffer_bytes() const;

 private:
  static constexpr int cycle_strips = 16;  ///< of memory that long columns take turns in

  struct Counters;
  struct Message {  ///< some rows of the columns between this rank and a peer
    MPI_Datatype type;
    std::size_t peer;
    Index first_row;
    int first_strip;
    int last_strip;
  };
  /// What travels in messages under one plan.
  struct Wires {
    std::shared_ptr<const ExchangePlan> plan;
    std::vector<MPI_Datatype> types;
    std::vector<Message> sends;     ///< ascending by last strip
    std::vector<Message> receives;  ///< ascending by first strip
    std::vector<Index> ghost;       ///< of each peer: first column in ghosts_
    Index ghosts = 0;
    ~Wires();
  };
  Wires& wires_for(const std::shared_ptr<const ExchangePlan>& plan);
  void add_messages(Wires& wires, std::size_t peer, bool send) const;
  void locate_foreign_columns();
  void post_receives();
  Counters& counters(int position) const;
  double* block_of(int position, Index block) const;
  bool shares_memory_with(int rank) const { return window_ && node_.position_of(rank) >= 0; }
  std::string edge_to(std::size_t peer) const;
  Index wrapped(Index row) const { return cycles_ ? row % (cycle_strips * strip_rows) : row; }

  const Communicator& communicator_;
  const Node& node_;
  Index dimension_;
  Index stride_;
  int capacity_;
  std::unique_ptr<SharedWindow> window_;  ///< counters, then two blocks of columns
  AgentMatrix private_outgoing_;          ///< without a window
  AgentMatrix ghosts_;
  AgentMatrix unpublished_;
  AgentMatrix ring_;
  std::map<const ExchangePlan*, std::unique_ptr<Wires>> known_wires_;

  std::shared_ptr<const ExchangePlan> plan_;
  Wires* wires_ = nullptr;
  std::string variable_;
  std::int64_t round_ = 0;
  bool cycles_ = false;      ///< this round's long columns take turns
  int consumed_strips_ = 0;  ///< of this round, by this rank
  double* outgoing_ = nullptr;
  std::vector<const double*> foreign_;
  std::vector<int> node_senders_;  ///< peers (indices) read through the window
  std::vector<std::pair<int, std::size_t>> readers_[2];  ///< (position, peer) that read each block
  std::vector<MPI_Request> receive_requests_;
  std::vector<MPI_Request> send_requests_;
};

}  // namespace echelon

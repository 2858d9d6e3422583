#include "echelon/comm/reduction.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <new>
#include <utility>

#include "echelon/core/parallel.hpp"
#include "echelon/core/trace.hpp"

namespace echelon {

namespace {

constexpr Index strip_rows = 512;

AgentId split_point(AgentId low, AgentId high) {
  const auto size = static_cast<std::uint32_t>(high - low);
  return low + static_cast<AgentId>(std::bit_floor(size - 1));
}

void add(const double* a, const double* b, Index rows, double* out) {
  for (Index r = 0; r < rows; ++r) out[r] = a[r] + b[r];
}

/// Sum of the columns of agents [low, high) of a block whose column 0 is agent `first`, rows [from,
/// from + rows).
void fold(const AgentView& local, Index first, AgentId low, AgentId high, Index from, Index rows,
          double* out) {
  const auto column = [&](AgentId agent) {
    return local.data() + (agent - first) * local.outerStride() + from;
  };
  if (high - low == 1) {
    std::copy_n(column(low), rows, out);
  } else if (high - low == 2) {
    add(column(low), column(low + 1), rows, out);
  } else {
    std::array<double, strip_rows> right;
    const AgentId middle = split_point(low, high);
    fold(local, first, low, middle, from, rows, out);
    fold(local, first, middle, high, from, rows, right.data());
    add(out, right.data(), rows, out);
  }
}

/// Rows [slice_begin(r), slice_begin(r + 1)) are folded by rank r; whole cache lines.
Index slice_begin(Index rows, int r, int ranks) {
  return r == ranks ? rows : rows * r / ranks / 8 * 8;
}

}  // namespace

struct TreeReduction::Counters {
  alignas(64) std::atomic<std::int64_t> folded{0};    ///< calls whose partial sums can be read
  alignas(64) std::atomic<std::int64_t> gathered{0};  ///< calls whose slice can be read
};

TreeReduction::TreeReduction(const AgentSet& agents, const std::vector<int>& owner,
                             const Communicator& communicator, const Node& node)
    : communicator_(communicator),
      on_node_(node),
      agents_(agents),
      blocks_of_rank_(static_cast<std::size_t>(communicator.size()), 0) {
  root_ = build(0, agents.total, owner);
}

TreeReduction::~TreeReduction() = default;

int TreeReduction::build(AgentId low, AgentId high, const std::vector<int>& owner) {
  const int node = static_cast<int>(nodes_.size());
  nodes_.emplace_back();
  const int first_owner = owner[static_cast<std::size_t>(low)];
  const bool one_owner = std::all_of(owner.begin() + low, owner.begin() + high,
                                     [&](int rank) { return rank == first_owner; });
  if (one_owner) {
    nodes_[static_cast<std::size_t>(node)].block = static_cast<int>(blocks_.size());
    blocks_.push_back(
        {low, high, first_owner, blocks_of_rank_[static_cast<std::size_t>(first_owner)]++});
    return node;
  }
  const AgentId middle = split_point(low, high);
  const int left = build(low, middle, owner);
  const int right = build(middle, high, owner);
  nodes_[static_cast<std::size_t>(node)].left = left;
  nodes_[static_cast<std::size_t>(node)].right = right;
  return node;
}

void TreeReduction::fold_own_blocks(const AgentView& local, double* partials, Index stride) const {
  const Index rows = local.rows();
  const int strips = static_cast<int>((rows + strip_rows - 1) / strip_rows);
  for (const Block& block : blocks_) {
    if (block.owner != communicator_.rank()) continue;
    // Agents of one owned interval lie next to each other in the local block.
    const auto at = std::lower_bound(agents_.local.begin(), agents_.local.end(), block.low);
    const Index first = block.low - (at - agents_.local.begin());
    double* const out = partials + block.position * stride;
    parallel_for(strips, [&](int strip) {
      const Index from = strip * strip_rows;
      fold(local, first, block.low, block.high, from, std::min(strip_rows, rows - from),
           out + from);
    });
  }
}

void TreeReduction::fold_top(int node, const std::vector<const double*>& partials, Index from,
                             Index rows, double* out) const {
  const Branch& at = nodes_[static_cast<std::size_t>(node)];
  const auto leaf = [&](int child) -> const double* {
    const int block = nodes_[static_cast<std::size_t>(child)].block;
    return block < 0 ? nullptr : partials[static_cast<std::size_t>(block)] + from;
  };
  if (at.block >= 0) {
    std::copy_n(leaf(node), rows, out);
    return;
  }
  std::array<double, strip_rows> sum_of_right;
  const double* left = leaf(at.left);
  const double* right = leaf(at.right);
  if (left == nullptr) {
    fold_top(at.left, partials, from, rows, out);
    left = out;
  }
  if (right == nullptr) {
    fold_top(at.right, partials, from, rows, sum_of_right.data());
    right = sum_of_right.data();
  }
  add(left, right, rows, out);
}

void TreeReduction::fold_slice(const std::vector<const double*>& partials, Index rows,
                               double* out) const {
  for (Index from = 0; from < rows; from += strip_rows) {
    fold_top(root_, partials, from, std::min(strip_rows, rows - from), out + from);
  }
}

void TreeReduction::sum(const AgentView& local, VectorXd& sum) {
  const TraceSpan span("reduce", "sum over agents");
  const Index rows = local.rows();
  sum.resize(rows);
  last_bytes_ = 0;
  if (communicator_.size() == 1) {
    fold_own_blocks(local, sum.data(), rows);  // one rank owns the whole tree
  } else if (has_window(rows)) {
    sum_through_window(local, sum);
  } else {
    sum_by_messages(local, sum);
  }
}

// Through shared memory
// -----------------------------------------------------------------------------------------------

TreeReduction::Counters& TreeReduction::counters(int position) const {
  return *std::launder(reinterpret_cast<Counters*>(window_->part(position)));
}

double* TreeReduction::numbers(int position) const {
  return reinterpret_cast<double*>(window_->part(position) + sizeof(Counters));
}

bool TreeReduction::has_window(Index rows) {
  if (!on_node_.whole() || window_failed_) return false;
  if (window_ && rows <= window_rows_) return true;
  const Index stride = padded_rows(rows);
  const int own = blocks_of_rank_[static_cast<std::size_t>(communicator_.rank())];
  window_ = SharedWindow::create(
      on_node_, sizeof(Counters) + sizeof(double) * static_cast<std::size_t>(stride * (own + 1)));
  window_failed_ = !window_;
  if (window_failed_) return false;
  window_rows_ = rows;
  round_ = 0;
  new (window_->part(on_node_.rank())) Counters;
  communicator_.barrier("shared memory of a node");
  return true;
}

void TreeReduction::wait_for_all(bool gathered) {
  for (int r = 0; r < communicator_.size(); ++r) {
    const auto& count = gathered ? counters(r).gathered : counters(r).folded;
    communicator_.wait_until(
        [&] { return count.load(std::memory_order_acquire) > round_; },
        [&] { return text("the partial sum of rank ", r, " in an all-reduce"); }, on_node_.spins());
  }
}

// Partial sums of this call are overwritten in the next one, which a rank reaches only after all
// others have gathered, thus read them; slices likewise, after all have folded again.
void TreeReduction::sum_through_window(const AgentView& local, VectorXd& sum) {
  const Index rows = local.rows();
  const Index stride = padded_rows(window_rows_);
  const int me = communicator_.rank();
  const int ranks = communicator_.size();
  const auto blocks_of = [&](int r) { return blocks_of_rank_[static_cast<std::size_t>(r)]; };
  fold_own_blocks(local, numbers(me), stride);
  counters(me).folded.store(round_ + 1, std::memory_order_release);
  wait_for_all(false);

  const Index from = slice_begin(rows, me, ranks);
  const Index length = slice_begin(rows, me + 1, ranks) - from;
  std::vector<const double*> partials;
  for (const Block& block : blocks_) {
    partials.push_back(numbers(block.owner) + block.position * stride + from);
  }
  fold_slice(partials, length, numbers(me) + blocks_of(me) * stride);
  counters(me).gathered.store(round_ + 1, std::memory_order_release);
  wait_for_all(true);

  for (int r = 0; r < ranks; ++r) {
    const Index begin = slice_begin(rows, r, ranks);
    std::copy_n(numbers(r) + blocks_of(r) * stride, slice_begin(rows, r + 1, ranks) - begin,
                sum.data() + begin);
  }
  ++round_;
  last_bytes_ = static_cast<std::int64_t>(sizeof(double)) *
                ((rows - length) * blocks_of(me) + length * (ranks - 1));
}

// By messages
// -----------------------------------------------------------------------------------------------

namespace {

constexpr int partial_tag = 2;
constexpr int slice_tag = 3;
/// Rows that travel in one message: below the length at which TCP transports start to negotiate,
/// and short enough that folding one piece hides behind the arrival of the next.
constexpr Index piece_rows = 6144;
/// Pieces of partial sums that a rank sends to each other before it waits for theirs: what several
/// send to one at once fills the queue of its switch and is sent again.
int pieces_ahead(int ranks, int pieces) {
  return ranks == 2 ? pieces : std::max(2, 8 / (ranks - 1));
}

}  // namespace

/// One call: every rank sends slice t of its partial sums to rank t, piece by piece; folds a piece
/// of its own slice when all have sent it, a few pieces behind what it sends itself, and passes the
/// result on to all. Additions are
/// coefficient-wise, so slicing changes no bit.
class TreeReduction::MessageRound {
 public:
  /// `partials` are those of the own blocks.
  MessageRound(TreeReduction& tree, std::vector<const double*> partials, Index rows, double* sum)
      : tree_(tree),
        ranks_(tree.communicator_),
        own_partials_(std::move(partials)),
        rows_(rows),
        sum_(sum) {}

  std::int64_t run() {
    post_receives();
    const int pieces = pieces_of(longest_slice());
    const int ahead = pieces_ahead(ranks_.size(), pieces);
    for (int piece = 0; piece < pieces + ahead; ++piece) {
      if (piece < pieces) send_partials(piece);
      const int folded = piece - ahead;
      if (folded < 0 || folded >= pieces_of(length_of(me()))) continue;
      fold(folded);
      send_result(folded);
    }
    ranks_.wait_all(results_, [](std::size_t) { return "the slices of an all-reduce"; });
    ranks_.wait_all(sends_, [](std::size_t) { return "others to read an all-reduce"; });
    return bytes_;
  }

 private:
  int me() const { return ranks_.rank(); }
  int blocks_of(int r) const { return tree_.blocks_of_rank_[static_cast<std::size_t>(r)]; }
  Index begin_of(int r) const { return slice_begin(rows_, r, ranks_.size()); }
  Index length_of(int r) const { return begin_of(r + 1) - begin_of(r); }
  Index longest_slice() const {
    Index longest = 0;
    for (int r = 0; r < ranks_.size(); ++r) longest = std::max(longest, length_of(r));
    return longest;
  }
  static int pieces_of(Index length) {
    return static_cast<int>((length + piece_rows - 1) / piece_rows);
  }
  static int rows_of(Index length, int piece) {
    return static_cast<int>(std::min(piece_rows, length - piece * piece_rows));
  }
  /// The others, beginning with the next one, so that not all ranks turn to the same.
  template <class Body>
  void each_other(const Body& body) const {
    for (int k = 1; k < ranks_.size(); ++k) body((me() + k) % ranks_.size());
  }

  void post_receives() {
    const Index own = length_of(me());
    std::size_t incoming = 0;
    for (int r = 0; r < ranks_.size(); ++r) {
      first_block_.push_back(incoming);
      if (r != me()) incoming += static_cast<std::size_t>(blocks_of(r));
    }
    tree_.incoming_.resize(incoming * static_cast<std::size_t>(own));
    for (int piece = 0; piece < pieces_of(own); ++piece) {
      each_other([&](int r) {
        for (int block = 0; block < blocks_of(r); ++block) {
          partials_.emplace_back();
          check_mpi(MPI_Irecv(incoming_block(r, block) + piece * piece_rows, rows_of(own, piece),
                              MPI_DOUBLE, r, partial_tag, ranks_.handle(), &partials_.back()),
                    "MPI_Irecv");
        }
      });
      partials_until_.push_back(partials_.size());
    }
    each_other([&](int r) {
      for (int piece = 0; piece < pieces_of(length_of(r)); ++piece) {
        results_.emplace_back();
        check_mpi(MPI_Irecv(sum_ + begin_of(r) + piece * piece_rows, rows_of(length_of(r), piece),
                            MPI_DOUBLE, r, slice_tag, ranks_.handle(), &results_.back()),
                  "MPI_Irecv");
      }
    });
  }

  void send(const double* from, int count, int to, int tag) {
    sends_.emplace_back();
    check_mpi(MPI_Isend(from, count, MPI_DOUBLE, to, tag, ranks_.handle(), &sends_.back()),
              "MPI_Isend");
    bytes_ += count * static_cast<std::int64_t>(sizeof(double));
  }

  void send_partials(int piece) {
    each_other([&](int r) {
      if (piece >= pieces_of(length_of(r))) return;
      for (int block = 0; block < blocks_of(me()); ++block) {
        send(own_partial(block) + begin_of(r) + piece * piece_rows, rows_of(length_of(r), piece), r,
             partial_tag);
      }
    });
  }

  void fold(int piece) {
    const auto begin = piece == 0 ? 0 : partials_until_[static_cast<std::size_t>(piece) - 1];
    const auto end = partials_until_[static_cast<std::size_t>(piece)];
    ranks_.wait_all({partials_.data() + begin, end - begin},
                    [](std::size_t) { return "the partial sums of an all-reduce"; });
    const Index from = piece * piece_rows;
    std::vector<const double*> partials;
    for (const Block& block : tree_.blocks_) {
      partials.push_back(block.owner == me() ? own_partial(block.position) + begin_of(me()) + from
                                             : incoming_block(block.owner, block.position) + from);
    }
    tree_.fold_slice(partials, rows_of(length_of(me()), piece), sum_ + begin_of(me()) + from);
  }

  void send_result(int piece) {
    each_other([&](int r) {
      send(sum_ + begin_of(me()) + piece * piece_rows, rows_of(length_of(me()), piece), r,
           slice_tag);
    });
  }

  const double* own_partial(int block) const {
    return own_partials_[static_cast<std::size_t>(block)];
  }
  double* incoming_block(int rank, int block) const {
    const auto number =
        first_block_[static_cast<std::size_t>(rank)] + static_cast<std::size_t>(block);
    return tree_.incoming_.data() + static_cast<Index>(number) * length_of(me());
  }

  TreeReduction& tree_;
  const Communicator& ranks_;
  std::vector<const double*> own_partials_;
  Index rows_;
  double* sum_;
  std::vector<std::size_t> first_block_;  ///< of each rank in the incoming blocks
  std::vector<MPI_Request> partials_, results_, sends_;
  std::vector<std::size_t> partials_until_;  ///< requests of the pieces up to each
  std::int64_t bytes_ = 0;
};

void TreeReduction::sum_by_messages(const AgentView& local, VectorXd& sum) {
  const Index rows = local.rows();
  const bool folds = std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
    return block.owner == communicator_.rank() && block.high - block.low > 1;
  });
  std::vector<const double*> partials;
  if (folds) {
    const int blocks = blocks_of_rank_[static_cast<std::size_t>(communicator_.rank())];
    own_.resize(static_cast<std::size_t>(rows * blocks));
    fold_own_blocks(local, own_.data(), rows);
    for (int block = 0; block < blocks; ++block) partials.push_back(own_.data() + block * rows);
  } else {  // every block is an agent, in the order of the columns: nothing to add, nothing to copy
    for (Index i = 0; i < local.cols(); ++i) {
      partials.push_back(local.data() + i * local.outerStride());
    }
  }
  last_bytes_ = MessageRound(*this, std::move(partials), rows, sum.data()).run();
}

}  // namespace echelon

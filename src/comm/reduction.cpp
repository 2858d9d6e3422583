#include "echelon/comm/reduction.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "echelon/core/parallel.hpp"

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

/// Rows [begin, end) that rank `r` of `ranks` folds.
Index slice_begin(Index rows, int r, int ranks) {
  return rows * r / ranks;
}

}  // namespace

TreeReduction::TreeReduction(const AgentSet& agents, const std::vector<int>& owner, int rank,
                             int ranks)
    : agents_(agents),
      rank_(rank),
      ranks_(ranks),
      blocks_of_rank_(static_cast<std::size_t>(ranks), 0) {
  root_ = build(0, agents.total, owner);
}

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

void TreeReduction::fold_own_blocks(const AgentView& local, Eigen::MatrixXd& partials) const {
  const Index rows = local.rows();
  const int strips = static_cast<int>((rows + strip_rows - 1) / strip_rows);
  for (const Block& block : blocks_) {
    if (block.owner != rank_) continue;
    // Agents of one owned interval lie next to each other in the local block.
    const auto at = std::lower_bound(agents_.local.begin(), agents_.local.end(), block.low);
    const Index first = block.low - (at - agents_.local.begin());
    double* const out = partials.col(block.position).data();
    parallel_for(strips, [&](int strip) {
      const Index from = strip * strip_rows;
      fold(local, first, block.low, block.high, from, std::min(strip_rows, rows - from),
           out + from);
    });
  }
}

void TreeReduction::fold_top(int node, const std::vector<const double*>& partials, Index rows,
                             double* out) const {
  const Node& at = nodes_[static_cast<std::size_t>(node)];
  if (at.block >= 0) {
    std::copy_n(partials[static_cast<std::size_t>(at.block)], rows, out);
    return;
  }
  std::vector<double> right(static_cast<std::size_t>(rows));
  fold_top(at.left, partials, rows, out);
  fold_top(at.right, partials, rows, right.data());
  add(out, right.data(), rows, out);
}

// Every rank sends slice t of its partial sums to rank t, folds its own slice of all partial sums,
// and the folded slices are gathered. Additions are coefficient-wise, so slicing changes no bit.
void TreeReduction::sum(const Communicator& communicator, const AgentView& local, VectorXd& sum) {
  const Index rows = local.rows();
  sum.resize(rows);
  last_bytes_ = 0;
  const auto count_of = [&](int rank) { return blocks_of_rank_[static_cast<std::size_t>(rank)]; };
  Eigen::MatrixXd own(rows, count_of(rank_));
  fold_own_blocks(local, own);
  if (ranks_ == 1) {
    sum = own.col(0);  // one rank owns the whole tree
    return;
  }
  std::vector<int> send_counts, send_offsets, receive_counts, receive_offsets, slice_counts,
      slice_offsets;
  const Index my_rows = slice_begin(rows, rank_ + 1, ranks_) - slice_begin(rows, rank_, ranks_);
  std::vector<double> outgoing(static_cast<std::size_t>(own.size()));
  std::int64_t most = 0;
  for (const int blocks : blocks_of_rank_) most = std::max<std::int64_t>(most, blocks);
  require(rows * most * ranks_ <= INT32_MAX, ErrorKind::usage, "an all-reduce of ", rows,
          " numbers with up to ", most,
          " separate groups of agents on a rank does not fit one message; "
          "give each rank a contiguous range of agents");
  int sent = 0;
  int received = 0;
  for (int r = 0; r < ranks_; ++r) {
    const Index from = slice_begin(rows, r, ranks_);
    const Index length = slice_begin(rows, r + 1, ranks_) - from;
    send_offsets.push_back(sent);
    for (Index c = 0; c < own.cols(); ++c) {
      std::copy_n(own.col(c).data() + from, length, outgoing.data() + sent + c * length);
    }
    send_counts.push_back(static_cast<int>(length * own.cols()));
    sent += send_counts.back();
    receive_offsets.push_back(received);
    receive_counts.push_back(static_cast<int>(my_rows) * count_of(r));
    received += receive_counts.back();
    slice_counts.push_back(static_cast<int>(length));
    slice_offsets.push_back(static_cast<int>(from));
  }
  std::vector<double> incoming(static_cast<std::size_t>(received));
  MPI_Request request;
  check_mpi(MPI_Ialltoallv(outgoing.data(), send_counts.data(), send_offsets.data(), MPI_DOUBLE,
                           incoming.data(), receive_counts.data(), receive_offsets.data(),
                           MPI_DOUBLE, communicator.handle(), &request),
            "MPI_Ialltoallv");
  communicator.wait_all({&request, 1},
                        [](std::size_t) { return "the partial sums of an all-reduce"; });
  std::vector<const double*> partials;
  for (const Block& block : blocks_) {
    partials.push_back(incoming.data() + receive_offsets[static_cast<std::size_t>(block.owner)] +
                       block.position * my_rows);
  }
  std::vector<double> slice(static_cast<std::size_t>(my_rows));
  fold_top(root_, partials, my_rows, slice.data());
  check_mpi(MPI_Iallgatherv(slice.data(), static_cast<int>(my_rows), MPI_DOUBLE, sum.data(),
                            slice_counts.data(), slice_offsets.data(), MPI_DOUBLE,
                            communicator.handle(), &request),
            "MPI_Iallgatherv");
  communicator.wait_all({&request, 1}, [](std::size_t) { return "the slices of an all-reduce"; });
  const std::int64_t kept = my_rows * count_of(rank_);  // the slice that stays here
  last_bytes_ = static_cast<std::int64_t>(sizeof(double)) * (sent - kept + my_rows * (ranks_ - 1));
}

}  // namespace echelon

#pragma once
/// The inner loops of one exchange: strips of rows that stay in cache.

#include <algorithm>
#include <cstddef>

#include "echelon/comm/exchange.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon::detail {

/// What the agents of this rank can read in a round: own columns (published, in the ring, or in the
/// block of unpublished ones) and foreign ones.
class Columns {
 public:
  /// Unpublished columns are read from the exchange's block.
  explicit Columns(Exchange& exchange);
  /// Unpublished columns are read from a ring: agent i at ring + ring_place[i] * stride.
  Columns(Exchange& exchange, const double* ring, Index stride, Index from);

  const double* at(int slot, Index from) const {
    if (slot >= plan_.local) return exchange_.foreign(slot - plan_.local, from);
    const int place = plan_.place[static_cast<std::size_t>(slot)];
    if (place >= 0) return exchange_.outgoing(place, from);
    if (ring_ != nullptr) {
      return ring_ + plan_.sweep.ring_place[static_cast<std::size_t>(slot)] * stride_ +
             (from - ring_from_);
    }
    return unpublished_ + slot * unpublished_stride_ + from;
  }

  /// out (+)= sum_j w_ij column_j over rows [from, from + rows), a chain of multiply-adds in
  /// ascending order of agents.
  void mix(int agent, Index from, Index rows, bool onto, double* out) const;
  /// out += sum_j w_ij (column_j - column_i)
  void add_differences(int agent, Index from, Index rows, double* out) const;

 private:
  Exchange& exchange_;
  const ExchangePlan& plan_;
  const double* ring_ = nullptr;
  Index stride_ = 0;
  Index ring_from_ = 0;
  const double* unpublished_ = nullptr;
  Index unpublished_stride_ = 0;
};

/// The own columns that are alive at once stay in the second-level cache.
inline bool fits_ring(const Exchange& exchange) {
  constexpr Index cache_bytes = 512 * 1024;
  const ExchangePlan& plan = exchange.plan();
  const Index rows = std::min(Exchange::strip_rows, exchange.dimension());
  return thread_count() == 1 && plan.sweep.window > 0 &&
         plan.sweep.window * rows * static_cast<Index>(sizeof(double)) <= cache_bytes;
}

/// With nobody to wait for, threads take strips of their own.
inline bool can_share_strips(const Exchange& exchange) {
  const ExchangePlan& plan = exchange.plan();
  return thread_count() > 1 && plan.peers.empty() && plan.sweep.window > 0 &&
         exchange.strips() >= 2 * thread_count();
}

/// Evaluates each column just before it is first read, into a ring that is read and overwritten in
/// cache.
template <class Write, class Combine>
void mix_through_ring(Exchange& exchange, Index from, Index rows, const Write& write_rows,
                      const Combine& combine) {
  const ExchangePlan& plan = exchange.plan();
  const ExchangePlan::Sweep& sweep = plan.sweep;
  const Index stride = padded_rows(rows);
  double* const ring = exchange.ring(sweep.window);
  const Columns columns(exchange, ring, stride, from);
  int evaluated = 0;
  for (std::size_t t = 0; t < sweep.order.size(); ++t) {
    for (; evaluated < sweep.needed[t]; ++evaluated) {
      const int slot = sweep.evaluated[static_cast<std::size_t>(evaluated)];
      if (plan.place[static_cast<std::size_t>(slot)] >= 0) continue;
      write_rows(slot, from, rows,
                 ring + sweep.ring_place[static_cast<std::size_t>(slot)] * stride);
    }
    combine(sweep.order[t], from, rows, columns);
  }
}

template <class Write, class Combine>
void mix_whole_strip(Exchange& exchange, Index from, Index rows, const Write& write_rows,
                     const Combine& combine) {
  const ExchangePlan& plan = exchange.plan();
  AgentMatrix& unpublished = exchange.unpublished();
  const Columns columns(exchange);
  parallel_for(plan.local, [&](int i) {
    if (plan.place[static_cast<std::size_t>(i)] >= 0) return;
    write_rows(i, from, rows, unpublished.col(i).data() + from);
  });
  parallel_for(plan.local, [&](int i) { combine(i, from, rows, columns); });
}

}  // namespace echelon::detail

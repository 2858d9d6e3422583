#pragma once
/// What the benchmarks of the network have in common: interleaved timing, and one line of JSON.

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "echelon/comm/mixer.hpp"
#include "echelon/comm/network.hpp"

namespace bench {

using echelon::AgentId;
using echelon::AgentMatrix;
using echelon::Index;

/// d doubles, 64-byte aligned and touched.
class Buffer {
 public:
  explicit Buffer(std::size_t size, double value = 0)
      : data_(static_cast<double*>(::operator new(size * sizeof(double), alignment))) {
    std::fill_n(data_, size, value);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { ::operator delete(data_, alignment); }
  double* data() { return data_; }
  friend void swap(Buffer& a, Buffer& b) { std::swap(a.data_, b.data_); }

 private:
  static constexpr std::align_val_t alignment{64};
  double* data_;
};

inline int rank_of(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}
inline int size_of(MPI_Comm comm) {
  int size = 1;
  MPI_Comm_size(comm, &size);
  return size;
}

/// Value number `row` of agent `agent`: spread over (-1, 1), cheap, and the same everywhere.
inline double sample(std::int64_t agent, std::int64_t row) {
  const auto bits = static_cast<std::uint64_t>(agent * 1000003 + row + 1) * 0x9E3779B97F4A7C15u;
  return static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-63;
}
inline void fill(AgentMatrix& x, AgentId first_agent) {
  for (Index i = 0; i < x.cols(); ++i)
    for (Index row = 0; row < x.rows(); ++row) x(row, i) = sample(first_agent + i, row);
}

/// Agents i and i +- 1 .. i +- reach on a circle.
inline echelon::Graph circle(AgentId agents, int reach) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (AgentId i = 0; i < agents; ++i) {
    for (int hop = 1; hop <= reach; ++hop) {
      edges.emplace_back(i, (i + hop) % agents);
      edges.emplace_back((i + hop) % agents, i);
    }
  }
  return {agents, std::move(edges)};
}

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of `count` calls, of the slowest rank; all ranks begin together. Collective.
template <class Body>
double time(MPI_Comm comm, const Body& body, int count = 1) {
  MPI_Barrier(comm);
  const double begin = now();
  for (int k = 0; k < count; ++k) body();
  double seconds = now() - begin;
  MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, comm);
  return seconds;
}

/// q-quantile, the lower neighbor if between two.
inline double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

/// Of one pair of alternatives.
struct Comparison {
  std::vector<double> ratios;  ///< ours / other, one per pair of neighboring blocks of calls
  std::vector<double> ours;    ///< seconds per call
  std::vector<double> other;

  std::string json() const {
    char text[320];
    std::snprintf(text, sizeof text,
                  "\"ratio\": %.4f, \"low\": %.4f, \"high\": %.4f, \"ours_seconds\": %.6g, "
                  "\"other_seconds\": %.6g, \"pairs\": %zu",
                  quantile(ratios, 0.5), quantile(ratios, 0.1), quantile(ratios, 0.9),
                  quantile(ours, 0.5), quantile(other, 0.5), ratios.size());
    return text;
  }
};

/// Times both in turn, in blocks of at least `block_seconds`, and lets each go first every other
/// time. Collective.
template <class Ours, class Other>
Comparison compare(MPI_Comm comm, const Ours& ours, const Other& other, int pairs = 21,
                   double block_seconds = 0.02) {
  for (int k = 0; k < 2; ++k) {
    ours();
    other();
  }
  const double once = time(comm, other);
  const int count = std::clamp(static_cast<int>(std::ceil(block_seconds / once)), 1, 1000);
  Comparison result;
  for (int k = 0; k < pairs; ++k) {
    double a = 0;
    double b = 0;
    if (k % 2 == 0) a = time(comm, ours, count);
    b = time(comm, other, count);
    if (k % 2 != 0) a = time(comm, ours, count);
    result.ratios.push_back(a / b);
    result.ours.push_back(a / count);
    result.other.push_back(b / count);
  }
  return result;
}

/// Ends the program on all ranks if the alternatives did not compute the same. Collective.
inline void require_equal(MPI_Comm comm, const double* a, const double* b, std::size_t count,
                          const char* what) {
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;  // also not a number
  }
  int wrong = largest <= 1e-12 ? 0 : 1;
  MPI_Allreduce(MPI_IN_PLACE, &wrong, 1, MPI_INT, MPI_MAX, comm);
  if (wrong == 0) return;
  if (rank_of(comm) == 0) {
    std::fprintf(stderr, "%s: results differ, so times mean nothing\n", what);
    std::fflush(stderr);
  }
  MPI_Barrier(comm);
  MPI_Finalize();
  std::exit(1);
}

inline bool has_flag(int argc, char** argv, const char* flag) {
  return std::any_of(argv + 1, argv + argc,
                     [&](const char* s) { return std::strcmp(s, flag) == 0; });
}

}  // namespace bench

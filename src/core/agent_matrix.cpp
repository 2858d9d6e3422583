#include "echelon/core/agent_matrix.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace echelon {

namespace {

constexpr std::size_t alignment = 64;

/// Asks for large pages, of which a sweep over a long block needs far fewer; the system may refuse.
void ask_for_large_pages(void* raw, std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t worth_it = std::size_t{4} << 20;
  if (bytes < worth_it) return;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(raw) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(raw) + bytes) / page * page;
  static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
#endif
}

/// Zeros that the system provides, so that large blocks cost nothing before they are used. The
/// address that `free` wants lies in front of the block.
double* allocate(Index rows, Index columns) {
  const std::size_t count =
      static_cast<std::size_t>(padded_rows(rows) * std::max<Index>(columns, 1));
  const std::size_t bytes = count * sizeof(double) + 2 * alignment;
  void* raw = std::calloc(bytes, 1);
  if (raw == nullptr) throw std::bad_alloc();
  ask_for_large_pages(raw, bytes);
  const auto address = reinterpret_cast<std::uintptr_t>(raw);
  const auto aligned = (address + 2 * alignment - 1) / alignment * alignment;
  auto* data = reinterpret_cast<double*>(aligned);
  std::memcpy(data - 1, &raw, sizeof raw);
  return data;
}

void release(double* data) {
  if (data == nullptr) return;
  void* raw = nullptr;
  std::memcpy(&raw, data - 1, sizeof raw);
  std::free(raw);
}

}  // namespace

AgentMatrix::AgentMatrix(Index rows, Index columns)
    : AgentView(allocate(rows, columns), rows, columns, Eigen::OuterStride<>(padded_rows(rows))) {}

AgentMatrix::AgentMatrix(AgentMatrix&& other) noexcept
    : AgentView(other.data(), other.rows(), other.cols(),
                Eigen::OuterStride<>(other.outerStride())) {
  other.rebind(nullptr, 0, 0);
}

AgentMatrix& AgentMatrix::operator=(AgentMatrix&& other) noexcept {
  echelon::swap(*this, other);
  return *this;
}

AgentMatrix::~AgentMatrix() {
  release(data());
}

void AgentMatrix::rebind(double* data, Index rows, Index columns) noexcept {
  new (static_cast<AgentView*>(this))
      AgentView(data, rows, columns, Eigen::OuterStride<>(padded_rows(rows)));
}

void swap(AgentMatrix& a, AgentMatrix& b) noexcept {
  double* const data = a.data();
  const Index rows = a.rows();
  const Index columns = a.cols();
  a.rebind(b.data(), b.rows(), b.cols());
  b.rebind(data, rows, columns);
}

}  // namespace echelon

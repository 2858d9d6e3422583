#include "echelon/core/agent_matrix.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace echelon {

namespace {

constexpr std::align_val_t alignment{64};

double* allocate(Index rows, Index columns) {
  const std::size_t count =
      static_cast<std::size_t>(padded_rows(rows) * std::max<Index>(columns, 1));
  auto* data = static_cast<double*>(::operator new(count * sizeof(double), alignment));
  std::memset(data, 0, count * sizeof(double));
  return data;
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
  ::operator delete(data(), alignment);
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

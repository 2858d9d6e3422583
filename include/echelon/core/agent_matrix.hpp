#pragma once
/// State of the local agents: one column per agent.

#include "echelon/core/eigen.hpp"

namespace echelon {

using Eigen::Index;
using Eigen::VectorXd;

/// A d x m block of doubles, one column per local agent, columns 64-byte aligned (stride padded to
/// 8 numbers).
using AgentView = Eigen::Map<Eigen::MatrixXd, Eigen::Aligned64, Eigen::OuterStride<>>;

/// Owns a d x m block. Swapping two matrices swaps their memory; references to either stay valid.
/// Not copyable by accident: copies of states are what makes optimizers slow.
class AgentMatrix : public AgentView {
 public:
  AgentMatrix() : AgentMatrix(0, 0) {}
  AgentMatrix(Index rows, Index columns);  ///< zeros
  /// Zeros in a nameless file in the folder for temporary files, mapped into memory: for blocks
  /// that memory cannot hold. Throws cannot_create if there is no room.
  static AgentMatrix in_file(Index rows, Index columns);
  bool is_in_file() const;
  AgentMatrix(AgentMatrix&& other) noexcept;
  AgentMatrix(const AgentMatrix&) = delete;
  AgentMatrix& operator=(const AgentMatrix&) = delete;
  AgentMatrix& operator=(AgentMatrix&& other) noexcept;
  ~AgentMatrix();

  /// Coefficient-wise assignment; shapes must agree.
  template <class Derived>
  AgentMatrix& operator=(const Eigen::DenseBase<Derived>& expression) {
    AgentView::operator=(expression);
    return *this;
  }

  /// Copies on purpose; shapes must agree.
  void copy_from(const AgentView& other) { AgentView::operator=(other); }

  friend void swap(AgentMatrix& a, AgentMatrix& b) noexcept;

 private:
  AgentMatrix(double* data, Index rows, Index columns);
  void rebind(double* data, Index rows, Index columns) noexcept;
};

void swap(AgentMatrix& a, AgentMatrix& b) noexcept;

/// The leading dimension of a d x m block: d rounded up to a multiple of 8, at least 8.
inline Index padded_rows(Index rows) {
  return rows <= 8 ? 8 : (rows + 7) / 8 * 8;
}

}  // namespace echelon

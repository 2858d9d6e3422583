#pragma once
/// The ranks that share memory with this one.

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "echelon/comm/communicator.hpp"

namespace echelon {

/// The part of a communicator that lives on one node. Construction is collective.
class Node {
 public:
  /// With `share_memory` off every rank is a node of its own.
  explicit Node(const Communicator& communicator, bool share_memory = true);

  int size() const { return static_cast<int>(ranks_.size()); }
  int rank() const { return rank_; }     ///< position of this rank in the node
  bool whole() const { return whole_; }  ///< the node holds the whole communicator
  /// Position in the node of a rank of the communicator; -1 if it lives elsewhere.
  int position_of(int rank) const;
  /// Polls before the core is given away while waiting for another rank of the node: none if they
  /// share cores.
  int spins() const { return spins_; }
  /// Of the node's ranks; empty for a node of one.
  const std::optional<Communicator>& communicator() const { return communicator_; }

 private:
  std::optional<Communicator> communicator_;
  int rank_ = 0;
  bool whole_ = false;
  int spins_ = 0;
  std::vector<int> ranks_;  ///< of the communicator, ascending
};

/// Memory of each rank of a node that all of them can read and write: POSIX shared memory, unlinked
/// as soon as all have mapped it, so that nothing is left behind and freeing it needs nobody else.
class SharedWindow {
 public:
  /// Collective over the node; sizes may differ. Null on all of them where the memory cannot be
  /// had.
  static std::unique_ptr<SharedWindow> create(const Node& node, std::size_t own_bytes);
  SharedWindow(const SharedWindow&) = delete;
  SharedWindow& operator=(const SharedWindow&) = delete;
  ~SharedWindow();

  /// Memory of the rank at `position`; zeros at first, aligned to pages.
  std::byte* part(int position) const {
    return static_cast<std::byte*>(base_) + offsets_[static_cast<std::size_t>(position)];
  }
  std::size_t bytes() const { return own_bytes_; }

 private:
  SharedWindow() = default;
  void* base_ = nullptr;
  std::vector<std::size_t> offsets_;  ///< one more than ranks
  std::size_t own_bytes_ = 0;
};

}  // namespace echelon

#pragma once
/// MPI moves long messages only inside of its calls.

#include <atomic>
#include <memory>
#include <thread>

#include "echelon/comm/exchange.hpp"

namespace echelon::detail {

/// Calls MPI for an exchange now and then while the caller computes, if MPI was initialized with
/// MPI_THREAD_MULTIPLE. Idle between calls.
class ProgressThread {
 public:
  ProgressThread() = default;
  ProgressThread(ProgressThread&& other) noexcept;
  ProgressThread& operator=(ProgressThread&&) = delete;
  ~ProgressThread();

  void start(std::shared_ptr<Exchange> exchange);
  void stop();
  bool is_running() const { return thread_.joinable(); }

 private:
  std::unique_ptr<std::atomic<bool>> wanted_;
  std::thread thread_;
};

}  // namespace echelon::detail

#include "echelon/comm/progress_thread.hpp"

#include <chrono>
#include <utility>

namespace echelon::detail {

namespace {

constexpr std::chrono::microseconds pause{300};  // socket buffers hold what comes meanwhile

bool mpi_allows_threads() {
  int level = MPI_THREAD_SINGLE;
  check_mpi(MPI_Query_thread(&level), "MPI_Query_thread");
  return level == MPI_THREAD_MULTIPLE;
}

}  // namespace

ProgressThread::ProgressThread(ProgressThread&& other) noexcept
    : wanted_(std::move(other.wanted_)), thread_(std::move(other.thread_)) {}

ProgressThread::~ProgressThread() {
  stop();
}

void ProgressThread::start(std::shared_ptr<Exchange> exchange) {
  if (!mpi_allows_threads()) return;
  wanted_ = std::make_unique<std::atomic<bool>>(true);
  thread_ = std::thread([exchange = std::move(exchange), wanted = wanted_.get()] {
    try {
      while (wanted->load(std::memory_order_acquire)) {
        exchange->progress();
        std::this_thread::sleep_for(pause);
      }
    } catch (const Error&) {
      // `finish` meets the same failure, where it can be reported.
    }
  });
}

void ProgressThread::stop() {
  if (!thread_.joinable()) return;
  wanted_->store(false, std::memory_order_release);
  thread_.join();
}

}  // namespace echelon::detail

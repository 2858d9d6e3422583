#include "echelon/core/parallel.hpp"

#include <atomic>

namespace echelon {

namespace {

std::atomic<int> threads_of_process{1};

}  // namespace

int thread_count() {
  return threads_of_process.load(std::memory_order_relaxed);
}

void set_thread_count(int threads) {
  threads_of_process.store(threads < 1 ? 1 : threads);
}

}  // namespace echelon

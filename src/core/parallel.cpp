#include "echelon/core/parallel.hpp"

#include <omp.h>

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

int thread_index() {
  return omp_get_thread_num();
}

}  // namespace echelon

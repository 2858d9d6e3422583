#include "echelon/core/parallel.hpp"

#include <omp.h>

#include <atomic>
#include <exception>

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

void detail::call_on_threads(int count, void (*call)(const void* body, int i), const void* body) {
  std::exception_ptr failure;
#pragma omp parallel for schedule(static) num_threads(thread_count())
  for (int i = 0; i < count; ++i) {
    try {
      call(body, i);
    } catch (...) {
#pragma omp critical(echelon_parallel_for)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace echelon

#pragma once
/// Threads run over agents. The number of threads never changes a result: each index is computed by
/// one thread alone.

#include <exception>

namespace echelon {

/// Threads that loops over agents may use in this process; 1 unless set. It is not taken from
/// OMP_NUM_THREADS, whose default of one thread per core would stall several ranks that share a
/// machine. Set it while nothing of Echelon runs.
int thread_count();
void set_thread_count(int threads);

/// Of the calling thread in a parallel_for, 0 .. thread_count()-1; 0 outside.
int thread_index();

/// Calls body(i) for i in [0, count). The first exception is rethrown.
template <class Body>
void parallel_for(int count, const Body& body) {
  const int threads = thread_count();
  if (threads == 1 || count <= 1) {
    for (int i = 0; i < count; ++i) body(i);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int i = 0; i < count; ++i) {
    try {
      body(i);
    } catch (...) {
#pragma omp critical(echelon_parallel_for)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace echelon

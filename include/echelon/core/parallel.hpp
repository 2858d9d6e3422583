#pragma once
/// Threads run over agents. The number of threads never changes a result: each index is computed by
/// one thread alone.

namespace echelon {

/// Threads that loops over agents may use in this process; 1 unless set. It is not taken from
/// OMP_NUM_THREADS, whose default of one thread per core would stall several ranks that share a
/// machine. Set it while nothing of Echelon runs.
int thread_count();
void set_thread_count(int threads);

/// Of the calling thread in a parallel_for, 0 .. thread_count()-1; 0 outside.
int thread_index();

namespace detail {

/// Calls call(body, i) for i in [0, count) on thread_count() threads. The loop is compiled here and
/// not where parallel_for is used, so that programs need no OpenMP to use it.
void call_on_threads(int count, void (*call)(const void* body, int i), const void* body);

}  // namespace detail

/// Calls body(i) for i in [0, count). The first exception is rethrown.
template <class Body>
void parallel_for(int count, const Body& body) {
  if (thread_count() == 1 || count <= 1) {
    for (int i = 0; i < count; ++i) body(i);
    return;
  }
  detail::call_on_threads(
      count, [](const void* any, int i) { (*static_cast<const Body*>(any))(i); }, &body);
}

}  // namespace echelon

#pragma once
/// Threads run over agents. The number of threads never changes a result: each index is computed by one thread alone.

#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace echelon {

/// Calls body(i) for i in [0, count), on up to `omp_get_max_threads()` threads. The first exception is rethrown.
template <class Body>
void parallel_for(int count, const Body& body) {
  std::exception_ptr failure;
#pragma omp parallel for schedule(static) if (count > 1)
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

#pragma once
/// The largest absolute eigenvalue of a large operator that is not symmetric.

#include <cstddef>

#include "lanczos.hpp"

namespace echelon::detail {

/// Its logarithm; minus infinity for (nearly) nothing, NaN if it was not found. Arnoldi's method,
/// and where that does not settle, as for eigenvalues that fill a disc, the growth of a random
/// vector over many steps, to a few per cent of the gap.
double arnoldi_log_largest(const Operator& apply, std::size_t size);

}  // namespace echelon::detail

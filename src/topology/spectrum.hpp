#pragma once
/// The second largest absolute eigenvalue of a mixing matrix.

#include "echelon/topology/certificate.hpp"

namespace echelon::detail {

/// Reads what is already certified about W: connected, sums, symmetric, smallest weight. `width` is
/// the number of agents on the largest level of a search from the rim of the graph; it bounds how
/// much a factorization fills in. NaN if the value was not found.
double second_eigenvalue(const MixingMatrix& matrix, const Certificate& known, AgentId width);

}  // namespace echelon::detail

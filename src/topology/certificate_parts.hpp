#pragma once
/// What certificates of one matrix and of many have in common.

#include "echelon/topology/certificate.hpp"
#include "sweeps.hpp"

namespace echelon::detail {

/// Sums, symmetry and the smallest weight of one matrix.
void check_sums(const MixingMatrix& matrix, Certificate& certificate);
/// Edges and degrees of one matrix.
void count_degrees(const Neighbors& senders, Certificate& certificate);
void set_reach(const Reach& reach, Certificate& certificate);
/// The second eigenvalue, the gap and the rounds that follow from it.
void set_eigenvalue(Certificate& certificate, double value);

}  // namespace echelon::detail

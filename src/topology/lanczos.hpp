#pragma once
/// The ends of the spectrum of a large symmetric operator.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace echelon::detail {

/// y = A x on vectors of one length; x and y do not overlap.
using Operator = std::function<void(const std::vector<double>& x, std::vector<double>& y)>;

/// Which eigenvalues are wanted, and how well. A gap is the distance of an eigenvalue from
/// `origin`: what has to be right is its leading digits.
struct LanczosGoal {
  bool lowest = true;
  bool highest = true;
  double lowest_origin = -1;
  double highest_origin = 1;
  int full_steps = 100;   ///< up to so many, on to full precision
  int most_steps = 1000;  ///< between, until a gap has settled within 1e-3 of itself
};

/// NaN where not wanted, or not settled.
struct SpectrumEnds {
  double lowest;
  double highest;
};

/// Lanczos without reorthogonalization on vectors without mean: A must map the constant vectors to
/// themselves. Copies of eigenvalues that rounding creates do no harm at the ends. The start is
/// fixed, so are the bits of the answer. Source: C. Paige, IMA Journal of Applied Mathematics 10,
/// 1972.
SpectrumEnds lanczos(const Operator& apply, std::size_t size, const LanczosGoal& goal);

/// Numbers in (-1/2, 1/2) without mean, for starts.
std::vector<double> probe_vector(std::size_t size, std::uint64_t stream);
void remove_mean(std::vector<double>& x);
/// In a fixed order, hence the same bits anywhere.
double inner_product(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace echelon::detail

#pragma once
/// What a mixing matrix can be relied on for.

#include <cstddef>
#include <string>

#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

/// What the convergence of a decentralized method rests on. Sums and symmetry hold within 1e-12;
/// they say nothing about signs, `smallest_weight` does.
struct Certificate {
  AgentId agents = 0;
  std::size_t edges = 0;   ///< directed, without self-loops
  bool connected = false;  ///< strongly: a path of non-zero weights from every agent to every other
  bool row_stochastic = false;
  bool column_stochastic = false;
  bool symmetric = false;
  double smallest_weight = 0;  ///< of the non-zero ones, self weights included
  double second_eigenvalue =
      0;                    ///< second largest absolute eigenvalue of W; NaN if it was not found
  double spectral_gap = 0;  ///< 1 - second_eigenvalue; 0 if below rounding (1e-14)
  /// Rounds that shrink a disagreement by 1e6: ceil(ln 1e-6 / ln second_eigenvalue), at least 1 if
  /// there are several agents. Infinite if the gap is 0, NaN if it is unknown. For a W that is not
  /// symmetric: asymptotically.
  double rounds_to_1e6 = 0;
  int diameter_low = 0;   ///< edges on the longest shortest path; exact where low equals high
  int diameter_high = 0;  ///< both -1 if not connected
  int degree_min = 0;     ///< in-degree without self
  int degree_max = 0;
  double degree_mean = 0;

  bool doubly_stochastic() const { return row_stochastic && column_stochastic; }
  /// Three short lines for people, without a newline at the end.
  std::string summary() const;
};

/// Pure and serial. The second eigenvalue is found densely up to 512 agents, with Spectra beyond:
/// Lanczos, or shift-and-invert where the graph is long and thin. Beyond 512 agents it stays NaN
/// for a W that is not doubly stochastic, or if the iteration does not converge. The diameter is
/// exact up to 2000 agents, bounded by sweeps beyond.
Certificate certify(const MixingMatrix& matrix);

}  // namespace echelon

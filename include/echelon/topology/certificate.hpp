#pragma once
/// What a mixing matrix can be relied on for.

#include <cstddef>
#include <cstdint>
#include <string>

#include "echelon/topology/schedule.hpp"

namespace echelon {

/// What the convergence of a decentralized method rests on. Sums and symmetry hold within 1e-12;
/// they say nothing about signs, `smallest_weight` does. For a network that changes, sums, symmetry
/// and weights hold at every round, degrees and edges are those of single rounds (least, most,
/// mean), and connected, diameter and eigenvalue are those of a whole period taken as one.
struct Certificate {
  AgentId agents = 0;
  std::uint64_t period = 1;    ///< rounds; 0 = drawn anew at every round
  std::uint64_t examined = 1;  ///< rounds that were looked at: the period, or a sample
  std::size_t edges = 0;       ///< directed, without self-loops
  bool connected = false;  ///< strongly: a path of non-zero weights from every agent to every other
  bool row_stochastic = false;
  bool column_stochastic = false;
  bool symmetric = false;
  double smallest_weight = 0;  ///< of the non-zero ones, self weights included
  /// Of a symmetric W of a fixed network, else NaN. Beyond 512 agents from above, within about 1e-3
  /// of its distance from -1.
  double smallest_eigenvalue = 0;
  /// Second largest absolute eigenvalue of W; NaN if it was not found. For a network that repeats,
  /// per round: the root of that of a period's product. For one that is drawn anew, the root of the
  /// norm of the sampled rounds' product off the mean; beyond 512 agents, what the later half of
  /// them does to random vectors. Up to 512 agents to rounding; beyond, the gap is right to about
  /// 1e-3 of itself where W is symmetric or normal, else an estimate to a few per cent.
  double second_eigenvalue = 0;
  double spectral_gap = 0;  ///< 1 - second_eigenvalue; 0 if below rounding (1e-14)
  /// Rounds that shrink a disagreement by 1e6: ceil(ln 1e-6 / ln second_eigenvalue), at least 1 if
  /// there are several agents. Infinite if the gap is 0, NaN if it is unknown. For a W that is not
  /// symmetric: asymptotically. For a network that repeats, whole periods: up to 512 agents as many
  /// as bring the norm of the product's power off the mean under 1e-6, if they are few.
  double rounds_to_1e6 = 0;
  int diameter_low = 0;   ///< edges on the longest shortest path; exact where low equals high
  int diameter_high = 0;  ///< both -1 if not connected
  int degree_min = 0;     ///< in-degree without self
  int degree_max = 0;
  double degree_mean = 0;

  bool doubly_stochastic() const { return row_stochastic && column_stochastic; }
  /// Three or four short lines for people, without a newline at the end.
  std::string summary() const;
};

/// Pure and serial. The second eigenvalue is found densely up to 512 agents, iteratively beyond;
/// NaN where that does not converge. The diameter is exact up to 2000 agents, bounded by sweeps
/// beyond.
Certificate certify(const MixingMatrix& matrix);
/// Over one period, or over a sample of rounds of a network that is drawn anew.
Certificate certify(const MixingSchedule& schedule);

}  // namespace echelon

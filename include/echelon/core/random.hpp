#pragma once
/// Counter-based random numbers: a draw is a pure function of what it is for, never of what was
/// drawn before.

#include <array>
#include <cstdint>
#include <vector>

#include "echelon/core/agents.hpp"

namespace echelon {

/// What the numbers are for. Part of the key, so that two purposes never share numbers.
enum class Purpose : std::uint32_t {
  minibatch = 1,
  gradient_noise = 2,
  problem_data = 3,
  label_noise = 4,
  split = 5,
  partition = 6,
  graph = 7,
  start = 8,
  sub_batch = 9,
  link_failure = 10,
  agent_failure = 11,
  matching = 12,
  probe = 13,
  compression = 14,
  perturbation = 15,
  truncation = 16,
  reuse = 17,
  participation = 18,
  attack = 19,
};

/// A stream of numbers for (seed, purpose, agent, iteration, stream): Philox4x64-10 with the last
/// three as the counter. Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, SC 2011 (Random123).
class Draws {
 public:
  Draws(std::uint64_t seed, Purpose purpose, AgentId agent = 0, std::uint64_t iteration = 0,
        std::uint64_t stream = 0);

  std::uint64_t bits();
  double uniform();                          ///< in the open interval (0, 1)
  std::uint64_t below(std::uint64_t bound);  ///< in 0 .. bound-1, without bias; bound >= 1
  double normal();                           ///< mean 0, variance 1
  double gamma(double shape);  ///< scale 1, shape > 0; underflows to 0 for tiny shapes
  double log_gamma(
      double shape);  ///< logarithm of a Gamma(shape, 1) draw, finite for any shape > 0
  double beta(double a, double b);  ///< in [0, 1], a > 0 and b > 0
  std::vector<std::int64_t> permutation(std::int64_t count);

 private:
  std::array<std::uint64_t, 2> key_;
  std::array<std::uint64_t, 4> counter_;
  std::array<std::uint64_t, 4> block_;
  int used_ = 4;
  double spare_normal_ = 0;
  bool has_spare_ = false;
};

}  // namespace echelon

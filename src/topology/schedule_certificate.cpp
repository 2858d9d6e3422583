#include <algorithm>
#include <cmath>
#include <limits>

#include "certificate_parts.hpp"
#include "echelon/topology/certificate.hpp"
#include "spectrum.hpp"

namespace echelon {

namespace {

using detail::Rounds;

/// Rounds to look at: a period, or a sample; few of very large networks.
std::uint64_t rounds_to_examine(const MixingSchedule& schedule) {
  constexpr std::uint64_t longest_period = 1024;
  constexpr std::int64_t sample = 64;
  constexpr std::int64_t smallest_sample = 8;
  if (schedule.period() > 0) return std::min(schedule.period(), longest_period);
  return static_cast<std::uint64_t>(
      std::clamp(std::int64_t{4'000'000} / schedule.agents(), smallest_sample, sample));
}

/// What holds at every round, and the statistics of single rounds.
void certify_rounds(const Rounds& rounds, Certificate& all) {
  all.row_stochastic = all.column_stochastic = all.symmetric = true;
  all.smallest_weight = std::numeric_limits<double>::infinity();
  all.degree_min = std::numeric_limits<int>::max();
  std::size_t edges = 0;
  detail::Neighbors heard;
  heard.offsets.assign(static_cast<std::size_t>(all.agents) + 1, 0);
  for (const auto& matrix : rounds) {
    Certificate round;
    const detail::Neighbors senders = detail::senders_of(*matrix);
    detail::check_sums(*matrix, round);
    detail::count_degrees(senders, round);
    all.row_stochastic &= round.row_stochastic;
    all.column_stochastic &= round.column_stochastic;
    all.symmetric &= round.symmetric;
    all.smallest_weight = std::min(all.smallest_weight, round.smallest_weight);
    all.degree_min = std::min(all.degree_min, round.degree_min);
    all.degree_max = std::max(all.degree_max, round.degree_max);
    edges += round.edges;
    heard = detail::union_of(heard, senders);
  }
  const double mean = static_cast<double>(edges) / static_cast<double>(rounds.size());
  all.edges = static_cast<std::size_t>(std::llround(mean));
  all.degree_mean = mean / all.agents;
  detail::set_reach(detail::reach(heard), all);
}

bool small_enough_to_multiply(const Rounds& rounds) {
  constexpr double most_work = 1e10;
  const double agents = rounds.front()->agents();
  double weights = 0;
  for (const auto& round : rounds) {
    for (AgentId i = 0; i < round->agents(); ++i) {
      weights += static_cast<double>(round->row(i).size());
    }
  }
  return agents <= detail::largest_dense && weights * agents <= most_work;
}

/// From the logarithm of the largest eigenvalue of a period. `periods` is the number of periods
/// that shrink a disagreement by 1e6 where it is known, else 0.
void set_period(Certificate& certificate, double log_eigenvalue, int periods) {
  detail::set_eigenvalue(certificate,
                         std::exp(log_eigenvalue / static_cast<double>(certificate.period)));
  const double count =
      periods > 0 ? periods : std::max(1.0, std::ceil(std::log(1e-6) / log_eigenvalue));
  if (std::isfinite(certificate.rounds_to_1e6)) {
    certificate.rounds_to_1e6 = static_cast<double>(certificate.period) * count;
  }
}

/// Multiplications of n x n matrices that take about a second, at most 1000.
int affordable_powers(AgentId agents) {
  const double n = agents;
  return static_cast<int>(std::clamp(2e9 / (n * n * n), 8.0, 1000.0));
}

void examine_period(const Rounds& rounds, Certificate& certificate) {
  if (!certificate.connected && certificate.doubly_stochastic() &&
      certificate.smallest_weight > 0) {
    set_period(certificate, 0, 0);
    return;
  }
  if (!small_enough_to_multiply(rounds)) {
    set_period(certificate, detail::log_largest_eigenvalue(rounds), 0);
    return;
  }
  constexpr double shrunk = 1e-6;
  const detail::DenseProduct product = detail::dense_product(rounds);
  double log_eigenvalue = detail::log_largest_eigenvalue(product);
  bool nilpotent = false;
  const int most = affordable_powers(certificate.agents);
  int periods = 0;
  if (log_eigenvalue * most <= std::log(shrunk)) {
    periods = detail::powers_until(product, shrunk, most, nilpotent);
  }
  if (nilpotent) log_eigenvalue = -std::numeric_limits<double>::infinity();
  set_period(certificate, log_eigenvalue, periods);
}

void examine_sample(const Rounds& rounds, Certificate& certificate) {
  const double factor =
      small_enough_to_multiply(rounds)
          ? detail::log_norm(detail::dense_product(rounds)) / static_cast<double>(rounds.size())
          : detail::log_decay(rounds);
  detail::set_eigenvalue(certificate, std::exp(factor));
}

}  // namespace

Certificate certify(const MixingSchedule& schedule) {
  if (schedule.fixed()) return certify(*schedule.at(0));
  Certificate certificate;
  certificate.agents = schedule.agents();
  certificate.period = schedule.period();
  certificate.examined = rounds_to_examine(schedule);
  Rounds rounds;
  for (std::uint64_t k = 0; k < certificate.examined; ++k) rounds.push_back(schedule.at(k));
  certify_rounds(rounds, certificate);
  certificate.smallest_eigenvalue = std::numeric_limits<double>::quiet_NaN();
  if (certificate.agents == 1) {
    detail::set_eigenvalue(certificate, 0);
  } else if (!certificate.row_stochastic && !certificate.column_stochastic) {
    detail::set_eigenvalue(certificate, std::numeric_limits<double>::quiet_NaN());
  } else if (certificate.examined == certificate.period) {
    examine_period(rounds, certificate);
  } else {
    examine_sample(rounds, certificate);
  }
  return certificate;
}

}  // namespace echelon

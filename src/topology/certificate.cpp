#include "echelon/topology/certificate.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "certificate_parts.hpp"
#include "echelon/core/compensated_sum.hpp"
#include "spectrum.hpp"

namespace echelon {

namespace detail {

namespace {

constexpr double tolerance = 1e-12;

/// Whether w_ij = w_ji within rounding. Both walk along: row j meets its senders in the order in
/// which rows i come by.
bool is_nearly_symmetric(const MixingMatrix& matrix) {
  std::vector<std::size_t> next(static_cast<std::size_t>(matrix.agents()), 0);
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      const auto mirror_row = matrix.row(j);
      std::size_t& mirror = next[static_cast<std::size_t>(j)];
      while (mirror < mirror_row.size() && mirror_row[mirror].sender < i) {
        if (std::abs(mirror_row[mirror++].weight) > tolerance) return false;
      }
      const bool found = mirror < mirror_row.size() && mirror_row[mirror].sender == i;
      const double back = found ? mirror_row[mirror++].weight : 0;
      if (std::abs(weight - back) > tolerance) return false;
    }
  }
  for (AgentId j = 0; j < matrix.agents(); ++j) {
    for (const auto& entry : matrix.row(j).subspan(next[static_cast<std::size_t>(j)])) {
      if (std::abs(entry.weight) > tolerance) return false;
    }
  }
  return true;
}

}  // namespace

void check_sums(const MixingMatrix& matrix, Certificate& certificate) {
  std::vector<CompensatedSum> columns(static_cast<std::size_t>(matrix.agents()));
  certificate.row_stochastic = certificate.column_stochastic = true;
  certificate.smallest_weight = std::numeric_limits<double>::infinity();
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    CompensatedSum row;
    for (const auto& [j, weight] : matrix.row(i)) {
      row.add(weight);
      columns[static_cast<std::size_t>(j)].add(weight);
      certificate.smallest_weight = std::min(certificate.smallest_weight, weight);
    }
    if (std::abs(row.value() - 1) > tolerance) certificate.row_stochastic = false;
  }
  for (const auto& column : columns) {
    if (std::abs(column.value() - 1) > tolerance) certificate.column_stochastic = false;
  }
  certificate.symmetric = is_nearly_symmetric(matrix);
}

void count_degrees(const Neighbors& senders, Certificate& certificate) {
  certificate.edges = senders.ids.size();
  certificate.degree_min = std::numeric_limits<int>::max();
  certificate.degree_max = 0;
  for (AgentId i = 0; i < senders.agents(); ++i) {
    const int degree = static_cast<int>(senders.of(i).size());
    certificate.degree_min = std::min(certificate.degree_min, degree);
    certificate.degree_max = std::max(certificate.degree_max, degree);
  }
  certificate.degree_mean = static_cast<double>(certificate.edges) / senders.agents();
}

void set_reach(const Reach& reach, Certificate& certificate) {
  certificate.connected = reach.connected;
  certificate.diameter_low = reach.diameter_low;
  certificate.diameter_high = reach.diameter_high;
}

void set_eigenvalue(Certificate& certificate, double value) {
  constexpr double rounding = 1e-14;
  if (std::abs(1 - value) < rounding) value = 1;
  certificate.second_eigenvalue = value;
  certificate.spectral_gap = 1 - value;
  if (certificate.agents == 1) {
    certificate.rounds_to_1e6 = 0;
  } else if (value >= 1) {
    certificate.rounds_to_1e6 = std::numeric_limits<double>::infinity();
  } else if (std::isnan(value)) {
    certificate.rounds_to_1e6 = value;
  } else {
    certificate.rounds_to_1e6 = std::max(1.0, std::ceil(std::log(1e-6) / std::log(value)));
  }
}

}  // namespace detail

namespace {

std::string eigenvalue_line(const Certificate& certificate) {
  std::ostringstream line;
  line << std::setprecision(4);
  const char* per_round = certificate.period == 1 ? "" : " per round";
  if (certificate.agents == 1) {
    line << "spectral gap 1: one agent has nothing to agree on";
  } else if (std::isnan(certificate.spectral_gap)) {
    line << "spectral gap not found (too many agents for these weights)";
  } else if (std::isinf(certificate.rounds_to_1e6)) {
    line << "spectral gap " << certificate.spectral_gap << per_round
         << ": a disagreement need not shrink";
  } else {
    const double rounds = certificate.rounds_to_1e6;
    line << "spectral gap " << certificate.spectral_gap << per_round
         << ": a disagreement shrinks by 1e6 in ";
    if (rounds < 1e6) line << static_cast<int>(rounds);
    if (rounds >= 1e6) line << rounds;
    line << (rounds == 1 ? " round" : " rounds");
  }
  return line.str();
}

/// Nothing for a network that stays as it is.
std::string period_line(const Certificate& certificate) {
  std::ostringstream words;
  if (certificate.period == 0) {
    words << "drawn anew at every round (" << certificate.examined << " rounds examined)\n";
  } else if (certificate.period > 1) {
    words << "repeats after " << certificate.period << " rounds";
    if (certificate.examined != certificate.period) {
      words << " (" << certificate.examined << " examined)";
    }
    words << "\n";
  }
  return words.str();
}

std::string weights_line(const Certificate& certificate) {
  std::ostringstream line;
  line << std::setprecision(4);
  if (certificate.symmetric) line << "symmetric, ";
  if (certificate.doubly_stochastic()) {
    line << "doubly stochastic";
  } else if (certificate.row_stochastic) {
    line << "row-stochastic (not column-stochastic)";
  } else {
    line << (certificate.column_stochastic ? "column-stochastic" : "not stochastic");
  }
  line << " weights, the smallest is " << certificate.smallest_weight;
  return line.str();
}

}  // namespace

Certificate certify(const MixingMatrix& matrix) {
  Certificate certificate;
  certificate.agents = matrix.agents();
  const detail::Neighbors senders = detail::senders_of(matrix);
  detail::check_sums(matrix, certificate);
  detail::count_degrees(senders, certificate);
  const detail::Reach reach = detail::reach(senders);
  detail::set_reach(reach, certificate);
  const detail::Spectrum found = detail::spectrum(matrix, certificate, reach.width);
  certificate.smallest_eigenvalue = found.smallest;
  detail::set_eigenvalue(certificate, found.second);
  return certificate;
}

std::string Certificate::summary() const {
  const bool changes = period != 1;
  std::ostringstream line;
  line << std::setprecision(4);
  const std::size_t shown_edges = symmetric ? edges / 2 : edges;
  line << agents << (agents == 1 ? " agent, " : " agents, ") << shown_edges
       << (symmetric ? "" : " directed") << (shown_edges == 1 ? " edge" : " edges")
       << (changes ? " at a round, " : ", ") << (symmetric ? "degree " : "in-degree ");
  if (degree_min == degree_max) {
    line << degree_min;
  } else {
    line << degree_min << " to " << degree_max << " (mean " << degree_mean << ")";
  }
  line << (connected ? ", " : ", not ") << (symmetric ? "connected" : "strongly connected")
       << (changes ? " over all rounds" : "");
  if (connected) line << ", diameter " << diameter_low;
  if (diameter_low != diameter_high) line << " to " << diameter_high;
  return line.str() + "\n" + period_line(*this) + weights_line(*this) + "\n" +
         eigenvalue_line(*this);
}

}  // namespace echelon

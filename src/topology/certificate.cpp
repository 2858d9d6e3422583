#include "echelon/topology/certificate.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "compensated_sum.hpp"
#include "spectrum.hpp"

namespace echelon {

namespace {

constexpr double tolerance = 1e-12;

using Edges = std::vector<std::pair<AgentId, AgentId>>;

/// A breadth-first search along one direction of the edges.
struct Sweep {
  std::vector<int> distance;  ///< -1 where not reached
  AgentId reached = 0;
  AgentId farthest = 0;  ///< the last one reached
  int eccentricity = 0;
  AgentId width = 1;  ///< agents on the largest level
};

Sweep sweep_from(const Graph& graph, AgentId start) {
  Sweep sweep;
  const AgentId agents = graph.agents();
  sweep.distance.assign(static_cast<std::size_t>(agents), -1);
  std::vector<AgentId> level = {start};
  std::vector<AgentId> next;
  sweep.distance[static_cast<std::size_t>(start)] = 0;
  for (int depth = 0; !level.empty(); ++depth) {
    sweep.eccentricity = depth;
    sweep.farthest = level.back();
    sweep.reached += static_cast<AgentId>(level.size());
    sweep.width = std::max(sweep.width, static_cast<AgentId>(level.size()));
    if (sweep.reached == agents) break;
    next.clear();
    for (std::size_t k = 0; k < level.size(); ++k) {
      if (sweep.reached + static_cast<AgentId>(next.size()) == agents) break;  // dense graphs
      for (const AgentId neighbor : graph.senders(level[k])) {
        int& distance = sweep.distance[static_cast<std::size_t>(neighbor)];
        if (distance >= 0) continue;
        distance = depth + 1;
        next.push_back(neighbor);
      }
    }
    std::swap(level, next);
  }
  return sweep;
}

void find_exact_diameter(const Graph& forward, Certificate& certificate) {
  for (AgentId i = 0; i < forward.agents(); ++i) {
    certificate.diameter_low =
        std::max(certificate.diameter_low, sweep_from(forward, i).eccentricity);
  }
  certificate.diameter_high = certificate.diameter_low;
}

/// An agent half-way between the ends of the two sweeps.
AgentId middle(const Sweep& from_start, const Sweep& from_end) {
  const int half = from_end.eccentricity / 2;
  for (std::size_t i = 0; i < from_start.distance.size(); ++i) {
    if (from_end.distance[i] == half && from_start.distance[i] == from_end.eccentricity - half) {
      return static_cast<AgentId>(i);
    }
  }
  return from_end.farthest;
}

/// Every eccentricity is a lower bound; a way through any agent gives the upper bound in + out.
void bound_diameter(const Graph& forward, const Graph& backward, Certificate& certificate) {
  int high = forward.agents() - 1;
  int low = 0;
  const auto use = [&](AgentId agent) {
    Sweep out = sweep_from(forward, agent);
    const int in = sweep_from(backward, agent).eccentricity;
    low = std::max({low, out.eccentricity, in});
    high = std::min(high, out.eccentricity + in);
    return out;
  };
  const AgentId first_end = use(0).farthest;
  const Sweep from_first = use(first_end);
  const Sweep from_second = use(from_first.farthest);
  use(middle(from_first, from_second));
  certificate.diameter_low = low;
  certificate.diameter_high = high;
}

/// Weight of `sender` in the row of `receiver`, 0 if there is none.
double weight_of(const MixingMatrix& matrix, AgentId receiver, AgentId sender) {
  const auto row = matrix.row(receiver);
  const auto entry = std::lower_bound(
      row.begin(), row.end(), sender,
      [](const MixingMatrix::Entry& a, AgentId wanted) { return a.sender < wanted; });
  return entry != row.end() && entry->sender == sender ? entry->weight : 0;
}

void check_sums(const MixingMatrix& matrix, Certificate& certificate) {
  std::vector<detail::CompensatedSum> columns(static_cast<std::size_t>(matrix.agents()));
  certificate.row_stochastic = certificate.column_stochastic = certificate.symmetric = true;
  certificate.smallest_weight = std::numeric_limits<double>::infinity();
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    detail::CompensatedSum row;
    for (const auto& [j, weight] : matrix.row(i)) {
      row.add(weight);
      columns[static_cast<std::size_t>(j)].add(weight);
      certificate.smallest_weight = std::min(certificate.smallest_weight, weight);
      if (certificate.symmetric && std::abs(weight - weight_of(matrix, j, i)) > tolerance) {
        certificate.symmetric = false;
      }
    }
    if (std::abs(row.value() - 1) > tolerance) certificate.row_stochastic = false;
  }
  for (const auto& column : columns) {
    if (std::abs(column.value() - 1) > tolerance) certificate.column_stochastic = false;
  }
}

Edges received_edges(const MixingMatrix& matrix) {
  Edges edges;
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& entry : matrix.row(i)) {
      if (entry.sender != i) edges.emplace_back(i, entry.sender);
    }
  }
  return edges;
}

void count_degrees(const Graph& graph, Certificate& certificate) {
  certificate.edges = graph.edges();
  certificate.degree_min = std::numeric_limits<int>::max();
  for (AgentId i = 0; i < graph.agents(); ++i) {
    const int degree = static_cast<int>(graph.senders(i).size());
    certificate.degree_min = std::min(certificate.degree_min, degree);
    certificate.degree_max = std::max(certificate.degree_max, degree);
  }
  certificate.degree_mean = static_cast<double>(graph.edges()) / graph.agents();
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

std::string eigenvalue_line(const Certificate& certificate) {
  std::ostringstream line;
  line << std::setprecision(4);
  if (certificate.agents == 1) {
    line << "spectral gap 1: one agent has nothing to agree on";
  } else if (std::isnan(certificate.spectral_gap)) {
    line << "spectral gap not found (too many agents for these weights)";
  } else if (std::isinf(certificate.rounds_to_1e6)) {
    line << "spectral gap " << certificate.spectral_gap << ": a disagreement need not shrink";
  } else {
    const double rounds = certificate.rounds_to_1e6;
    line << "spectral gap " << certificate.spectral_gap << ": a disagreement shrinks by 1e6 in ";
    if (rounds < 1e6) line << static_cast<int>(rounds);
    if (rounds >= 1e6) line << rounds;
    line << (rounds == 1 ? " round" : " rounds");
  }
  return line.str();
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
  Edges edges = received_edges(matrix);
  const Graph backward(matrix.agents(), edges);  // from receivers to senders
  for (auto& [receiver, sender] : edges) std::swap(receiver, sender);
  const Graph forward(matrix.agents(), std::move(edges));

  check_sums(matrix, certificate);
  count_degrees(backward, certificate);
  const Sweep out = sweep_from(forward, 0);
  certificate.connected =
      out.reached == matrix.agents() && sweep_from(backward, 0).reached == matrix.agents();
  constexpr AgentId largest_exact = 2000;
  if (!certificate.connected) {
    certificate.diameter_low = certificate.diameter_high = -1;
  } else if (matrix.agents() <= largest_exact) {
    find_exact_diameter(forward, certificate);
  } else {
    bound_diameter(forward, backward, certificate);
  }
  const AgentId width = sweep_from(forward, out.farthest).width;
  set_eigenvalue(certificate, detail::second_eigenvalue(matrix, certificate, width));
  return certificate;
}

std::string Certificate::summary() const {
  std::ostringstream line;
  line << std::setprecision(4);
  const std::size_t shown_edges = symmetric ? edges / 2 : edges;
  line << agents << (agents == 1 ? " agent, " : " agents, ") << shown_edges
       << (symmetric ? "" : " directed") << (shown_edges == 1 ? " edge, " : " edges, ");
  line << (symmetric ? "degree " : "in-degree ");
  if (degree_min == degree_max) {
    line << degree_min;
  } else {
    line << degree_min << " to " << degree_max << " (mean " << degree_mean << ")";
  }
  if (!connected) {
    line << (symmetric ? ", not connected" : ", not strongly connected");
  } else {
    line << (symmetric ? ", connected" : ", strongly connected") << ", diameter " << diameter_low;
    if (diameter_low != diameter_high) line << " to " << diameter_high;
  }
  return line.str() + "\n" + weights_line(*this) + "\n" + eigenvalue_line(*this);
}

}  // namespace echelon

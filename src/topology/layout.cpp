#include "layout.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "lanczos.hpp"

namespace echelon::detail {

namespace {

using Distances = std::vector<std::uint16_t>;  // up to 2000 agents

bool has_edge(const Neighbors& neighbors, AgentId i, AgentId j) {
  return std::ranges::binary_search(neighbors.of(i), j);
}

/// Every edge joins neighbors of the grid or opposite ends of a row or column, and no edge of the
/// grid is missing.
bool is_lattice(const Neighbors& neighbors, AgentId rows, AgentId columns) {
  const auto next_to = [](AgentId a, AgentId b, AgentId length) {
    return std::abs(a - b) == 1 || std::abs(a - b) == length - 1;
  };
  for (AgentId i = 0; i < neighbors.agents(); ++i) {
    const AgentId row = i / columns;
    const AgentId column = i % columns;
    for (const AgentId j : neighbors.of(i)) {
      const bool along = j / columns == row && next_to(j % columns, column, columns);
      const bool across = j % columns == column && next_to(j / columns, row, rows);
      if (!along && !across) return false;
    }
    if (column + 1 < columns && !has_edge(neighbors, i, i + 1)) return false;
    if (row + 1 < rows && !has_edge(neighbors, i, i + columns)) return false;
  }
  return true;
}

bool is_circle(const Neighbors& neighbors) {
  constexpr AgentId most_around = 100;
  const AgentId n = neighbors.agents();
  const auto edges = static_cast<double>(neighbors.ids.size());
  const bool dense = n <= most_around && edges > 0.4 * n * (n - 1.0);
  bool ring = n <= most_around || edges <= 2.0 * n;
  for (AgentId i = 0; ring && i < n; ++i) ring = n > 2 && has_edge(neighbors, i, (i + 1) % n);
  return n <= 3 || dense || ring;
}

std::vector<Point> circle(AgentId n) {
  std::vector<Point> points;
  for (AgentId i = 0; i < n; ++i) {
    const double angle = 2 * std::numbers::pi * i / n;
    points.push_back({std::sin(angle), -std::cos(angle)});
  }
  return points;
}

std::vector<Point> grid(AgentId rows, AgentId columns) {
  std::vector<Point> points;
  for (AgentId i = 0; i < rows * columns; ++i) {
    points.push_back({static_cast<double>(i % columns), static_cast<double>(i / columns)});
  }
  return points;
}

/// Edges between all pairs, row by row; parts that do not reach each other stay a little apart.
Distances all_distances(const Neighbors& neighbors) {
  const auto n = static_cast<std::size_t>(neighbors.agents());
  constexpr std::uint16_t unknown = 65535;
  Distances distances(n * n, unknown);
  std::uint16_t farthest = 0;
  std::vector<AgentId> queue;
  for (std::size_t start = 0; start < n; ++start) {
    std::uint16_t* row = distances.data() + start * n;
    row[start] = 0;
    queue.assign(1, static_cast<AgentId>(start));
    for (std::size_t k = 0; k < queue.size(); ++k) {
      const std::uint16_t distance = row[static_cast<std::size_t>(queue[k])];
      farthest = std::max(farthest, distance);
      for (const AgentId j : neighbors.of(queue[k])) {
        if (row[static_cast<std::size_t>(j)] != unknown) continue;
        row[static_cast<std::size_t>(j)] = static_cast<std::uint16_t>(distance + 1);
        queue.push_back(j);
      }
    }
  }
  const int apart = farthest / 2 + 2;
  std::ranges::replace(distances, unknown, static_cast<std::uint16_t>(apart));
  return distances;
}

/// Squared distances to a few agents far from each other, centered: one column per pivot.
std::vector<std::vector<double>> pivot_columns(const Distances& distances, std::size_t n) {
  constexpr std::size_t most_pivots = 40;
  std::vector<std::vector<double>> columns;
  std::vector<int> nearest(n, 65535);
  std::size_t pivot = 0;
  while (columns.size() < std::min(n, most_pivots)) {
    std::vector<double> column(n);
    for (std::size_t i = 0; i < n; ++i) {
      const int distance = distances[pivot * n + i];
      column[i] = -0.5 * distance * distance;
      nearest[i] = std::min(nearest[i], distance);
    }
    remove_mean(column);
    columns.push_back(std::move(column));
    pivot = static_cast<std::size_t>(std::ranges::max_element(nearest) - nearest.begin());
  }
  for (std::size_t i = 0; i < n; ++i) {
    double mean = 0;
    for (const auto& column : columns) mean += column[i] / static_cast<double>(columns.size());
    for (auto& column : columns) column[i] -= mean;
  }
  return columns;
}

/// The leading left singular vector of `columns` off `earlier`, by a power iteration.
std::vector<double> leading_direction(const std::vector<std::vector<double>>& columns,
                                      const std::vector<double>* earlier, std::uint64_t stream) {
  constexpr int iterations = 60;
  std::vector<double> x = probe_vector(columns.front().size(), stream);
  for (int k = 0; k < iterations; ++k) {
    std::vector<double> next(x.size(), 0.0);
    for (const auto& column : columns) {
      const double factor = inner_product(column, x);
      for (std::size_t i = 0; i < x.size(); ++i) next[i] += factor * column[i];
    }
    if (earlier != nullptr) {
      const double factor = inner_product(next, *earlier) / inner_product(*earlier, *earlier);
      for (std::size_t i = 0; i < x.size(); ++i) next[i] -= factor * (*earlier)[i];
    }
    const double length = std::sqrt(inner_product(next, next));
    if (length < 1e-12) break;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = next[i] / length;
  }
  return x;
}

/// The shape of the graph, in the unit of an edge; slightly disturbed, so that nobody starts at the
/// place of another.
std::vector<Point> start_from_pivots(const Distances& distances, std::size_t n) {
  const auto columns = pivot_columns(distances, n);
  const std::vector<double> first = leading_direction(columns, nullptr, 3);
  const std::vector<double> second = leading_direction(columns, &first, 4);
  const std::vector<double> noise_x = probe_vector(n, 5);
  const std::vector<double> noise_y = probe_vector(n, 6);
  const double extent =
      std::sqrt(static_cast<double>(n)) * *std::ranges::max_element(distances) / 3.0;
  std::vector<Point> points(n);
  for (std::size_t i = 0; i < n; ++i) {
    points[i] = {extent * first[i] + 0.2 * noise_x[i], extent * second[i] + 0.2 * noise_y[i]};
  }
  return points;
}

/// Each agent in turn moves to where its distances to all others suit best, near ones most.
void settle(const Distances& distances, std::vector<Point>& points) {
  const std::size_t n = points.size();
  const double pairs = static_cast<double>(n) * static_cast<double>(n);
  const int passes = static_cast<int>(std::clamp(1e8 / pairs, 20.0, 300.0));
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t i = 0; i < n; ++i) {
      Point wanted;
      double total = 0;
      const Point here = points[i];
      for (std::size_t j = 0; j < n; ++j) {
        if (j == i) continue;
        const double ideal = distances[i * n + j];
        const double weight = 1 / (ideal * ideal);
        const double x = here.x - points[j].x;
        const double y = here.y - points[j].y;
        const double stretch = ideal / std::max(1e-9, std::sqrt(x * x + y * y));
        wanted.x += weight * (points[j].x + stretch * x);
        wanted.y += weight * (points[j].y + stretch * y);
        total += weight;
      }
      points[i] = {wanted.x / total, wanted.y / total};
    }
  }
}

/// Into the unit square, in proportion.
void fit(std::vector<Point>& points) {
  Point low = points.front();
  Point high = low;
  for (const auto& [x, y] : points) {
    low = {std::min(low.x, x), std::min(low.y, y)};
    high = {std::max(high.x, x), std::max(high.y, y)};
  }
  const double size = std::max({high.x - low.x, high.y - low.y, 1e-9});
  for (auto& [x, y] : points) {
    x = 0.5 + (x - (low.x + high.x) / 2) / size;
    y = 0.5 + (y - (low.y + high.y) / 2) / size;
  }
}

}  // namespace

Layout layout_of(const Neighbors& neighbors) {
  const AgentId n = neighbors.agents();
  Layout layout;
  for (auto rows = static_cast<AgentId>(std::sqrt(n)); rows >= 2; --rows) {
    if (n < 6 || n % rows != 0 || !is_lattice(neighbors, rows, n / rows)) continue;
    layout = {grid(rows, n / rows), n / rows, rows};
    fit(layout.points);
    return layout;
  }
  if (is_circle(neighbors)) {
    layout.points = circle(n);
  } else {
    const Distances distances = all_distances(neighbors);
    layout.points = start_from_pivots(distances, static_cast<std::size_t>(n));
    settle(distances, layout.points);
  }
  fit(layout.points);
  return layout;
}

}  // namespace echelon::detail

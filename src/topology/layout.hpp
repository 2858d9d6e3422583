#pragma once
/// Where agents stand in a picture.

#include <vector>

#include "sweeps.hpp"

namespace echelon::detail {

struct Point {
  double x = 0;
  double y = 0;
};

struct Layout {
  std::vector<Point> points;  ///< within the unit square
  /// Agents per row and rows of a lattice, 0 if the graph is none: edges between agents that are
  /// not next to each other then go around.
  AgentId columns = 0;
  AgentId rows = 0;
};

/// `neighbors` holds both directions of every edge. A lattice in the order of its rows becomes a
/// grid, a dense graph or one with the ring 0, 1, ... a circle, and any other is placed so that
/// distances in the picture are those in the graph (stress majorization: E. Gansner, Y. Koren,
/// S. North, Graph Drawing 2004; from pivots: U. Brandes, C. Pich, Graph Drawing 2006).
Layout layout_of(const Neighbors& neighbors);

}  // namespace echelon::detail

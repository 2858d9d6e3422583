#pragma once
/// Graphs to look at.

#include <string>

#include "echelon/topology/mixing_matrix.hpp"
#include "echelon/topology/schedule.hpp"

namespace echelon {

/// The graph in Graphviz' DOT language, weights as labels up to 64 agents. Arrows point from sender
/// to receiver; a matrix that is symmetric to the last bit is drawn undirected.
std::string to_dot(const MixingMatrix& matrix);

/// A self-contained SVG picture: agents placed so that the graph's shape shows, edges shaded by
/// weight, arrows where the matrix is not symmetric; for a periodic network one panel per round (at
/// most 12). Up to 2000 agents; throws a usage error beyond.
std::string to_svg(const MixingSchedule& schedule, const std::string& title);

}  // namespace echelon

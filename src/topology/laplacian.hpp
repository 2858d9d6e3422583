#pragma once
/// The ends of the spectrum of a graph's Laplacian L = D - A.

#include "echelon/topology/graph.hpp"

namespace echelon::detail {

struct LaplacianEnds {
  double second;  ///< smallest non-zero eigenvalue
  double largest;
};

/// Of an undirected graph of at least 2 agents; densely up to 512 agents, iteratively beyond.
/// Throws a usage error if the graph is not connected, or if the iteration does not converge.
LaplacianEnds laplacian_ends(const Graph& graph);

}  // namespace echelon::detail

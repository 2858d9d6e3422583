#pragma once
/// Graph generators by name.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "echelon/core/options.hpp"
#include "echelon/topology/graph.hpp"
#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

/// More agents than anybody simulates; keeps a typing error from asking for all the memory.
inline constexpr std::int64_t most_agents = 10'000'000;

/// Options of all generators; each says in its entry which it reads.
struct TopologyOptions {
  std::int64_t agents = 8;
  std::string topology = "ring";
  std::string weights = "metropolis";
  bool lazy = false;
  double edge_probability = 0.3;
  std::string file{};
  std::int64_t graph_seed = 1;

  void visit(OptionVisitor& visitor);  ///< section `network`
};

struct TopologyEntry {
  std::string name;
  std::string summary;    ///< one line
  std::string formula;    ///< which edges
  std::string reference;  ///< empty for folklore
  std::function<Graph(const TopologyOptions&)> make;
};

/// ring, path, star, complete, grid, torus, exponential, erdos-renyi. (`file` is served by the
/// layer that reads files.)
const std::vector<TopologyEntry>& topology_catalog();

/// Graph from the catalog, weighted by `options.weights`, lazy if asked. Throws a usage error that
/// names what would be right.
MixingMatrix make_mixing_matrix(const TopologyOptions& options);
/// Same for a graph that was read from elsewhere.
MixingMatrix weigh(const Graph& graph, const TopologyOptions& options);

/// The graph in Graphviz' DOT language, weights as labels up to 64 agents. Arrows point from sender
/// to receiver; a matrix that is symmetric to the last bit is drawn undirected.
std::string to_dot(const MixingMatrix& matrix);

}  // namespace echelon

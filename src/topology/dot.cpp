#include "echelon/topology/pictures.hpp"

#include <iomanip>
#include <sstream>

namespace echelon {

std::string to_dot(const MixingMatrix& matrix) {
  constexpr AgentId most_labeled = 64;
  const bool labeled = matrix.agents() <= most_labeled;
  const bool undirected = matrix.is_symmetric();
  std::ostringstream dot;
  dot << std::setprecision(4) << (undirected ? "graph" : "digraph") << " mixing {\n";
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    double self = 0;
    for (const auto& [j, weight] : matrix.row(i)) {
      if (j == i) self = weight;
    }
    dot << "  " << i;
    if (labeled) dot << " [label=\"" << i << " (" << self << ")\"]";
    dot << ";\n";
  }
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      if (j == i || (undirected && j > i)) continue;
      dot << "  " << j << (undirected ? " -- " : " -> ") << i;
      if (labeled) dot << " [label=\"" << weight << "\"]";
      dot << ";\n";
    }
  }
  dot << "}\n";
  return dot.str();
}

}  // namespace echelon

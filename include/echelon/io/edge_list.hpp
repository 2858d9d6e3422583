#pragma once
/// Graphs and mixing matrices as text files.

#include <optional>
#include <string>

#include "echelon/topology/graph.hpp"
#include "echelon/topology/mixing_matrix.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {

/// What an edge list holds.
struct EdgeList {
  Graph graph;
  std::optional<MixingMatrix> weights;  ///< if the file gives them
};

/// Reads lines `i j` or `i j w`: agent i receives from agent j (with weight w = w_ij). `#` starts a
/// comment. Edges go both ways unless the first line that says anything is `directed`. A line
/// `agents N` before the edges gives the number of agents, otherwise it is the largest id + 1.
/// Either all edges have a weight or none; with weights, `i i w` is a self weight, and where it is
/// absent it is 1 minus the sum of the row. Throws missing_input for a file that is not there,
/// input_output if reading fails, and bad_data, with file and line, for malformed lines, ids out of
/// range, edges given twice, weights that are negative or not finite, and rows that do not sum
/// to 1.
EdgeList read_edge_list(const std::string& path);

/// Writes all weights with 17 significant digits; `read_edge_list` gives the same bits back.
/// Undirected if the matrix is symmetric to the last bit. Throws cannot_create if the file exists
/// already or cannot be created, input_output if writing fails, bad_data for negative weights.
void write_edge_list(const std::string& path, const MixingMatrix& matrix);

/// `options.file` if the topology is `file` (weighted by the options unless the file gives
/// weights), otherwise make_mixing_matrix. `agents_given` says whether the user chose
/// `options.agents`; then a file must hold as many. Throws a usage error if the sizes do not match,
/// if there is no file name, or if `lazy` meets weights from a file.
MixingMatrix read_or_make(const TopologyOptions& options, bool agents_given = true);

}  // namespace echelon

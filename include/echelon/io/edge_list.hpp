#pragma once
/// Graphs and mixing matrices as plain text, one edge per line.

#include <string>

#include "echelon/io/graph_file.hpp"

namespace echelon {

/// Reads lines `i j` or `i j w`: agent i receives from agent j (with weight w = w_ij). `#` starts a
/// comment. Edges go both ways unless the first line that says anything is `directed`. A line
/// `agents N` before the edges gives the number of agents, otherwise it is the largest id + 1.
/// Either all edges have a weight or none; with weights, `i i w` is a self weight, and where it is
/// absent it is 1 minus the sum of the row. Throws as read_graph.
GraphFile read_edge_list(const std::string& path);

/// Writes all weights; undirected if the matrix is symmetric to the last bit. Throws as
/// write_graph.
void write_edge_list(const std::string& path, const MixingMatrix& matrix);

}  // namespace echelon

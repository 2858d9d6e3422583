#pragma once
/// Graphs and mixing matrices as files. One convention in all formats: agent i receives
/// sum_j w_ij x_j. The formats are described in docs/file-formats.md.

#include <optional>
#include <string>

#include "echelon/topology/graph.hpp"
#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

/// What a file of any format holds.
struct GraphFile {
  Graph graph;                            ///< of the non-zero weights, if the file gives weights
  std::optional<MixingMatrix> weights{};  ///< as they are in the file
};

/// By the extension of `path`: `.mtx` Matrix Market, `.graph` and `.metis` METIS, `.graphml`
/// GraphML, everything else an edge list. Weights are used as they are if all rows sum to 1 within
/// 1e-12, otherwise if all columns do (agents that split what they send). Memory grows with the
/// agents and edges that are there, not with what a header claims. Throws missing_input for a file
/// that is not there, input_output if reading fails, and bad_data, with file and line, for
/// malformed lines, ids out of range, edges given twice, counts that a header does not match,
/// weights that are negative or not finite, and weights of which neither rows nor columns sum to 1.
GraphFile read_graph(const std::string& path);

/// By the extension, as above; weights with 17 significant digits, so that `read_graph` gives the
/// same bits back. METIS files hold the edges only. Throws cannot_create if the file exists already
/// or cannot be created, input_output if writing fails, bad_data for negative weights, and a usage
/// error for METIS if an edge has no way back.
void write_graph(const std::string& path, const MixingMatrix& matrix);

}  // namespace echelon

#pragma once
/// The outcome of a run as one HDF5 file, readable with h5py, h5dump or any other HDF5 tool:
///
///     attributes      format, problem, method, status, iterations
///     /iterates/NAME  n x d, a row per agent          /mean/NAME        d
///     /metrics/NAME   a number per report; NaN where the figure does not exist
///     /topology/{receiver, sender, weight}            an entry per edge
///     /baselines/NAME/METRIC  a number                /configuration    one text
///
/// Every dataset has the attributes `units` and `description`. The same content gives the same
/// bytes on any number of ranks.

#include <cstdint>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "echelon/comm/communicator.hpp"
#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"

namespace echelon {

struct ResultContent {
  std::string configuration;
  std::string problem;
  std::string method;
  std::int64_t iterations = 0;
  std::string status;

  /// Columns of the local agents; names, order and heights agree on all ranks.
  struct Iterate {
    std::string name;
    const AgentView* value;
    std::string description;
  };
  std::vector<Iterate> iterates;

  // Of what follows, rank 0's values are written.

  struct Mean {
    std::string name;
    VectorXd value;
    std::string description;
  };
  std::vector<Mean> means;

  std::vector<std::string> column_names, column_units, column_descriptions;
  Eigen::MatrixXd metrics;  ///< reports x columns; NaN where a figure does not exist

  std::vector<std::tuple<AgentId, AgentId, double>> edges;  ///< receiver, sender, weight

  struct Baseline {
    std::string name;
    std::string description;
    std::vector<double> values;  ///< one for each of `baseline_columns`
  };
  std::vector<Baseline> baselines;
  std::vector<std::string> baseline_columns;
};

/// Collective. Rank 0 writes the file, whole or not at all; what is there is replaced only by a
/// complete and verified file. Agents' columns pass through rank 0 in batches of at most 32 MiB.
/// Throws cannot_create or input_output on all ranks.
void write_result(const Communicator& communicator, const AgentSet& agents,
                  const std::filesystem::path& path, const ResultContent& content);

}  // namespace echelon

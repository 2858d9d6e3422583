#include "echelon/topology/mixing_matrix.hpp"

#include <algorithm>
#include <cmath>

#include "echelon/core/compensated_sum.hpp"
#include "echelon/core/error.hpp"
#include "laplacian.hpp"

namespace echelon {

namespace {

using Rows = std::vector<std::vector<MixingMatrix::Entry>>;

constexpr double tolerance = 1e-12;

void check_row(std::span<const MixingMatrix::Entry> row, std::size_t receiver, std::size_t agents) {
  for (std::size_t k = 0; k < row.size(); ++k) {
    const auto [sender, weight] = row[k];
    require(sender >= 0 && static_cast<std::size_t>(sender) < agents, ErrorKind::bad_data,
            "mixing matrix: row ", receiver, " has a weight for agent ", sender,
            ", which does not exist; ids are 0 to ", agents - 1);
    require(std::isfinite(weight), ErrorKind::bad_data, "mixing matrix: the weight of agent ",
            receiver, " for agent ", sender, " is ", weight, "; weights are finite");
    require(k == 0 || row[k - 1].sender != sender, ErrorKind::bad_data, "mixing matrix: row ",
            receiver, " has two weights for agent ", sender, "; one is right");
  }
}

/// Minus 1, for every row or column.
std::vector<double> excesses(const MixingMatrix& matrix, Sums sums) {
  std::vector<CompensatedSum> totals(static_cast<std::size_t>(matrix.agents()));
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      totals[static_cast<std::size_t>(sums == Sums::rows ? i : j)].add(weight);
    }
  }
  std::vector<double> result;
  result.reserve(totals.size());
  for (const auto& total : totals) result.push_back(total.value() - 1);
  return result;
}

void require_undirected(const Graph& graph, const char* weights) {
  require(graph.is_undirected(), ErrorKind::usage, weights,
          " weights: the graph is directed (they need edges that go both ways); choose `uniform` "
          "or `column` weights");
}

std::size_t degree(const Graph& graph, AgentId agent) {
  return graph.senders(agent).size();
}

std::size_t largest_degree(const Graph& graph) {
  std::size_t largest = 0;
  for (AgentId i = 0; i < graph.agents(); ++i) largest = std::max(largest, degree(graph, i));
  return largest;
}

/// The self weight is what the weights `weight_of(i, j)` of the edges leave of 1.
template <class WeightOf>
MixingMatrix completed(const Graph& graph, const WeightOf& weight_of) {
  Rows rows(static_cast<std::size_t>(graph.agents()));
  for (AgentId i = 0; i < graph.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    CompensatedSum others;
    for (const AgentId j : graph.senders(i)) {
      row.push_back({j, weight_of(i, j)});
      others.add(row.back().weight);
    }
    row.push_back({i, 1 - others.value()});
  }
  return MixingMatrix(rows);
}

}  // namespace

MixingMatrix::MixingMatrix(const std::vector<std::vector<Entry>>& rows, Sums sums) {
  require(!rows.empty(), ErrorKind::bad_data,
          "mixing matrix: there are no rows; at least one agent is needed");
  offsets_.reserve(rows.size() + 1);
  offsets_.push_back(0);
  std::vector<Entry> row;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    row = rows[i];
    std::sort(row.begin(), row.end(),
              [](const Entry& a, const Entry& b) { return a.sender < b.sender; });
    check_row(row, i, rows.size());
    std::copy_if(row.begin(), row.end(), std::back_inserter(entries_),
                 [](const Entry& entry) { return entry.weight != 0; });
    offsets_.push_back(entries_.size());
  }
  const std::vector<double> excess = excesses(*this, sums);
  for (std::size_t i = 0; i < excess.size(); ++i) {
    require(std::abs(excess[i]) <= tolerance, ErrorKind::bad_data,
            "mixing matrix: ", sums == Sums::rows ? "row " : "column ", i, " sums to 1 + ",
            excess[i],
            sums == Sums::rows ? " (an average needs weights that sum to 1)"
                               : " (an agent that splits what it has gives all of it)",
            "; change its self weight");
  }
}

std::span<const MixingMatrix::Entry> MixingMatrix::row(AgentId receiver) const {
  ECHELON_ASSERT(receiver >= 0 && receiver < agents());
  const auto i = static_cast<std::size_t>(receiver);
  return {entries_.data() + offsets_[i], offsets_[i + 1] - offsets_[i]};
}

bool MixingMatrix::is_symmetric() const {
  std::vector<std::size_t> next(offsets_.begin(),
                                offsets_.end() - 1);  // per row, by ascending sender
  for (AgentId i = 0; i < agents(); ++i) {
    for (const auto& [j, weight] : row(i)) {
      const std::size_t mirror = next[static_cast<std::size_t>(j)]++;
      if (mirror == offsets_[static_cast<std::size_t>(j) + 1]) return false;
      if (entries_[mirror].sender != i || entries_[mirror].weight != weight) return false;
    }
  }
  return true;
}

bool MixingMatrix::sums_to_one(Sums sums) const {
  const std::vector<double> excess = excesses(*this, sums);
  return std::all_of(excess.begin(), excess.end(),
                     [](double value) { return std::abs(value) <= tolerance; });
}

Graph MixingMatrix::graph() const {
  std::vector<std::pair<AgentId, AgentId>> edges;
  edges.reserve(entries_.size());
  for (AgentId i = 0; i < agents(); ++i) {
    for (const auto& entry : row(i)) edges.emplace_back(i, entry.sender);
  }
  return Graph(agents(), std::move(edges));
}

MixingMatrix metropolis_weights(const Graph& graph) {
  require_undirected(graph, "metropolis");
  return completed(graph, [&](AgentId i, AgentId j) {
    return 1.0 / static_cast<double>(1 + std::max(degree(graph, i), degree(graph, j)));
  });
}

MixingMatrix max_degree_weights(const Graph& graph) {
  require_undirected(graph, "max-degree");
  const double weight = 1.0 / static_cast<double>(1 + largest_degree(graph));
  return completed(graph, [&](AgentId, AgentId) { return weight; });
}

MixingMatrix best_constant_weights(const Graph& graph) {
  require_undirected(graph, "best-constant");
  if (graph.agents() == 1) return MixingMatrix({{{0, 1.0}}});
  const detail::LaplacianEnds ends = detail::laplacian_ends(graph);
  const double weight = 2 / (ends.second + ends.largest);
  return completed(graph, [&](AgentId, AgentId) { return weight; });
}

MixingMatrix uniform_weights(const Graph& graph) {
  Rows rows(static_cast<std::size_t>(graph.agents()));
  for (AgentId i = 0; i < graph.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    const double weight = 1.0 / static_cast<double>(1 + degree(graph, i));
    for (const AgentId j : graph.senders(i)) row.push_back({j, weight});
    row.push_back({i, weight});
  }
  return MixingMatrix(rows);
}

MixingMatrix column_weights(const Graph& graph) {
  std::vector<std::size_t> shares(static_cast<std::size_t>(graph.agents()), 1);
  for (AgentId i = 0; i < graph.agents(); ++i) {
    for (const AgentId j : graph.senders(i)) ++shares[static_cast<std::size_t>(j)];
  }
  const auto share = [&](AgentId j) {
    return 1.0 / static_cast<double>(shares[static_cast<std::size_t>(j)]);
  };
  Rows rows(static_cast<std::size_t>(graph.agents()));
  for (AgentId i = 0; i < graph.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    for (const AgentId j : graph.senders(i)) row.push_back({j, share(j)});
    row.push_back({i, share(i)});
  }
  return MixingMatrix(rows, Sums::columns);
}

MixingMatrix lazy(const MixingMatrix& matrix) {
  Rows rows(static_cast<std::size_t>(matrix.agents()));
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    double self = 0;
    for (const auto& [sender, weight] : matrix.row(i)) {
      if (sender == i) {
        self = weight;
      } else {
        row.push_back({sender, weight / 2});
      }
    }
    row.push_back({i, (1 + self) / 2});
  }
  return MixingMatrix(rows, matrix.sums_to_one(Sums::rows) ? Sums::rows : Sums::columns);
}

}  // namespace echelon

#include "echelon/topology/mixing_matrix.hpp"

#include <algorithm>
#include <cmath>

#include "compensated_sum.hpp"
#include "echelon/core/error.hpp"

namespace echelon {

namespace {

constexpr double tolerance = 1e-12;

void check_row(std::span<const MixingMatrix::Entry> row, std::size_t receiver, std::size_t agents) {
  detail::CompensatedSum sum;
  for (std::size_t k = 0; k < row.size(); ++k) {
    const auto [sender, weight] = row[k];
    require(sender >= 0 && static_cast<std::size_t>(sender) < agents, ErrorKind::bad_data,
            "mixing matrix: row ", receiver, " has a weight for agent ", sender,
            ", which does not exist; ids are 0 to ", agents - 1);
    require(std::isfinite(weight), ErrorKind::bad_data, "mixing matrix: the weight of agent ",
            receiver, " for agent ", sender, " is ", weight, "; weights are finite");
    require(k == 0 || row[k - 1].sender != sender, ErrorKind::bad_data, "mixing matrix: row ",
            receiver, " has two weights for agent ", sender, "; one is right");
    sum.add(weight);
  }
  require(std::abs(sum.value() - 1) <= tolerance, ErrorKind::bad_data, "mixing matrix: row ",
          receiver, " sums to 1 + ", sum.value() - 1,
          " (an average needs weights that sum to 1); change its self weight");
}

}  // namespace

MixingMatrix::MixingMatrix(const std::vector<std::vector<Entry>>& rows) {
  require(!rows.empty(), ErrorKind::bad_data,
          "mixing matrix: there are no rows; at least one agent is needed");
  offsets_.reserve(rows.size() + 1);
  offsets_.push_back(0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<Entry> row = rows[i];
    std::sort(row.begin(), row.end(),
              [](const Entry& a, const Entry& b) { return a.sender < b.sender; });
    check_row(row, i, rows.size());
    std::copy_if(row.begin(), row.end(), std::back_inserter(entries_),
                 [](const Entry& entry) { return entry.weight != 0; });
    offsets_.push_back(entries_.size());
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

MixingMatrix metropolis_weights(const Graph& graph) {
  require(graph.is_undirected(), ErrorKind::usage,
          "metropolis weights: the graph is directed (they need edges that go both ways); choose "
          "`uniform` weights");
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(graph.agents()));
  for (AgentId i = 0; i < graph.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    detail::CompensatedSum others;
    for (const AgentId j : graph.senders(i)) {
      const auto degree = std::max(graph.senders(i).size(), graph.senders(j).size());
      row.push_back({j, 1.0 / static_cast<double>(1 + degree)});
      others.add(row.back().weight);
    }
    row.push_back({i, 1 - others.value()});
  }
  return MixingMatrix(rows);
}

MixingMatrix uniform_weights(const Graph& graph) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(graph.agents()));
  for (AgentId i = 0; i < graph.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    const double weight = 1.0 / static_cast<double>(1 + graph.senders(i).size());
    for (const AgentId j : graph.senders(i)) row.push_back({j, weight});
    row.push_back({i, weight});
  }
  return MixingMatrix(rows);
}

MixingMatrix lazy(const MixingMatrix& matrix) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(matrix.agents()));
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
  return MixingMatrix(rows);
}

}  // namespace echelon

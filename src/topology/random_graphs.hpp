#pragma once
/// What graphs share that are drawn once from a seed, and drawn again until connected.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "echelon/core/random.hpp"
#include "generators.hpp"

namespace echelon::detail {

constexpr std::uint64_t most_tries = 1000;

/// Keeps the draws of the topologies apart.
enum class Family : std::uint64_t { erdos_renyi = 0, random_regular = 1, watts_strogatz = 2 };

/// Declares option `graph_seed`.
void visit_graph_seed(OptionVisitor& visitor, std::int64_t& seed);

/// All pairs in both directions.
Graph undirected(AgentId n, const Edges& pairs);

/// The first connected graph of `draw(draws)`, if any; a draw that failed is nullopt.
std::optional<Graph> first_connected(AgentId n, std::int64_t seed, Family family,
                                     const std::function<std::optional<Edges>(Draws&)>& draw);

/// Throws a usage error unless that many agents can have that many neighbors, and in memory.
void check_degree_fits(std::string_view topology, AgentId n, std::int64_t degree);

/// Neighbors of every agent, for graphs of small degree.
class Adjacency {
 public:
  explicit Adjacency(AgentId agents) : neighbors_(static_cast<std::size_t>(agents)) {}
  std::size_t degree(AgentId i) const { return of(i).size(); }
  bool has(AgentId i, AgentId j) const {
    return std::find(of(i).begin(), of(i).end(), j) != of(i).end();
  }
  void add(AgentId i, AgentId j) {
    neighbors_[static_cast<std::size_t>(i)].push_back(j);
    neighbors_[static_cast<std::size_t>(j)].push_back(i);
  }
  void remove(AgentId i, AgentId j) {
    std::erase(neighbors_[static_cast<std::size_t>(i)], j);
    std::erase(neighbors_[static_cast<std::size_t>(j)], i);
  }

 private:
  const std::vector<AgentId>& of(AgentId i) const {
    return neighbors_[static_cast<std::size_t>(i)];
  }

  std::vector<std::vector<AgentId>> neighbors_;
};

}  // namespace echelon::detail

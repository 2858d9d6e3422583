#pragma once
/// Graph generators by name.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "echelon/core/options.hpp"
#include "echelon/topology/graph.hpp"
#include "echelon/topology/mixing_matrix.hpp"
#include "echelon/topology/schedule.hpp"

namespace echelon {

/// More agents than anybody simulates; keeps a typing error from asking for all the memory.
inline constexpr std::int64_t most_agents = 10'000'000;

/// Options of all generators; each says in its entry which it reads.
struct TopologyOptions {
  std::int64_t agents = 8;
  std::string topology = "ring";
  std::string cycle{};  ///< further topologies, comma-separated, that take turns with `topology`
  std::string weights = "automatic";
  bool lazy = false;
  double edge_probability = 0.3;  ///< erdos-renyi
  std::int64_t degree = 4;        ///< random-regular, watts-strogatz, base-k (k)
  double rewiring = 0.1;          ///< watts-strogatz
  double link_failure = 0;
  double agent_failure = 0;
  std::string file{};
  std::int64_t graph_seed = 1;

  void visit(OptionVisitor& visitor);  ///< section `network`
};

/// One round's graph; `weights` where the topology prescribes them.
struct TopologyRound {
  Graph graph;
  std::optional<MixingMatrix> weights{};
};

struct TopologyEntry {
  std::string name;
  std::string summary;    ///< one line
  std::string formula;    ///< which edges
  std::string reference;  ///< empty for folklore
  /// Rounds after which the graphs repeat: 1 = one graph, 0 = drawn anew at every round.
  std::function<std::uint64_t(const TopologyOptions&)> period;
  std::function<TopologyRound(const TopologyOptions&, std::uint64_t round)> make;
};

/// Everything that can be generated. (`file` is served by the layer that reads files.)
const std::vector<TopologyEntry>& topology_catalog();

/// The topologies named in `options`, weighted by `options.weights`, lazy and with failures if
/// asked. Throws a usage error that names what would be right.
SharedSchedule make_schedule(const TopologyOptions& options);
/// Weights on one graph, by `options.weights`: `automatic` is the topology's own, else metropolis
/// on undirected graphs and uniform on directed ones. Not lazy.
MixingMatrix weigh(const TopologyRound& round, const TopologyOptions& options);
/// Laziness and failures of `options` on top of `schedule`.
SharedSchedule finish_schedule(SharedSchedule schedule, const TopologyOptions& options);

}  // namespace echelon

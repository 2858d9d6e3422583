#pragma once
/// Who hears whom, with which weights: the parts that a user chooses by name, and the section
/// `network` that names them.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "echelon/core/part.hpp"
#include "echelon/topology/graph.hpp"
#include "echelon/topology/mixing_matrix.hpp"
#include "echelon/topology/schedule.hpp"

namespace echelon {

/// More agents than anybody simulates; keeps a typing error from asking for all the memory.
inline constexpr std::int64_t most_agents = 10'000'000;

/// One round's graph; `weights` where the topology prescribes them.
struct TopologyRound {
  Graph graph;
  std::optional<MixingMatrix> weights{};
  std::string file{};  ///< that holds graph and weights; such weights are used as they are
};

/// A part of the kind `topology`: either generated for any number of agents (`make`), or a graph
/// that exists in a file and has its own number of agents (`read`).
struct TopologyEntry {
  std::string name;
  std::vector<std::string> aliases{};
  std::string summary;      ///< one line
  std::string formula;      ///< which edges
  std::string reference{};  ///< empty for folklore
  PartOptions options{};
  /// True if some edge has no way back with this many agents; null: never, or known only when the
  /// graph is there.
  std::function<bool(AgentId)> is_directed{};
  /// Rounds after which the graphs repeat: 1 = one graph, 0 = drawn anew at every round.
  std::function<std::uint64_t(AgentId, const PartOptions&)> period =
      [](AgentId, const PartOptions&) -> std::uint64_t { return 1; };
  /// Throws a usage error that names numbers of agents or options that would be right.
  std::function<TopologyRound(AgentId, const PartOptions&, std::uint64_t round)> make{};
  std::string path_option{};  ///< the option that holds the path that `read` reads
  std::function<TopologyRound(const PartOptions&)> read{};
};

/// A part of the kind `weights`.
struct WeightsEntry {
  std::string name;
  std::vector<std::string> aliases{};
  std::string summary;
  std::string formula;
  std::string reference{};
  PartOptions options{};
  bool undirected_only = false;  ///< directed graphs are refused
  bool has_group_form =
      false;  ///< has a form for nodes of several ranks (HierarchicalCommunicator)
  /// Which sums must be 1 so that weights from a file are used as they are; nullopt: a file that
  /// gives weights is refused.
  std::optional<Sums> keeps{};
  std::function<MixingMatrix(const TopologyRound&, const PartOptions&)> make{};
};

namespace detail {
std::vector<TopologyEntry> built_in_topologies();  ///< the build writes these from the files
std::vector<WeightsEntry> built_in_weights();
}  // namespace detail

PartList<TopologyEntry>& topology_catalog();
PartList<WeightsEntry>& weights_catalog();
/// The topology whose graph is in a file.
const TopologyEntry& file_topology();

/// Section `network`.
struct TopologyOptions {
  std::int64_t agents = 8;
  Chosen<TopologyEntry> topology{topology_catalog(), "ring"};
  std::vector<Chosen<TopologyEntry>> cycle{};  ///< further ones that take turns with `topology`
  Chosen<WeightsEntry> weights{weights_catalog(), "automatic"};
  bool lazy = false;
  double link_failure = 0;
  double agent_failure = 0;
  std::int64_t failure_seed = 1;  ///< key graph_seed, as the seed of a random topology

  void visit(OptionVisitor& visitor);
};

/// Who reads which option of a section that holds `options`, for messages.
std::vector<PartAxis> part_axes(const TopologyOptions& options,
                                const std::string& section = "network");

/// The topologies called so, separated by commas. Throws a usage error that names the nearest.
std::vector<Chosen<TopologyEntry>> topology_cycle(const std::string& names);

/// Throws a usage error for what is wrong before any graph is made: numbers out of range, weights
/// that do not apply to the topology, topologies that cannot take turns.
void judge(const TopologyOptions& options);

/// The topologies of `options` with their weights, lazy and with failures if asked. A graph from a
/// file has its own number of agents, which must be `options.agents` if the user chose that
/// (`agents_given`). Throws a usage error that names what would be right, and what reading a file
/// throws.
SharedSchedule make_schedule(const TopologyOptions& options, bool agents_given = true);

}  // namespace echelon

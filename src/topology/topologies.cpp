#include "echelon/topology/topologies.hpp"

#include <bit>

#include "echelon/core/error.hpp"
#include "generators.hpp"

namespace echelon {

namespace detail {

constexpr double most_edges = 1e8;  // directed; about 4 GB while the matrix is built

void require_memory(std::string_view topology, AgentId agents, double edges) {
  require(edges <= most_edges, ErrorKind::usage, "network.topology = ", topology, ": ", agents,
          " agents have about ", edges, " edges (the limit is ", most_edges,
          "); choose fewer agents or a sparser graph");
}

int binary_digits(AgentId n) {
  return std::bit_width(static_cast<std::uint32_t>(n) - 1);
}

}  // namespace detail

PartList<TopologyEntry>& topology_catalog() {
  static PartList<TopologyEntry> list("topology", detail::built_in_topologies());
  return list;
}

PartList<WeightsEntry>& weights_catalog() {
  static PartList<WeightsEntry> list("weights", detail::built_in_weights());
  return list;
}

const TopologyEntry& file_topology() {
  for (const TopologyEntry& entry : topology_catalog()) {
    if (entry.read) return entry;
  }
  fail(ErrorKind::internal, "no topology reads files");
}

namespace {

std::string names_of(const std::vector<Chosen<TopologyEntry>>& cycle) {
  std::string names;
  for (const auto& topology : cycle) names += (names.empty() ? "" : ", ") + topology->name;
  return names;
}

std::string trimmed(const std::string& word) {
  const std::size_t first = word.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return word.substr(first, word.find_last_not_of(" \t") - first + 1);
}

bool reads(const Chosen<TopologyEntry>& topology, const std::string& option) {
  const auto own = describe_options(topology.options());
  return std::any_of(own.begin(), own.end(), [&](const auto& one) { return one.name == option; });
}

}  // namespace

std::vector<Chosen<TopologyEntry>> topology_cycle(const std::string& names) {
  std::vector<Chosen<TopologyEntry>> cycle;
  for (std::size_t start = 0; start <= names.size();) {
    const std::size_t end = std::min(names.find(',', start), names.size());
    const std::string name = trimmed(names.substr(start, end - start));
    require(topology_catalog().find(name) != nullptr, ErrorKind::usage, "network.cycle = ", names,
            ": there is no topology called `", name,
            "` (names are separated by commas); the nearest is `",
            nearest_name(name, topology_catalog().names()), "`");
    cycle.emplace_back(topology_catalog(), name);
    start = end + 1;
  }
  return cycle;
}

void TopologyOptions::visit(OptionVisitor& visitor) {
  const Range failure{.low = 0, .high = 1, .high_open = true};
  visitor("agents", agents, between(1, static_cast<double>(most_agents)),
          "number of agents; a graph from a file has its own number");
  topology.visit(visitor, "topology", "who hears whom (`echelon list topologies`)");
  const std::string before = names_of(cycle);
  std::string names = before;
  visitor.part(
      "cycle", names, topology_catalog().names(),
      [](const std::string& given) { return names_of(topology_cycle(given)); },
      "further topologies, separated by commas, that take turns with `topology`, round by "
      "round; empty: none");
  if (names != before) {
    cycle = names.empty() ? std::vector<Chosen<TopologyEntry>>() : topology_cycle(names);
  }
  for (auto& own : cycle) own.visit_options(visitor);
  weights.visit(visitor, "weights", "of what agents receive (`echelon list weights`)");
  visitor("lazy", lazy, "mix with (I + W) / 2 instead of W; not for weights from a file");
  visitor("link_failure", link_failure, failure,
          "probability that a link carries nothing at a round, in both directions");
  visitor("agent_failure", agent_failure, failure,
          "probability that none of an agent's links carries anything at a round");
  if (link_failure > 0 || agent_failure > 0) {
    visitor("graph_seed", failure_seed, at_least(0), "seed of random topologies and of failures");
  } else if (!reads(topology, "graph_seed") &&
             std::none_of(cycle.begin(), cycle.end(),
                          [](const auto& own) { return reads(own, "graph_seed"); })) {
    visitor.unread("graph_seed", "if link_failure or agent_failure is above 0");
  }
}

std::vector<PartAxis> part_axes(const TopologyOptions& options, const std::string& section) {
  std::vector<std::string> chosen = {options.topology->name};
  for (const auto& topology : options.cycle) chosen.push_back(topology->name);
  return {axis_of(topology_catalog(), section, "topology", std::move(chosen)),
          axis_of(weights_catalog(), section, "weights")};
}

}  // namespace echelon

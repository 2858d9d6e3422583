#include "hierarchy.hpp"

#include <algorithm>
#include <optional>

#include "echelon/core/error.hpp"

namespace echelon::detail {

namespace {

constexpr auto usage = ErrorKind::usage;

void agree_on_options(const Communicator& ranks, const HierarchicalOptions& options) {
  ranks.require_on_all(options.group >= -1, usage,
                       text("hierarchical communicator: group ", options.group,
                            " is out of range; use 0 or more, or -1 for the ranks of a machine"));
  const std::int64_t physical = options.group < 0 ? 1 : 0;
  const std::int64_t shared = options.share_memory ? 1 : 0;
  std::int64_t most[] = {physical, -physical, shared, -shared};
  ranks.maximum(most, "all ranks to make a hierarchical communicator");
  require_same(most[0] == -most[1],
               "hierarchical communicator: the group is -1 on some ranks only; give a group on all "
               "ranks or on none");
  require_same(most[2] == -most[3],
               "hierarchical communicator: share_memory differs between ranks; pass the same");
}

/// The lowest rank on this machine.
int machine_of(const Communicator& ranks) {
  MPI_Comm split;
  check_mpi(MPI_Comm_split_type(ranks.handle(), MPI_COMM_TYPE_SHARED, ranks.rank(), MPI_INFO_NULL,
                                &split),
            "MPI_Comm_split_type");
  const Communicator machine(split, ranks.stall_seconds());
  check_mpi(MPI_Comm_free(&split), "MPI_Comm_free");
  std::int64_t lowest = -ranks.rank();
  machine.maximum({&lowest, 1}, "the ranks of a machine");
  return static_cast<int>(-lowest);
}

Grouping grouping(const Communicator& ranks, const HierarchicalOptions& options) {
  agree_on_options(ranks, options);
  std::vector<std::int64_t> groups(static_cast<std::size_t>(ranks.size()), 0);
  groups[static_cast<std::size_t>(ranks.rank())] =
      options.group < 0 ? machine_of(ranks) : options.group;
  ranks.sum(groups, "all ranks to make a hierarchical communicator");
  std::vector<std::int64_t> names = groups;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  Grouping result;
  result.sizes.assign(names.size(), 0);
  for (const std::int64_t group : groups) {
    const auto node = std::lower_bound(names.begin(), names.end(), group) - names.begin();
    result.node_of.push_back(static_cast<int>(node));
    ++result.sizes[static_cast<std::size_t>(node)];
  }
  return result;
}

bool is_connected(const Graph& graph) {
  std::vector<char> seen(static_cast<std::size_t>(graph.agents()), 0);
  std::vector<AgentId> reached = {0};
  seen[0] = 1;
  for (std::size_t k = 0; k < reached.size(); ++k) {
    for (const AgentId other : graph.senders(reached[k])) {
      char& known = seen[static_cast<std::size_t>(other)];
      if (known == 0) reached.push_back(other);
      known = 1;
    }
  }
  return reached.size() == seen.size();
}

Graph agreed_graph(const Communicator& ranks, const HierarchicalCommunicator::MakeGraph& make,
                   AgentId nodes) {
  std::optional<Graph> graph;
  std::string edges;
  ranks.together([&] {
    require(static_cast<bool>(make), usage,
            "hierarchical communicator: there is no function for the graph; pass one");
    graph.emplace(make(nodes));
    require(graph->agents() == nodes, usage, "hierarchical communicator: the graph has ",
            graph->agents(), " agents for ", nodes, " nodes; make it for one agent per node");
    require(graph->is_undirected(), usage,
            "hierarchical communicator: the graph between nodes is directed (the weights need "
            "edges that go both ways); choose an undirected one");
    require(is_connected(*graph), usage,
            "hierarchical communicator: the graph between nodes is not connected (no number of "
            "rounds brings all together); add edges");
    for (AgentId g = 0; g < nodes; ++g) {
      for (const AgentId h : graph->senders(g)) edges += text(g, ' ', h, '\n');
    }
  });
  ranks.require_on_all(ranks.broadcast(edges, 0) == edges, usage,
                       "hierarchical communicator: the graph between nodes is not the same on all "
                       "ranks; make it from the number of nodes alone");
  return std::move(*graph);
}

MixingMatrix node_weights(const Graph& graph, const std::vector<int>& sizes) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(sizes.size());
  for (AgentId g = 0; g < graph.agents(); ++g) {
    auto& row = rows[static_cast<std::size_t>(g)];
    double others = 0;
    for (const AgentId h : graph.senders(g)) {
      row.push_back({h, flow(graph, sizes, g, h) / sizes[static_cast<std::size_t>(g)]});
      others += row.back().weight;
    }
    row.push_back({g, 1 - others});
  }
  return MixingMatrix(rows);
}

/// The ranks with the same color, in ascending order of `key`; none for MPI_UNDEFINED.
std::optional<Communicator> split(const Communicator& ranks, int color, int key) {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(ranks.handle(), color, key, &part), "MPI_Comm_split");
  if (part == MPI_COMM_NULL) return std::nullopt;
  std::optional<Communicator> result(std::in_place, part, ranks.stall_seconds());
  check_mpi(MPI_Comm_free(&part), "MPI_Comm_free");
  return result;
}

AgentSet one_agent(const Communicator& ranks) {
  return {static_cast<AgentId>(ranks.size()), {static_cast<AgentId>(ranks.rank())}};
}

}  // namespace

void require_same(bool condition, const std::string& message) {
  if (!condition) throw Error(usage, message, true);
}

double flow(const Graph& graph, const std::vector<int>& sizes, AgentId g, AgentId h) {
  const auto share = [&](AgentId node) {
    return static_cast<double>(sizes[static_cast<std::size_t>(node)]) /
           static_cast<double>(1 + graph.senders(node).size());
  };
  return std::min(share(g), share(h));
}

Hierarchy::Hierarchy(Communicator all, const HierarchicalCommunicator::MakeGraph& make,
                     const HierarchicalOptions& options)
    : ranks(std::move(all)),
      groups(grouping(ranks, options)),
      graph(agreed_graph(ranks, make, nodes())),
      weights(node_weights(graph, groups.sizes)),
      inside(std::move(*split(ranks, node(), ranks.rank()))),
      machine(inside, options.share_memory),
      sums(one_agent(inside), deal_agents(static_cast<AgentId>(inside.size()), inside.size()),
           inside, machine) {
  auto first_ranks = split(ranks, is_first() ? 0 : MPI_UNDEFINED, node());
  if (!first_ranks) return;
  between =
      std::make_unique<Network>(std::move(*first_ranks), weights,
                                NetworkLayout{.owner = {}, .share_memory = options.share_memory});
}

}  // namespace echelon::detail

// A graph from a file as a topology.

#include "echelon/core/error.hpp"
#include "echelon/io/graph_file.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon::detail {

namespace {

struct GraphFileOptions {
  std::string file{};

  void visit(OptionVisitor& visitor) {
    visitor("file", file,
            "path of a graph (docs/file-formats.md), such as an edge list with lines `i j "
            "[weight]`: agent i receives from j");
  }
};

TopologyRound read(const PartOptions& options) {
  const std::string& path = options.as<GraphFileOptions>().file;
  require(!path.empty(), ErrorKind::usage,
          "network.topology = file: there is no file name; set network.file");
  GraphFile content = read_graph(path);
  return {std::move(content.graph), std::move(content.weights), path};
}

}  // namespace

std::vector<TopologyEntry> graph_file_topology_parts() {
  return {{.name = "file",
           .summary = "a graph from a file, with its weights if it has some; fixes `agents`",
           .formula = "edges and weights as they are in `file`",
           .options = GraphFileOptions{},
           .path_option = "file",
           .read = read}};
}

}  // namespace echelon::detail

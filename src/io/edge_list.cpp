#include "echelon/io/edge_list.hpp"

#include <algorithm>
#include <span>

#include "graph_format.hpp"

namespace echelon {

namespace {

using detail::parses;
using detail::split;

class Reader {
 public:
  explicit Reader(const std::string& path) : lines_(path) {
    file_.path = path;
    file_.completes_rows = true;
    while (lines_.next()) read_line(lines_.line().substr(0, lines_.line().find('#')));
  }

  GraphFile finish() {
    require(agents_ > 0 || !file_.edges.empty(), ErrorKind::bad_data, file_.path,
            ": there are no edges; write lines `i j`, or `agents N` for agents that are alone");
    file_.agents = static_cast<AgentId>(agents_ > 0 ? agents_ : largest_ + 1);
    file_.without_weights = "lines `i j` are a graph without weights";
    file_.both_ways = "edges go both ways unless the file starts with `directed`";
    file_.name = [](AgentId i) { return std::to_string(i); };
    return detail::assemble(std::move(file_));
  }

 private:
  void read_line(std::string_view line) {
    std::array<std::string_view, 4> words;
    const std::size_t count = split(line, words);
    if (count == 0) return;
    if (words[0] == "directed") {
      lines_.check(count == 1 && !started_,
                   "`directed` is out of place; it stands alone, before everything but comments");
      file_.directed = true;
    } else if (words[0] == "agents") {
      lines_.check(agents_ == 0 && file_.edges.empty(),
                   "`agents` is out of place; it stands once, before the edges");
      lines_.check(
          count == 2 && parses(words[1], agents_) && agents_ >= 1 && agents_ <= most_agents,
          "this is not a number of agents; write `agents N` with N from 1 to ", most_agents);
    } else {
      read_edge({words.data(), count});
    }
    started_ = true;
  }

  void read_edge(std::span<const std::string_view> words) {
    std::int64_t receiver = 0;
    std::int64_t sender = 0;
    double weight = 0;
    lines_.check((words.size() == 2 || words.size() == 3) && parses(words[0], receiver) &&
                     parses(words[1], sender) && (words.size() == 2 || parses(words[2], weight)),
                 "this is not an edge; write `i j` or `i j weight`");
    const std::int64_t end = agents_ > 0 ? agents_ : most_agents;
    for (const std::int64_t id : {receiver, sender}) {
      lines_.check(id >= 0 && id < end, "agent ", id, " is out of range; ids are 0 to ", end - 1);
    }
    const bool weighted = words.size() == 3;
    if (file_.edges.empty()) file_.weighted = weighted;
    lines_.check(weighted == file_.weighted, "this edge has ", weighted ? "a" : "no",
                 " weight and line ", file_.edges.empty() ? 0 : file_.edges[0].line, " has ",
                 weighted ? "none" : "one", "; give all edges a weight or none");
    lines_.check(weighted || receiver != sender,
                 "an edge from an agent to itself means nothing without a weight; leave it out");
    lines_.check(detail::is_weight(weight), "the weight ", words.back(), detail::weights_are);
    largest_ = std::max({largest_, receiver, sender});
    file_.edges.push_back(
        {static_cast<AgentId>(receiver), static_cast<AgentId>(sender), weight, lines_.number()});
  }

  detail::GraphLines lines_;
  detail::FileGraph file_;
  bool started_ = false;
  std::int64_t agents_ = 0;  ///< 0: not given
  std::int64_t largest_ = -1;
};

}  // namespace

GraphFile read_edge_list(const std::string& path) {
  return Reader(path).finish();
}

void write_edge_list(const std::string& path, const MixingMatrix& matrix) {
  detail::require_no_negative(path, matrix);
  const bool undirected = matrix.is_symmetric();
  detail::GraphOutput output(path);
  auto& stream = output.stream();
  stream << "# i j w_ij: agent i receives sum_j w_ij x_j\n";
  if (!undirected) stream << "directed\n";
  stream << "agents " << matrix.agents() << '\n';
  detail::visit_weights(matrix, undirected, [&](AgentId i, AgentId j, double weight) {
    stream << i << ' ' << j << ' ' << detail::exact_text(weight) << '\n';
  });
  output.finish();
}

}  // namespace echelon

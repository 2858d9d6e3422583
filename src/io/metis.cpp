// The graph files of METIS. Source: G. Karypis, METIS manual, version 5.1, section 4.1, 2013.
#include <algorithm>

#include "graph_format.hpp"

namespace echelon::detail {

namespace {

class Reader {
 public:
  explicit Reader(const std::string& path) : lines_(path) {
    file_.path = path;
    file_.directed = true;  // both directions are given
    file_.name = [](AgentId i) { return std::to_string(i + 1); };
    read_header();
    for (std::int64_t i = 0; i < agents_; ++i) {
      lines_.check(next_line(), "the file ends after ", i, " of ", agents_,
                   " agents; there is a line for each, empty for those without neighbors");
      read_neighbors(i);
    }
    while (next_line()) {
      std::string_view rest = lines_.line();
      lines_.check(next_word(rest).empty(), "there is a line more than the ", agents_,
                   " agents of the header; correct one of them");
    }
  }

  GraphFile finish() {
    sort_edges(file_);
    check_both_ways();
    if (static_cast<std::int64_t>(file_.edges.size()) != 2 * edges_) {
      fail_at(file_.path, file_.header_line, "the header has ", edges_, " edges, the lists have ",
              file_.edges.size() / 2, "; correct one of them");
    }
    return assemble(std::move(file_));
  }

 private:
  /// The next line that is not a comment; an empty line is an agent without neighbors.
  bool next_line() {
    while (lines_.next()) {
      if (lines_.line().empty() || lines_.line()[0] != '%') return true;
    }
    return false;
  }

  void read_header() {
    constexpr std::string_view form = "; it is `agents edges [fmt [ncon]]`";
    lines_.check(next_line(), "the file ends before its first line", form);
    std::array<std::string_view, 5> words;
    const std::size_t count = split(lines_.line(), words);
    lines_.check(count >= 2 && count <= 4 && parses(words[0], agents_) &&
                     parses(words[1], edges_) && (count < 4 || parses(words[3], skipped_)),
                 "this is not the first line of a METIS graph", form);
    lines_.check(agents_ >= 1 && agents_ <= most_agents, "there are ", agents_, " agents; 1 to ",
                 most_agents, " can be read");
    lines_.check(edges_ >= 0 && edges_ <= agents_ * (agents_ - 1) / 2, "there are ", edges_,
                 " edges, and ", agents_, " agents have at most ", agents_ * (agents_ - 1) / 2,
                 "; correct the first line");
    std::string fmt(count >= 3 ? words[2] : "0");
    fmt.insert(0, 3 - std::min<std::size_t>(fmt.size(), 3), '0');
    lines_.check(fmt.size() == 3 && fmt.find_first_not_of("01") == std::string::npos,
                 "fmt is not made of three digits 0 or 1; they stand for sizes, weights of agents, "
                 "weights of edges");
    const bool has_weights = fmt[1] == '1';
    if (count < 4) skipped_ = has_weights ? 1 : 0;
    lines_.check(has_weights ? skipped_ >= 1 && skipped_ <= most_weights : skipped_ == 0,
                 "ncon is ", skipped_, "; it is 1 to ", most_weights,
                 ", and only if fmt says that agents have weights");
    if (fmt[0] == '1') ++skipped_;
    has_edge_weights_ = fmt[2] == '1';
    file_.agents = static_cast<AgentId>(agents_);
    file_.header_line = lines_.number();
  }

  std::int64_t number_from(std::string_view& rest, std::int64_t least, const char* what) {
    std::int64_t value = 0;
    lines_.check(parses(next_word(rest), value) && value >= least, what,
                 " is missing or no integer >= ", least, "; see fmt in the first line");
    return value;
  }

  void read_neighbors(std::int64_t i) {
    std::string_view rest = lines_.line();
    for (std::int64_t k = 0; k < skipped_; ++k)
      number_from(rest, 0, "a size or weight of the agent");
    for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
      std::int64_t neighbor = 0;
      lines_.check(parses(word, neighbor), "this is not a list of neighbors; write their numbers");
      lines_.check(neighbor >= 1 && neighbor <= agents_, "neighbor ", neighbor,
                   " is out of range; agents are 1 to ", agents_);
      lines_.check(neighbor != i + 1, "agent ", neighbor,
                   " is its own neighbor; METIS graphs have no such edges");
      if (has_edge_weights_) number_from(rest, 1, "the weight of an edge");
      file_.edges.push_back(
          {static_cast<AgentId>(i), static_cast<AgentId>(neighbor - 1), 0, lines_.number()});
    }
  }

  /// Rows are visited in ascending order, so row j must hold its entries in the order in which they
  /// are asked for.
  void check_both_ways() const {
    std::vector<std::size_t> next(file_.begins.begin(), file_.begins.end() - 1);
    for (const FileEdge& edge : file_.edges) {
      const auto j = static_cast<std::size_t>(edge.sender);
      const std::size_t mirror = next[j]++;
      if (mirror == file_.begins[j + 1]) fail_one_way(edge);
      const AgentId i = file_.edges[mirror].sender;
      if (i != edge.receiver) fail_one_way(i > edge.receiver ? edge : file_.edges[mirror]);
    }
  }
  [[noreturn]] void fail_one_way(const FileEdge& edge) const {
    fail_at(file_.path, edge.line, "agent ", edge.receiver + 1, " lists ", edge.sender + 1,
            ", which does not list it (METIS graphs are undirected); list the edge at both ends");
  }

  static constexpr std::int64_t most_weights = 100;

  GraphLines lines_;
  FileGraph file_;
  std::int64_t agents_ = 0;
  std::int64_t edges_ = 0;
  std::int64_t skipped_ = 0;  ///< numbers before the neighbors
  bool has_edge_weights_ = false;
};

}  // namespace

GraphFile read_metis(const std::string& path) {
  return Reader(path).finish();
}

void write_metis(const std::string& path, const MixingMatrix& matrix) {
  const Graph graph = matrix.graph();
  require(graph.is_undirected(), ErrorKind::usage, path,
          ": the graph is directed (METIS files hold undirected graphs); choose .txt, .mtx or "
          ".graphml");
  GraphOutput output(path);
  auto& stream = output.stream();
  stream << "% A line per agent: its neighbors, counted from 1.\n"
         << graph.agents() << ' ' << graph.edges() / 2 << '\n';
  for (AgentId i = 0; i < graph.agents(); ++i) {
    const char* space = "";
    for (const AgentId j : graph.senders(i)) {
      stream << space << j + 1;
      space = " ";
    }
    stream << '\n';
  }
  output.finish();
}

}  // namespace echelon::detail

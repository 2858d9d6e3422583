#include "echelon/io/edge_list.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "echelon/core/error.hpp"

namespace echelon {

namespace {

constexpr double tolerance = 1e-12;

struct Line {
  AgentId receiver;
  AgentId sender;
  double weight;
  int number;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line.substr(0, line.find('#')));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

template <class Number>
bool parses(const std::string& word, Number& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size();
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    std::error_code ignored;
    require(std::filesystem::exists(path, ignored), ErrorKind::missing_input, path,
            ": there is no such file; network.file is the path of an edge list");
    require(!std::filesystem::is_directory(path, ignored), ErrorKind::bad_data, path,
            ": this is a folder; network.file is the path of an edge list");
    std::ifstream stream(path);
    require(stream.is_open(), ErrorKind::input_output, path,
            ": the file cannot be opened; check its permissions");
    std::string line;
    while (std::getline(stream, line)) {
      ++number_;
      read_line(words_of(line));
    }
    require(!stream.bad(), ErrorKind::input_output, path, ": reading failed after line ", number_,
            "; check the disk");
  }

  EdgeList finish() {
    require(agents_ > 0 || !lines_.empty(), ErrorKind::bad_data, path_,
            ": there are no edges; write lines `i j`, or `agents N` for agents that are alone");
    if (agents_ == 0) agents_ = largest_ + 1;
    if (!directed_) add_other_directions();
    check_duplicates();
    std::vector<std::pair<AgentId, AgentId>> edges;
    for (const Line& line : lines_) edges.emplace_back(line.receiver, line.sender);
    Graph graph(static_cast<AgentId>(agents_), std::move(edges));
    if (!weighted_) return {std::move(graph), std::nullopt};
    return {std::move(graph), MixingMatrix(weights())};
  }

 private:
  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    if (!condition) fail_at(number_, parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail_at(int number, const Parts&... parts) const {
    fail(ErrorKind::bad_data, path_, ":", number, ": ", parts...);
  }

  void read_line(const std::vector<std::string>& words) {
    if (words.empty()) return;
    if (words[0] == "directed") {
      check(words.size() == 1 && !started_,
            "`directed` is out of place; it stands alone, before everything but comments");
      directed_ = true;
    } else if (words[0] == "agents") {
      check(agents_ == 0 && lines_.empty(),
            "`agents` is out of place; it stands once, before the edges");
      check(
          words.size() == 2 && parses(words[1], agents_) && agents_ >= 1 && agents_ <= most_agents,
          "this is not a number of agents; write `agents N` with N from 1 to ", most_agents);
    } else {
      read_edge(words);
    }
    started_ = true;
  }

  void read_edge(const std::vector<std::string>& words) {
    std::int64_t receiver = 0;
    std::int64_t sender = 0;
    double weight = 0;
    check((words.size() == 2 || words.size() == 3) && parses(words[0], receiver) &&
              parses(words[1], sender) && (words.size() == 2 || parses(words[2], weight)),
          "this is not an edge; write `i j` or `i j weight`");
    const std::int64_t end = agents_ > 0 ? agents_ : most_agents;
    for (const std::int64_t id : {receiver, sender}) {
      check(id >= 0 && id < end, "agent ", id, " is out of range; ids are 0 to ", end - 1);
    }
    const bool weighted = words.size() == 3;
    if (lines_.empty()) weighted_ = weighted;
    check(weighted == weighted_, "this edge has ", weighted ? "a" : "no", " weight and line ",
          lines_.empty() ? 0 : lines_[0].number, " has ", weighted ? "none" : "one",
          "; give all edges a weight or none");
    check(weighted || receiver != sender,
          "an edge from an agent to itself means nothing without a weight; leave it out");
    check(std::isfinite(weight) && weight >= 0, "the weight ", words.back(),
          " is not a finite number >= 0; weights are between 0 and 1");
    largest_ = std::max({largest_, receiver, sender});
    lines_.push_back(
        {static_cast<AgentId>(receiver), static_cast<AgentId>(sender), weight, number_});
  }

  void add_other_directions() {
    const std::size_t given = lines_.size();
    for (std::size_t k = 0; k < given; ++k) {
      Line line = lines_[k];
      if (line.receiver == line.sender) continue;
      std::swap(line.receiver, line.sender);
      lines_.push_back(line);
    }
  }

  /// Leaves the lines sorted by receiver, sender and line.
  void check_duplicates() {
    const auto key = [](const Line& line) {
      return std::tuple(line.receiver, line.sender, line.number);
    };
    std::sort(lines_.begin(), lines_.end(),
              [&](const Line& a, const Line& b) { return key(a) < key(b); });
    const auto same =
        std::adjacent_find(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) {
          return a.receiver == b.receiver && a.sender == b.sender;
        });
    if (same == lines_.end()) return;
    fail_at((same + 1)->number, "the edge of agents ", same->receiver, " and ", same->sender,
            " was given in line ", same->number, " already; give it once",
            directed_ ? "" : " (edges go both ways unless the file starts with `directed`)");
  }

  std::vector<std::vector<MixingMatrix::Entry>> weights() {
    // In the order of the file, so that the line that is named is the first that is wrong.
    std::stable_sort(lines_.begin(), lines_.end(),
                     [](const Line& a, const Line& b) { return a.number < b.number; });
    const auto agents = static_cast<std::size_t>(agents_);
    std::vector<std::vector<MixingMatrix::Entry>> rows(agents);
    std::vector<double> sums(agents, 0);
    std::vector<int> self_lines(agents, 0);
    for (const Line& line : lines_) {
      const auto i = static_cast<std::size_t>(line.receiver);
      rows[i].push_back({line.sender, line.weight});
      sums[i] += line.weight;
      if (line.sender == line.receiver) self_lines[i] = line.number;
      if (sums[i] > 1 + tolerance) {
        fail_at(line.number, "the weights of agent ", i, " sum to ", sums[i],
                " here; those of a row sum to 1");
      }
    }
    for (std::size_t i = 0; i < agents; ++i) {
      if (self_lines[i] == 0) {
        rows[i].push_back({static_cast<AgentId>(i), std::max(0.0, 1 - sums[i])});
      } else if (sums[i] < 1 - tolerance) {
        fail_at(self_lines[i], "the weights of agent ", i, " sum to ", sums[i],
                ", its self weight included; they sum to 1, or leave the self weight out");
      }
    }
    return rows;
  }

  std::string path_;
  int number_ = 0;
  bool started_ = false;
  bool directed_ = false;
  bool weighted_ = false;
  std::int64_t agents_ = 0;  ///< 0: not given
  std::int64_t largest_ = -1;
  std::vector<Line> lines_;
};

std::string exact_text(double value) {
  char buffer[64];
  const auto result =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 17);
  return {buffer, result.ptr};
}

/// Self weights are written even if zero: computed as a remainder they could differ in the last
/// bit.
void write_row(std::ostream& stream, const MixingMatrix& matrix, AgentId i, bool undirected) {
  const auto row = matrix.row(i);
  if (std::none_of(row.begin(), row.end(), [&](const auto& entry) { return entry.sender == i; })) {
    stream << i << ' ' << i << " 0\n";
  }
  for (const auto& [j, weight] : row) {
    if (undirected && j < i) continue;
    stream << i << ' ' << j << ' ' << exact_text(weight) << '\n';
  }
}

}  // namespace

EdgeList read_edge_list(const std::string& path) {
  return Reader(path).finish();
}

void write_edge_list(const std::string& path, const MixingMatrix& matrix) {
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      require(weight >= 0, ErrorKind::bad_data, path, ": the weight of agent ", i, " for agent ", j,
              " is ", weight, "; edge lists hold weights >= 0");
    }
  }
  std::error_code ignored;
  require(!std::filesystem::is_regular_file(path, ignored), ErrorKind::cannot_create, path,
          ": the file exists already; choose another name or remove it");
  std::ofstream stream(path);
  require(stream.is_open(), ErrorKind::cannot_create, path,
          ": the file cannot be created; check that its folder exists and can be written to");
  const bool undirected = matrix.is_symmetric();
  stream << "# i j w_ij: agent i receives sum_j w_ij x_j\n";
  if (!undirected) stream << "directed\n";
  stream << "agents " << matrix.agents() << '\n';
  for (AgentId i = 0; i < matrix.agents(); ++i) write_row(stream, matrix, i, undirected);
  stream.close();
  if (stream.good()) return;
  if (std::filesystem::is_regular_file(path, ignored)) std::filesystem::remove(path, ignored);
  fail(ErrorKind::input_output, path, ": writing failed; is the disk full?");
}

MixingMatrix read_or_make(const TopologyOptions& options, bool agents_given) {
  if (options.topology != "file") return make_mixing_matrix(options);
  require(!options.file.empty(), ErrorKind::usage,
          "network.topology = file: there is no file name; set network.file");
  const EdgeList list = read_edge_list(options.file);
  require(!agents_given || options.agents == list.graph.agents(), ErrorKind::usage, options.file,
          ": the sizes do not match (the file has ", list.graph.agents(),
          " agents, network.agents = ", options.agents,
          "); set network.agents = ", list.graph.agents());
  if (!list.weights) return weigh(list.graph, options);
  require(!options.lazy, ErrorKind::usage, options.file,
          ": network.lazy = yes meets weights from a file (those are used as they are); set "
          "network.lazy = no");
  return *list.weights;
}

}  // namespace echelon

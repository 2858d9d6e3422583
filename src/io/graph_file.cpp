#include "echelon/io/graph_file.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <tuple>

#include "echelon/core/compensated_sum.hpp"
#include "echelon/io/edge_list.hpp"
#include "graph_format.hpp"

namespace echelon {

namespace detail {

namespace {

constexpr double tolerance = 1e-12;

bool is_one(const CompensatedSum& sum) {
  return std::abs(sum.value() - 1) <= tolerance;
}

/// Close to 1 the difference, since six digits would show none.
std::string sum_text(double sum) {
  const double over = sum - 1;
  if (std::abs(over) > 1e-4) return text(sum);
  return text("1 ", over < 0 ? "- " : "+ ", std::abs(over), " (are digits missing?)");
}

/// Weights in the form of a matrix.
class Weights {
 public:
  /// `file` is sorted.
  explicit Weights(const FileGraph& file) : file_(file), rows_(size()) {
    for (const FileEdge& edge : file.edges) rows_[index(edge.receiver)].add(edge.weight);
  }

  MixingMatrix matrix() const {
    for (AgentId i = 0; i < file_.agents; ++i) {
      if (row_holds(i)) continue;
      if (columns_hold()) return MixingMatrix(entries(false), Sums::columns);
      fail_above_one();
      fail_below_one();
    }
    return MixingMatrix(entries(file_.completes_rows));
  }

 private:
  static std::size_t index(AgentId i) { return static_cast<std::size_t>(i); }
  std::size_t size() const { return index(file_.agents); }
  std::span<const FileEdge> edges_of(AgentId i) const {
    const std::size_t begin = file_.begins[index(i)];
    return std::span(file_.edges).subspan(begin, file_.begins[index(i) + 1] - begin);
  }
  double row_sum(AgentId i) const { return rows_[index(i)].value(); }
  const FileEdge* self_edge(AgentId i) const {
    for (const FileEdge& edge : edges_of(i)) {
      if (edge.sender == i) return &edge;
    }
    return nullptr;
  }
  bool is_completed(AgentId i) const { return file_.completes_rows && self_edge(i) == nullptr; }
  bool row_holds(AgentId i) const {
    return is_completed(i) ? row_sum(i) <= 1 + tolerance : is_one(rows_[index(i)]);
  }

  bool columns_hold() const {
    std::vector<CompensatedSum> columns(size());
    for (const FileEdge& edge : file_.edges) columns[index(edge.sender)].add(edge.weight);
    return std::all_of(columns.begin(), columns.end(), is_one);
  }

  std::vector<std::vector<MixingMatrix::Entry>> entries(bool completed) const {
    std::vector<std::vector<MixingMatrix::Entry>> entries(size());
    for (AgentId i = 0; i < file_.agents; ++i) {
      auto& row = entries[index(i)];
      const bool adds_self = completed && is_completed(i);
      row.reserve(edges_of(i).size() + (adds_self ? 1 : 0));
      for (const FileEdge& edge : edges_of(i)) row.push_back({edge.sender, edge.weight});
      if (adds_self) row.push_back({i, std::max(0.0, 1 - row_sum(i))});
    }
    return entries;
  }

  /// Names the first line of the file at which a row is more than full.
  void fail_above_one() const {
    std::int64_t line = std::numeric_limits<std::int64_t>::max();
    AgentId agent = -1;
    double reached = 0;
    for (AgentId i = 0; i < file_.agents; ++i) {
      if (row_sum(i) <= 1 + tolerance) continue;
      std::vector<FileEdge> edges(edges_of(i).begin(), edges_of(i).end());
      std::sort(edges.begin(), edges.end(),
                [](const FileEdge& a, const FileEdge& b) { return a.line < b.line; });
      CompensatedSum sum;
      for (const FileEdge& edge : edges) {
        sum.add(edge.weight);
        if (sum.value() <= 1 + tolerance) continue;
        if (edge.line < line)
          std::tie(line, agent, reached) = std::tuple(edge.line, i, sum.value());
        break;
      }
    }
    if (agent < 0) return;
    fail_at(file_.path, line, "the weights of agent ", file_.name(agent), " sum to ",
            sum_text(reached), " here; those of a row sum to 1 (", file_.without_weights, ")");
  }

  void fail_below_one() const {
    for (AgentId i = 0; i < file_.agents; ++i) {
      if (row_holds(i)) continue;
      const FileEdge* self = self_edge(i);
      std::int64_t line = self != nullptr ? self->line : file_.header_line;
      for (const FileEdge& edge : edges_of(i)) {
        if (self == nullptr) line = std::max(line, edge.line);
      }
      fail_at(file_.path, line, "the weights of agent ", file_.name(i), " sum to ",
              sum_text(row_sum(i)), self != nullptr ? ", its self weight included" : "",
              "; they sum to 1",
              self != nullptr && file_.completes_rows ? ", or leave the self weight out" : "");
    }
  }

  const FileGraph& file_;
  std::vector<CompensatedSum> rows_;
};

}  // namespace

std::ifstream open_graph(const std::string& path) {
  std::error_code ignored;
  require(std::filesystem::exists(path, ignored), ErrorKind::missing_input, path,
          ": there is no such file; network.file is the path of a graph");
  require(!std::filesystem::is_directory(path, ignored), ErrorKind::bad_data, path,
          ": this is a folder; network.file is the path of a graph");
  std::ifstream stream(path, std::ios::binary);
  require(stream.is_open(), ErrorKind::input_output, path,
          ": the file cannot be opened; check its permissions");
  return stream;
}

bool GraphLines::next() {
  if (std::getline(stream_, line_)) {
    ++number_;
    return true;
  }
  require(!stream_.bad(), ErrorKind::input_output, path_, ": reading failed after line ", number_,
          "; check the disk");
  return false;
}

std::string_view next_word(std::string_view& line) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::size_t begin = 0;
  while (begin < line.size() && is_space(line[begin])) ++begin;
  std::size_t end = begin;
  while (end < line.size() && !is_space(line[end])) ++end;
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

bool is_weight(double value) {
  return std::isfinite(value) && value >= 0;
}

void sort_edges(FileGraph& file) {
  std::vector<std::size_t> begins(static_cast<std::size_t>(file.agents) + 1, 0);
  for (const FileEdge& edge : file.edges) ++begins[static_cast<std::size_t>(edge.receiver) + 1];
  for (std::size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
  std::vector<FileEdge> sorted(file.edges.size());
  std::vector<std::size_t> next(begins.begin(), begins.end() - 1);
  for (const FileEdge& edge : file.edges) {
    sorted[next[static_cast<std::size_t>(edge.receiver)]++] = edge;
  }
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    std::sort(sorted.data() + begins[i], sorted.data() + begins[i + 1],
              [](const FileEdge& a, const FileEdge& b) {
                return a.sender != b.sender ? a.sender < b.sender : a.line < b.line;
              });
  }
  file.edges = std::move(sorted);
  file.begins = std::move(begins);

  const auto same =
      std::adjacent_find(file.edges.begin(), file.edges.end(), [](const auto& a, const auto& b) {
        return a.receiver == b.receiver && a.sender == b.sender;
      });
  if (same == file.edges.end()) return;
  const std::string why = file.directed ? "" : " (" + file.both_ways + ")";
  fail_at(file.path, (same + 1)->line, "the edge of agents ", file.name(same->receiver), " and ",
          file.name(same->sender), " was given in line ", same->line, " already; give it once",
          why);
}

GraphFile assemble(FileGraph file) {
  if (!file.directed) {
    const std::size_t given = file.edges.size();
    file.edges.reserve(2 * given);
    for (std::size_t k = 0; k < given; ++k) {
      FileEdge edge = file.edges[k];
      if (edge.receiver == edge.sender) continue;
      std::swap(edge.receiver, edge.sender);
      file.edges.push_back(edge);
    }
  }
  if (file.begins.empty()) sort_edges(file);
  if (file.weighted) {
    MixingMatrix matrix = Weights(file).matrix();
    Graph graph = matrix.graph();
    return {std::move(graph), std::move(matrix)};
  }
  std::vector<std::pair<AgentId, AgentId>> edges;
  edges.reserve(file.edges.size());
  for (const FileEdge& edge : file.edges) edges.emplace_back(edge.receiver, edge.sender);
  return {Graph(file.agents, std::move(edges)), std::nullopt};
}

GraphOutput::GraphOutput(const std::string& path) : path_(path) {
  std::error_code ignored;
  require(!std::filesystem::is_regular_file(path, ignored), ErrorKind::cannot_create, path,
          ": the file exists already; choose another name or remove it");
  stream_.open(path);
  require(stream_.is_open(), ErrorKind::cannot_create, path,
          ": the file cannot be created; check that its folder exists and can be written to");
}

void GraphOutput::finish() {
  stream_.close();
  if (stream_.good()) return;
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path_, ignored)) std::filesystem::remove(path_, ignored);
  fail(ErrorKind::input_output, path_, ": writing failed; is the disk full?");
}

std::string exact_text(double value) {
  char buffer[64];
  const auto result =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 17);
  return {buffer, result.ptr};
}

void require_no_negative(const std::string& path, const MixingMatrix& matrix) {
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      require(weight >= 0, ErrorKind::bad_data, path, ": the weight of agent ", i, " for agent ", j,
              " is ", weight, "; graph files hold weights >= 0");
    }
  }
}

}  // namespace detail

namespace {

std::string extension_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

}  // namespace

GraphFile read_graph(const std::string& path) {
  const std::string extension = extension_of(path);
  if (extension == ".mtx") return detail::read_matrix_market(path);
  if (extension == ".graph" || extension == ".metis") return detail::read_metis(path);
  if (extension == ".graphml") return detail::read_graphml(path);
  return read_edge_list(path);
}

void write_graph(const std::string& path, const MixingMatrix& matrix) {
  const std::string extension = extension_of(path);
  if (extension == ".mtx") return detail::write_matrix_market(path, matrix);
  if (extension == ".graph" || extension == ".metis") return detail::write_metis(path, matrix);
  if (extension == ".graphml") return detail::write_graphml(path, matrix);
  write_edge_list(path, matrix);
}

}  // namespace echelon

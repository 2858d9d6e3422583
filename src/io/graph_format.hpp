#pragma once
/// What the readers and writers of graph files share.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "echelon/core/error.hpp"
#include "echelon/io/graph_file.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon::detail {

/// Throws if there is no such file, or none that can be read.
std::ifstream open_graph(const std::string& path);

template <class... Parts>
[[noreturn]] void fail_at(const std::string& path, std::int64_t line, const Parts&... parts) {
  fail(ErrorKind::bad_data, path, ":", line, ": ", parts...);
}

/// A text file, line by line.
class GraphLines {
 public:
  explicit GraphLines(const std::string& path) : path_(path), stream_(open_graph(path)) {}

  bool next();  ///< false at the end of the file
  std::string_view line() const { return line_; }
  std::int64_t number() const { return number_; }  ///< of the current line, from 1
  const std::string& path() const { return path_; }

  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    if (!condition) fail_at(path_, std::max<std::int64_t>(number_, 1), parts...);
  }

 private:
  std::string path_;
  std::ifstream stream_;
  std::string line_;
  std::int64_t number_ = 0;
};

/// Takes the next word off the front of `line`; empty at its end.
std::string_view next_word(std::string_view& line);

/// The first words of `line`; returns how many there are, `Most` meaning that or more.
template <std::size_t Most>
std::size_t split(std::string_view line, std::array<std::string_view, Most>& words) {
  std::size_t count = 0;
  while (count < Most && !(words[count] = next_word(line)).empty()) ++count;
  return count;
}

/// True if all of `word` is one number; NaN and infinity included.
template <class Number>
bool parses(std::string_view word, Number& value) {
  const char* const end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

/// The message's part for a weight that `is_weight` refuses.
inline constexpr std::string_view weights_are =
    " is not a finite number >= 0; weights are between 0 and 1";
bool is_weight(double value);

struct FileEdge {
  AgentId receiver;
  AgentId sender;
  double weight;
  std::int64_t line;
};

/// The content of a file, ids in range and weights checked one by one.
struct FileGraph {
  std::string path{};
  AgentId agents = 0;
  bool directed = false;  ///< false: edges go both ways and are given once
  bool weighted = false;
  bool completes_rows = false;  ///< an absent self weight is 1 minus the sum of the row
  std::int64_t header_line = 1;
  std::vector<FileEdge> edges{};
  std::vector<std::size_t> begins{};  ///< where each receiver's edges begin, once they are sorted
  std::string both_ways{};            ///< explains why (i, j) and (j, i) are the same edge
  std::string without_weights{};      ///< says how a file gives none
  std::function<std::string(AgentId)> name{};  ///< what the file calls an agent
};

/// Sorts edges by receiver, sender and line; refuses edges given twice.
void sort_edges(FileGraph& file);
/// Refuses edges given twice, and weights of which neither rows nor columns sum to 1.
GraphFile assemble(FileGraph file);

/// A file that did not exist before and is whole after `finish`.
class GraphOutput {
 public:
  explicit GraphOutput(const std::string& path);
  std::ostream& stream() { return stream_; }
  void finish();

 private:
  std::string path_;
  std::ofstream stream_;
};

std::string exact_text(double value);
void require_no_negative(const std::string& path, const MixingMatrix& matrix);

/// Calls `visit(i, j, weight)` for all weights, one of each pair if `undirected`, with all self
/// weights: where zeros are left out, readers would compute a remainder.
template <class Visit>
void visit_weights(const MixingMatrix& matrix, bool undirected, const Visit& visit) {
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    bool has_self = false;
    for (const auto& [j, weight] : matrix.row(i)) {
      has_self = has_self || j == i;
      if (!undirected || j >= i) visit(i, j, weight);
    }
    if (!has_self) visit(i, i, 0.0);
  }
}

GraphFile read_matrix_market(const std::string& path);
GraphFile read_metis(const std::string& path);
GraphFile read_graphml(const std::string& path);
void write_matrix_market(const std::string& path, const MixingMatrix& matrix);
void write_metis(const std::string& path, const MixingMatrix& matrix);
void write_graphml(const std::string& path, const MixingMatrix& matrix);

}  // namespace echelon::detail

// The text format of NIST's Matrix Market. Source: R. F. Boisvert, R. Pozo, K. A. Remington, NISTIR
// 5935, 1996.
#include <algorithm>

#include "graph_format.hpp"

namespace echelon::detail {

namespace {

std::string lower_case(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : lines_(path) {
    file_.path = path;
    file_.name = [](AgentId i) { return std::to_string(i + 1); };
    file_.without_weights = "a graph without weights is a `pattern`";
    file_.both_ways = "a symmetric matrix is given by one half";
    read_banner();
    read_size();
    while (next_content()) is_array_ ? read_values() : read_entry();
    lines_.check(read_ == expected_, "the file ends after ", read_, " of ", expected_,
                 " entries; the size line and the entries are to agree");
  }

  GraphFile finish() { return assemble(std::move(file_)); }

 private:
  /// The next line that is neither empty nor a comment.
  bool next_content() {
    while (lines_.next()) {
      std::string_view rest = lines_.line();
      const std::string_view first = next_word(rest);
      if (!first.empty() && first[0] != '%') return true;
    }
    return false;
  }

  void read_banner() {
    lines_.next();
    std::array<std::string_view, 6> words;
    const std::size_t count = split(lines_.line(), words);
    lines_.check(count == 5 && lower_case(words[0]) == "%%matrixmarket",
                 "this is not the first line of a Matrix Market file; it is `%%MatrixMarket matrix "
                 "coordinate real general` or similar");
    const std::string kind = lower_case(words[1]) + " " + lower_case(words[2]);
    const std::string field = lower_case(words[3]);
    const std::string symmetry = lower_case(words[4]);
    is_array_ = kind == "matrix array";
    const bool is_supported =
        is_array_ ? field == "real" && symmetry == "general"
                  : kind == "matrix coordinate" &&
                        (field == "real" || field == "integer" || field == "pattern") &&
                        (symmetry == "general" || symmetry == "symmetric");
    lines_.check(is_supported,
                 "this kind of matrix cannot be read; graphs and weights are `matrix coordinate "
                 "real|integer|pattern general|symmetric` or `matrix array real general`");
    file_.weighted = field != "pattern";
    file_.directed = symmetry == "general";
  }

  void read_size() {
    lines_.check(next_content(),
                 "the file ends before the size line; it is `rows columns entries`");
    std::array<std::string_view, 4> words;
    const std::size_t count = split(lines_.line(), words);
    std::int64_t rows = 0;
    lines_.check(count == (is_array_ ? 2u : 3u) && parses(words[0], rows) &&
                     parses(words[1], size_) && (is_array_ || parses(words[2], expected_)),
                 "this is not a size line; write `rows columns", is_array_ ? "`" : " entries`");
    lines_.check(rows == size_, "the matrix has ", rows, " rows and ", size_,
                 " columns; there is a row and a column per agent");
    lines_.check(size_ >= 1 && size_ <= most_agents, "there are ", size_, " rows; 1 to ",
                 most_agents, " agents can be read");
    if (is_array_) expected_ = size_ * size_;
    lines_.check(expected_ >= 0 && expected_ <= size_ * size_, "there are ", expected_,
                 " entries, and the matrix has room for ", size_ * size_,
                 "; correct the size line");
    file_.agents = static_cast<AgentId>(size_);
    file_.header_line = lines_.number();
  }

  void count_entry() {
    lines_.check(read_ < expected_, "there are more entries than the ", expected_,
                 " of the size line; correct one of them");
    ++read_;
  }

  void read_entry() {
    count_entry();
    std::array<std::string_view, 4> words;
    const std::size_t count = split(lines_.line(), words);
    std::int64_t receiver = 0;
    std::int64_t sender = 0;
    double weight = 0;
    lines_.check(count == (file_.weighted ? 3u : 2u) && parses(words[0], receiver) &&
                     parses(words[1], sender) && (!file_.weighted || parses(words[2], weight)),
                 "this is not an entry; write `i j", file_.weighted ? " w`" : "`");
    for (const std::int64_t id : {receiver, sender}) {
      lines_.check(id >= 1 && id <= size_, "index ", id, " is out of range; indices are 1 to ",
                   size_);
    }
    lines_.check(is_weight(weight), "the weight ", words[2], weights_are);
    add(receiver - 1, sender - 1, weight);
  }

  /// Columns one after the other.
  void read_values() {
    std::string_view rest = lines_.line();
    for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
      double weight = 0;
      lines_.check(parses(word, weight), "this is not a number; write a value per line");
      lines_.check(is_weight(weight), "the weight ", word, weights_are);
      count_entry();
      if (weight != 0) add((read_ - 1) % size_, (read_ - 1) / size_, weight);
    }
  }

  void add(std::int64_t receiver, std::int64_t sender, double weight) {
    file_.edges.push_back(
        {static_cast<AgentId>(receiver), static_cast<AgentId>(sender), weight, lines_.number()});
  }

  GraphLines lines_;
  FileGraph file_;
  bool is_array_ = false;
  std::int64_t size_ = 0;
  std::int64_t expected_ = 0;
  std::int64_t read_ = 0;
};

}  // namespace

GraphFile read_matrix_market(const std::string& path) {
  return Reader(path).finish();
}

void write_matrix_market(const std::string& path, const MixingMatrix& matrix) {
  require_no_negative(path, matrix);
  const bool symmetric = matrix.is_symmetric();
  std::int64_t entries = 0;
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& entry : matrix.row(i)) entries += !symmetric || entry.sender <= i ? 1 : 0;
  }
  GraphOutput output(path);
  auto& stream = output.stream();
  stream << "%%MatrixMarket matrix coordinate real " << (symmetric ? "symmetric" : "general")
         << "\n% i j w_ij: agent i receives sum_j w_ij x_j\n"
         << matrix.agents() << ' ' << matrix.agents() << ' ' << entries << '\n';
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      if (symmetric && j > i) continue;
      stream << i + 1 << ' ' << j + 1 << ' ' << exact_text(weight) << '\n';
    }
  }
  output.finish();
}

}  // namespace echelon::detail

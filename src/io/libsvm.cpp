#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "echelon/core/error.hpp"
#include "echelon/io/file_data_source.hpp"
#include "gzip_file.hpp"
#include "row_order.hpp"

namespace echelon {

namespace {

using detail::GzipFile;

class LineReader {
 public:
  explicit LineReader(const std::string& path) : file_(path), buffer_(1 << 16, '\0') {}

  /// The next line without its end; valid until the next call. False at the end of the file.
  bool next(std::string_view& line) {
    std::size_t searched = begin_;
    for (;;) {
      const char* const start = buffer_.data() + searched;
      const void* const found = std::memchr(start, '\n', end_ - searched);
      if (found != nullptr) {
        const auto stop =
            static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
        return take(line, stop, stop + 1);
      }
      searched = end_ - begin_;
      if (!refill()) return begin_ < end_ && take(line, end_, end_);
    }
  }

  const std::string& path() const { return file_.path(); }
  std::int64_t number() const { return number_; }  ///< of the current line, from 1

 private:
  bool take(std::string_view& line, std::size_t stop, std::size_t next_begin) {
    line = std::string_view(buffer_).substr(begin_, stop - begin_);
    begin_ = next_begin;
    ++number_;
    return true;
  }

  /// Moves what is left to the front and appends more; false if there is no more.
  bool refill() {
    std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
    end_ -= begin_;
    begin_ = 0;
    if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
    const std::size_t got = file_.read(buffer_.data() + end_, buffer_.size() - end_);
    end_ += got;
    return got > 0;
  }

  GzipFile file_;
  std::string buffer_;
  std::size_t begin_ = 0;  // unread characters are [begin_, end_)
  std::size_t end_ = 0;
  std::int64_t number_ = 0;
};

/// Takes the next token off the front of `line`; empty at its end.
std::string_view next_token(std::string_view& line) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::size_t begin = 0;
  while (begin < line.size() && is_space(line[begin])) ++begin;
  std::size_t end = begin;
  while (end < line.size() && !is_space(line[end])) ++end;
  const std::string_view token = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return token;
}

/// True if all of `token` is one number; NaN and infinity included.
bool parse_number(std::string_view token, double& value) {
  const bool has_plus = token.size() > 1 && token[0] == '+' && token[1] != '-';
  if (has_plus) token.remove_prefix(1);
  const char* const end = token.data() + token.size();
  const auto result = std::from_chars(token.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

/// A token fit for a message: short and printable.
std::string quoted(std::string_view token) {
  constexpr std::size_t longest = 40;
  std::string shown(token.substr(0, longest));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return "`" + shown + (token.size() > longest ? "...`" : "`");
}

/// One sample after the other. Columns count from 0.
class LibsvmReader {
 public:
  explicit LibsvmReader(const std::string& path) : lines_(path) {}

  /// Reads the next sample; false at the end of the file.
  bool next() {
    std::string_view line;
    while (lines_.next(line)) {
      line = line.substr(0, line.find('#'));
      label_token_ = next_token(line);
      if (label_token_.empty()) continue;
      if (!parse_number(label_token_, label_)) refuse(label_token_, "is not a number", label_form);
      if (!std::isfinite(label_)) refuse(label_token_, "is not a finite label", label_form);
      columns_.clear();
      values_.clear();
      id_token_ = {};
      while (!line.empty()) {
        const std::string_view token = next_token(line);
        if (token.empty()) continue;
        if (columns_.empty() && id_token_.empty() && token.starts_with(id_key)) {
          id_token_ = token.substr(id_key.size());
          if (id_token_.empty()) refuse(token, "has no id", "write `qid:ID` or leave it out");
          continue;
        }
        parse_entry(token);
      }
      return true;
    }
    return false;
  }

  double label() const { return label_; }
  std::string_view label_token() const { return label_token_; }  ///< valid until next()
  std::string_view id_token() const { return id_token_; }        ///< likewise; empty: there is none
  const std::vector<std::int32_t>& columns() const { return columns_; }
  const std::vector<float>& values() const { return values_; }

  std::string where() const { return text(lines_.path(), ":", lines_.number(), ": "); }

  [[noreturn]] void refuse(std::string_view token, const std::string& problem,
                           std::string_view right) const {
    fail(ErrorKind::bad_data, where(), quoted(token), " ", problem, "; ", right);
  }

 private:
  static constexpr std::string_view label_form = "a line starts with its label, a number";
  static constexpr std::string_view id_key = "qid:";
  static constexpr std::string_view entry_form =
      "entries are `index:value`, with indices from 1 in ascending order and finite values";

  void parse_entry(std::string_view token) {
    const char* const end = token.data() + token.size();
    std::int64_t index = 0;
    const auto result = std::from_chars(token.data(), end, index);
    const bool has_form = result.ec == std::errc() && result.ptr != end && *result.ptr == ':';
    if (!has_form) refuse(token, "is not of the form index:value", entry_form);
    if (index < 1) refuse(token, "has an index below 1", entry_form);
    if (index > std::numeric_limits<std::int32_t>::max()) {
      refuse(token, "has an index above 2^31 - 1", entry_form);
    }
    const auto column = static_cast<std::int32_t>(index - 1);
    if (!columns_.empty() && column <= columns_.back()) {
      refuse(token, text("comes after index ", columns_.back() + 1), entry_form);
    }
    double value = 0;
    const auto value_begin = static_cast<std::size_t>(result.ptr - token.data()) + 1;
    if (!parse_number(token.substr(value_begin), value)) {
      refuse(token, "has no readable value", entry_form);
    }
    const bool is_finite = std::abs(value) <= double{std::numeric_limits<float>::max()};
    if (!is_finite) refuse(token, "has no finite value in single precision", entry_form);
    columns_.push_back(column);
    values_.push_back(static_cast<float>(value));
  }

  LineReader lines_;
  std::string_view label_token_;
  std::string_view id_token_;
  double label_ = 0;
  std::vector<std::int32_t> columns_;
  std::vector<float> values_;
};

void append(SparseData& data, std::span<const std::int32_t> columns,
            std::span<const float> values) {
  data.columns.insert(data.columns.end(), columns.begin(), columns.end());
  data.values.insert(data.values.end(), values.begin(), values.end());
  data.offsets.push_back(static_cast<std::int64_t>(data.columns.size()));
}

SparseData in_requested_order(const SparseData& data, std::span<const std::size_t> order) {
  std::vector<std::size_t> place(order.size());  // where each requested row is in `data`
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  SparseData result;
  result.features = data.features;
  for (const std::size_t row : place) {
    const auto begin = static_cast<std::size_t>(data.offsets[row]);
    const auto length = static_cast<std::size_t>(data.offsets[row + 1]) - begin;
    append(result, std::span(data.columns).subspan(begin, length),
           std::span(data.values).subspan(begin, length));
  }
  return result;
}

}  // namespace

DataSource::LibsvmSummary FileDataSource::libsvm_summary(const std::string& path) const {
  LibsvmReader reader(path);
  LibsvmSummary summary;
  std::vector<double> distinct;
  while (reader.next()) {
    const auto found = std::find(distinct.begin(), distinct.end(), reader.label());
    const auto code = static_cast<std::uint8_t>(found - distinct.begin());
    if (found == distinct.end()) {
      if (distinct.size() == 2) {
        reader.refuse(reader.label_token(),
                      text("is a third label (after ", distinct[0], " and ", distinct[1], ")"),
                      "only data with two classes can be read");
      }
      distinct.push_back(reader.label());
    }
    if (!reader.id_token().empty()) summary.ids.emplace_back(reader.id_token());
    summary.labels.push_back(code);
    if (!summary.ids.empty() && summary.ids.size() != summary.labels.size()) {
      reader.refuse(reader.label_token(), "and those before it do not agree whether there is an id",
                    "`qid:ID` stands on every line or on none");
    }
    if (!reader.columns().empty()) {
      summary.features = std::max(summary.features, std::int64_t{reader.columns().back()} + 1);
    }
  }
  require(!summary.labels.empty(), ErrorKind::bad_data, reader.where(),
          "the file has no samples; it should hold lines such as `+1 3:0.5 7:1`");
  const double larger = distinct.size() == 2 ? std::max(distinct[0], distinct[1]) : distinct[0];
  const bool has_positive = distinct.size() == 2 || larger > 0;
  for (std::uint8_t& label : summary.labels) label = has_positive && distinct[label] == larger;
  return summary;
}

SparseData FileDataSource::libsvm_rows(const std::string& path, std::int64_t features,
                                       std::span<const std::int64_t> rows) const {
  LibsvmReader reader(path);
  const std::vector<std::size_t> order = detail::file_order(path, rows);
  SparseData data;
  data.features = features;
  std::size_t next = 0;  // in `order`
  std::int64_t row = 0;  // in the file
  for (; reader.next(); ++row) {
    if (!reader.columns().empty()) {
      const std::int64_t index = std::int64_t{reader.columns().back()} + 1;
      if (index > features) {
        fail(ErrorKind::bad_data, reader.where(), "index ", index,
             " is above the number of features, ", features,
             "; training and test data must describe the same features");
      }
    }
    if (next < order.size() && rows[order[next]] == row) {
      append(data, reader.columns(), reader.values());
      ++next;
    }
  }
  require(next == order.size(), ErrorKind::bad_data, reader.where(), "row ",
          next < order.size() ? rows[order[next]] : 0, " is asked for, but the file has ", row,
          " rows, counted from 0");
  if (!std::is_sorted(order.begin(), order.end())) data = in_requested_order(data, order);
  return data;
}

std::vector<std::string> FileDataSource::sample_ids(const std::string& path) const {
  LineReader lines(path);
  std::vector<std::string> ids;
  std::string_view line;
  while (lines.next(line)) {
    line = line.substr(0, line.find('#'));
    const std::string_view id = next_token(line);
    if (id.empty()) continue;
    const std::string_view more = next_token(line);
    require(more.empty(), ErrorKind::bad_data, path, ":", lines.number(), ": ", quoted(more),
            " comes after the id ", quoted(id), "; write one id per line, that of one sample");
    ids.emplace_back(id);
  }
  return ids;
}

}  // namespace echelon

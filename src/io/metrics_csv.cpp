#include "echelon/io/metrics_csv.hpp"

#include <cmath>
#include <system_error>

#include "durable_file.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"

namespace echelon {

using namespace detail;

namespace {

std::string quoted(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) return name;
  std::string cell = "\"";
  for (const char c : name) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
  return cell + "\"";
}

std::string line_of(std::span<const double> row) {
  std::string line;
  for (std::size_t c = 0; c < row.size(); ++c) {
    if (c > 0) line += ',';
    if (!std::isnan(row[c])) line += number_text(row[c]);
  }
  return line + "\n";
}

}  // namespace

MetricsCsv::MetricsCsv(std::filesystem::path path, std::vector<std::string> columns,
                       const Eigen::MatrixXd& rows)
    : path_(std::move(path)), columns_(columns.size()) {
  require(rows.rows() == 0 || static_cast<std::size_t>(rows.cols()) == columns_,
          ErrorKind::internal, path_.string(), ": rows of ", rows.cols(), " cells for ", columns_,
          " columns");
  std::string content;
  for (const auto& column : columns) content += (content.empty() ? "" : ",") + quoted(column);
  content += "\n";
  for (Eigen::Index r = 0; r < rows.rows(); ++r) {
    const Eigen::VectorXd row = rows.row(r);
    content += line_of({row.data(), columns_});
  }
  std::error_code ignored;
  const bool device =
      std::filesystem::exists(path_, ignored) && !std::filesystem::is_regular_file(path_, ignored);
  if (!device) write_durably(path_, content);
  file_ = std::make_unique<FileDescriptor>(FileDescriptor::for_appending(path_));
  if (device) file_->write(content);
  bytes_ = content.size();
}

MetricsCsv::MetricsCsv(MetricsCsv&& other) noexcept = default;
MetricsCsv& MetricsCsv::operator=(MetricsCsv&& other) noexcept = default;
MetricsCsv::~MetricsCsv() = default;

void MetricsCsv::append(std::span<const double> row) {
  require(row.size() == columns_, ErrorKind::internal, path_.string(), ": a row of ", row.size(),
          " cells for ", columns_, " columns");
  const std::string line = line_of(row);
  try {
    file_->write(line);
  } catch (...) {
    file_->truncate_quietly(bytes_);
    throw;
  }
  bytes_ += line.size();
}

}  // namespace echelon

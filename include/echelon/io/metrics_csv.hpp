#pragma once
/// The table of metrics while a run goes on: a header, then a line per report.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/eigen.hpp"

namespace echelon {

namespace detail {
class FileDescriptor;
}  // namespace detail

/// Numbers are written so that they read back as the same number; NaN is an empty cell. To be used
/// by one rank.
class MetricsCsv {
 public:
  /// Replaces the file as a whole by the header and `rows` (reports x columns; none for a new run),
  /// then appends to it. Throws cannot_create or input_output. Devices and pipes are written to
  /// directly.
  MetricsCsv(std::filesystem::path path, std::vector<std::string> columns,
             const Eigen::MatrixXd& rows = {});
  MetricsCsv(MetricsCsv&& other) noexcept;
  MetricsCsv& operator=(MetricsCsv&& other) noexcept;
  ~MetricsCsv();

  /// Adds one line, at once and whole: if that fails (input_output), no part of it stays.
  void append(std::span<const double> row);

 private:
  std::filesystem::path path_;
  std::size_t columns_;
  std::uint64_t bytes_ = 0;  ///< of whole lines
  std::unique_ptr<detail::FileDescriptor> file_;
};

}  // namespace echelon

#pragma once
/// Samples in memory and where they come from. Readers of file formats implement DataSource;
/// problems only see this.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace echelon {

/// Rows of a data set, in compressed sparse row form or dense. Labels are class numbers 0 ..
/// classes-1.
struct DenseData {
  std::int64_t features = 0;
  std::vector<float> values;  ///< row-major, rows x features
  std::int64_t rows() const {
    return features == 0 ? 0 : static_cast<std::int64_t>(values.size()) / features;
  }
};

struct SparseData {
  std::int64_t features = 0;
  std::vector<std::int64_t> offsets{0};  ///< rows + 1
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  std::int64_t rows() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
};

/// Access to the data sets a problem asks for. Every method throws bad_data or missing_input with
/// file and offset or line. None is collective; each rank reads for itself.
class DataSource {
 public:
  virtual ~DataSource() = default;

  /// All labels of an IDX label file (uint8, one dimension), plain or gzipped.
  virtual std::vector<std::uint8_t> idx_labels(const std::string& path) const = 0;
  /// The named rows (any order, no duplicates) of an IDX image file, scaled to [0, 1]: float(pixel)
  /// / 255. Rows in the order given. Only these rows are kept in memory.
  virtual DenseData idx_images(const std::string& path,
                               std::span<const std::int64_t> rows) const = 0;
  /// Number of images, without reading them.
  virtual std::int64_t idx_count(const std::string& path) const = 0;

  /// Labels (+1 / -1 or any two numbers; the larger becomes 1, the other 0) and the largest feature
  /// index of a LIBSVM file.
  struct LibsvmSummary {
    std::vector<std::uint8_t> labels;
    std::int64_t features = 0;
    std::vector<std::string> ids;  ///< of `qid:` tokens, one per sample; empty if there are none
  };
  virtual LibsvmSummary libsvm_summary(const std::string& path) const = 0;
  /// The named rows of a LIBSVM file with `features` columns, in the order given.
  virtual SparseData libsvm_rows(const std::string& path, std::int64_t features,
                                 std::span<const std::int64_t> rows) const = 0;

  /// A text file with one id per line, that of the sample of the same number.
  virtual std::vector<std::string> sample_ids(const std::string& path) const = 0;
};

}  // namespace echelon

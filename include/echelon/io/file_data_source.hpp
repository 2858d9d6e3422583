#pragma once
/// Data sets from files: IDX (the format of MNIST) and LIBSVM text, plain or gzipped alike.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "echelon/problem/data.hpp"

namespace echelon {

/// Reads files on every call and keeps nothing between calls, so it may be used from several
/// threads at once.
///
/// IDX: a big-endian header (two zero bytes, type 8 = uint8, number of dimensions, one uint32 per
/// dimension), then the bytes in row-major order. LIBSVM: one sample per line, `label index:value
/// ...`, indices from 1 and ascending; a token `qid:ID` may stand between label and entries, on all
/// lines or on none; `#` starts a comment, blank lines are skipped; if all labels are equal, a
/// positive one becomes 1 and any other 0. Ids: one per line, without blanks; `#` starts a comment.
///
/// A file is streamed and checked to its end whatever rows are asked for, so all ranks find the
/// same fault. Memory grows with the data that arrives, never with what a header claims.
///
/// Throws missing_input (no such file), input_output (cannot be opened or read), and bad_data:
/// `file: offset N: ...` with the offset in the uncompressed stream (IDX, damaged gzip) or
/// `file:line: ...` (LIBSVM).
class FileDataSource final : public DataSource {
 public:
  std::vector<std::uint8_t> idx_labels(const std::string& path) const override;
  DenseData idx_images(const std::string& path, std::span<const std::int64_t> rows) const override;
  std::int64_t idx_count(const std::string& path) const override;
  LibsvmSummary libsvm_summary(const std::string& path) const override;
  SparseData libsvm_rows(const std::string& path, std::int64_t features,
                         std::span<const std::int64_t> rows) const override;
  std::vector<std::string> sample_ids(const std::string& path) const override;
};

}  // namespace echelon

#pragma once
/// Sequential reading of a file that may or may not be gzipped.

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace echelon::detail {

class GzipFile {
 public:
  /// Throws missing_input or input_output.
  explicit GzipFile(const std::string& path);

  /// Reads up to `bytes` bytes; fewer only at the end of the file. Throws bad_data for a damaged
  /// gzip stream.
  std::size_t read(void* out, std::size_t bytes);

  const std::string& path() const { return path_; }
  std::int64_t offset() const { return offset_; }  ///< of the next byte, in the uncompressed stream

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
  };

  [[noreturn]] void fail_reading() const;

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::int64_t offset_ = 0;
};

}  // namespace echelon::detail

#include "gzip_file.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "echelon/core/error.hpp"

namespace echelon::detail {

namespace {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

}  // namespace

GzipFile::GzipFile(const std::string& path) : path_(path) {
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  const int code = errno;
  if (!file_) {
    require(code != ENOENT && code != ENOTDIR, ErrorKind::missing_input, path,
            ": there is no such file; check the path of the data set");
    fail(ErrorKind::input_output, path, ": cannot be opened (", system_text(code),
         "); check its permissions");
  }
  std::error_code ignored;
  require(!std::filesystem::is_directory(path, ignored), ErrorKind::input_output, path,
          ": cannot be read (it is a folder); name a file in it");
  gzbuffer(file_.get(), 1U << 17);
}

std::size_t GzipFile::read(void* out, std::size_t bytes) {
  constexpr std::size_t largest_request = std::size_t{1} << 24;  // gzread counts in int
  auto* const begin = static_cast<unsigned char*>(out);
  std::size_t done = 0;
  while (done < bytes) {
    const auto wanted = static_cast<unsigned>(std::min(bytes - done, largest_request));
    const int got = gzread(file_.get(), begin + done, wanted);
    if (got < 0) fail_reading();
    done += static_cast<std::size_t>(got);
    offset_ += got;
    if (static_cast<unsigned>(got) < wanted) {
      // A stream that stops half-way is not reported by the return value.
      int code = Z_OK;
      gzerror(file_.get(), &code);
      if (code != Z_OK && code != Z_STREAM_END) fail_reading();
      break;
    }
  }
  return done;
}

void GzipFile::fail_reading() const {
  const int system_code = errno;
  int code = Z_OK;
  const std::string reason = gzerror(file_.get(), &code);
  require(code != Z_ERRNO, ErrorKind::input_output, path_, ": offset ", offset_,
          ": cannot be read (", system_text(system_code), ")");
  const bool repeated = reason.starts_with(path_ + ": ");  // zlib puts the path in front
  fail(ErrorKind::bad_data, path_, ": offset ", offset_, ": the gzip stream is damaged (",
       repeated ? reason.substr(path_.size() + 2) : reason, "); fetch the file again");
}

}  // namespace echelon::detail

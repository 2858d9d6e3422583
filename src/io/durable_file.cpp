#include "durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "echelon/core/error.hpp"

namespace echelon::detail {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

FileDescriptor::FileDescriptor(const std::filesystem::path& path, int flags)
    : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
  if (descriptor_ >= 0) return;
  const int code = errno;
  const bool reading = (flags & O_ACCMODE) == O_RDONLY;
  const bool missing = code == ENOENT || code == ENOTDIR;
  require(!(reading && missing), ErrorKind::missing_input, path.string(),
          ": there is no such file");
  fail((flags & O_CREAT) != 0 ? ErrorKind::cannot_create : ErrorKind::input_output, path.string(),
       ": cannot be opened (", system_text(code), "); check the folder and its permissions");
}

FileDescriptor FileDescriptor::for_reading(const std::filesystem::path& path) {
  return {path, O_RDONLY};
}
FileDescriptor FileDescriptor::create(const std::filesystem::path& path) {
  return {path, O_WRONLY | O_CREAT | O_TRUNC};
}
FileDescriptor FileDescriptor::for_appending(const std::filesystem::path& path) {
  return {path, O_WRONLY | O_APPEND};
}
FileDescriptor FileDescriptor::for_changing(const std::filesystem::path& path) {
  return {path, O_WRONLY};
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileDescriptor::fail_now(const char* what) const {
  const int code = errno;
  fail(ErrorKind::input_output, path_.string(), ": cannot ", what, " (", system_text(code), ")",
       code == ENOSPC || code == EDQUOT || code == EFBIG ? "; free space or raise the limit" : "");
}

std::size_t FileDescriptor::read(void* out, std::size_t count) const {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::read(descriptor_, static_cast<char*>(out) + done, count - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_now("be read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void FileDescriptor::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_now("be written");
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

void FileDescriptor::sync() const {
  // Pipes and devices cannot be synced, and need not be.
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) fail_now("be synced");
}

std::uint64_t FileDescriptor::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_now("be examined");
  return static_cast<std::uint64_t>(status.st_size);
}

void FileDescriptor::truncate_quietly(std::uint64_t bytes) const {
  [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, static_cast<off_t>(bytes));
}

void sync_folder(const std::filesystem::path& folder) {
  FileDescriptor::for_reading(folder.empty() ? "." : folder).sync();
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code code;
  std::filesystem::rename(from, to, code);
  require(!code, ErrorKind::input_output, to.string(), ": cannot be put in place (", code.message(),
          ")");
  sync_folder(to.parent_path());
}

void write_durably(const std::filesystem::path& path, std::string_view bytes) {
  const auto temporary = temporary_name(path);
  try {
    const FileDescriptor file = FileDescriptor::create(temporary);
    file.write(bytes);
    file.sync();
    rename_durably(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

std::string read_whole(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  const FileDescriptor file = FileDescriptor::for_reading(path);
  const std::uint64_t size = file.size();
  require(size <= limit_bytes, ErrorKind::bad_data, path.string(), ": has ", size,
          " bytes (at most ", limit_bytes, " are expected here)");
  std::string bytes(static_cast<std::size_t>(size), '\0');
  bytes.resize(file.read(bytes.data(), bytes.size()));
  return bytes;
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  return temporary;
}

}  // namespace echelon::detail

#pragma once
/// Files that are whole or absent, also after a power failure: write under a temporary name, fsync,
/// rename, fsync the folder. Errors are of kind missing_input (nothing there), cannot_create or
/// input_output.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace echelon::detail {

std::string system_text(int code);

/// Owns a POSIX file descriptor; every call is checked and names the file.
class FileDescriptor {
 public:
  static FileDescriptor for_reading(const std::filesystem::path& path);
  static FileDescriptor create(const std::filesystem::path& path);  ///< empties what is there
  static FileDescriptor for_appending(const std::filesystem::path& path);
  static FileDescriptor for_changing(const std::filesystem::path& path);

  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  std::size_t read(void* out, std::size_t count) const;  ///< fewer than `count` only at the end
  void write(std::string_view bytes) const;
  void sync() const;
  std::uint64_t size() const;
  void truncate_quietly(std::uint64_t bytes) const;

 private:
  FileDescriptor(const std::filesystem::path& path, int flags);
  [[noreturn]] void fail_now(const char* what) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

void sync_folder(const std::filesystem::path& folder);
/// Renames within one folder and makes the new name durable.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);
/// Replaces the file at `path` as a whole.
void write_durably(const std::filesystem::path& path, std::string_view bytes);
/// Throws bad_data if the file is longer than `limit_bytes`.
std::string read_whole(const std::filesystem::path& path, std::uint64_t limit_bytes);
/// `path` with `.tmp` appended.
std::filesystem::path temporary_name(const std::filesystem::path& path);

}  // namespace echelon::detail

#pragma once
/// One process at a time in a run directory.

#include <filesystem>

namespace echelon {

/// Keeps other processes out of a folder for as long as it lives. The system releases the lock of a
/// process that dies.
class FolderLock {
 public:
  /// Throws cannot_create if another process holds it for longer than a moment, or the folder
  /// cannot be written. A file system without locks is no reason to refuse.
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

  /// Whether somebody holds the lock of `folder`. The question itself excludes others for a moment.
  static bool is_held(const std::filesystem::path& folder);

 private:
  int file_;
};

}  // namespace echelon

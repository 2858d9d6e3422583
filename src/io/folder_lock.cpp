#include "echelon/io/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "echelon/core/error.hpp"
#include "echelon/io/run_status.hpp"

namespace echelon {

namespace {

// `is_held` of another process takes microseconds, but that process may be descheduled.
constexpr int attempts = 50;
constexpr auto pause = std::chrono::milliseconds(10);

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / run_files::lock;
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  require(file_ >= 0, ErrorKind::cannot_create, path.string(), ": cannot be made (",
          std::strerror(errno), "); name a folder that can be written with --run.output");
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    std::this_thread::sleep_for(pause);
  }
  ::close(file_);
  fail(ErrorKind::cannot_create, folder.string(),
       ": another process runs in this folder; wait for it, or name another with --run.output");
}

FolderLock::~FolderLock() {
  ::close(file_);
}

bool FolderLock::is_held(const std::filesystem::path& folder) {
  const int file = ::open((folder / run_files::lock).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool held = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return held;
}

}  // namespace echelon

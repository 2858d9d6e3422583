#include "echelon/core/agent_matrix.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <utility>

#include "echelon/core/error.hpp"

namespace echelon {

namespace {

constexpr std::size_t alignment = 64;

/// Asks for large pages, of which a sweep over a long block needs far fewer; the system may refuse.
void ask_for_large_pages(void* raw, std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t worth_it = std::size_t{4} << 20;
  if (bytes < worth_it) return;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(raw) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(raw) + bytes) / page * page;
  static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
#endif
}

/// What lies in front of a block.
struct Header {
  std::size_t mapped_bytes;  ///< of a file; 0: from calloc
  void* raw;                 ///< what the system gave
};

std::size_t bytes_of(Index rows, Index columns) {
  const Index count = padded_rows(rows) * std::max<Index>(columns, 1);
  return static_cast<std::size_t>(count) * sizeof(double) + 2 * alignment;
}

double* with_header(const Header& header) {
  const auto address = reinterpret_cast<std::uintptr_t>(header.raw);
  const auto aligned = (address + 2 * alignment - 1) / alignment * alignment;
  std::memcpy(reinterpret_cast<char*>(aligned) - sizeof header, &header, sizeof header);
  return reinterpret_cast<double*>(aligned);
}

/// Zeros that the system provides, so that large blocks cost nothing before they are used.
double* allocate(Index rows, Index columns) {
  const std::size_t bytes = bytes_of(rows, columns);
  void* raw = std::calloc(bytes, 1);
  if (raw == nullptr) throw std::bad_alloc();
  ask_for_large_pages(raw, bytes);
  return with_header({.mapped_bytes = 0, .raw = raw});
}

Header header_of(const double* data) {
  Header header{};
  std::memcpy(&header, reinterpret_cast<const char*>(data) - sizeof header, sizeof header);
  return header;
}

void release(double* data) {
  if (data == nullptr) return;
  const Header header = header_of(data);
  if (header.mapped_bytes > 0) {
    munmap(header.raw, header.mapped_bytes);
  } else {
    std::free(header.raw);
  }
}

/// Room is reserved at once, since a write into a mapped file on a full disk kills the process.
void* map_nameless_file(std::size_t bytes) {
  const std::string folder = std::filesystem::temp_directory_path().string();
  std::string name = folder + "/echelon-XXXXXX";
  const int file = mkstemp(name.data());
  require(file >= 0, ErrorKind::cannot_create, folder, ": no temporary file can be created (",
          std::strerror(errno), "); name another folder in TMPDIR");
  unlink(name.c_str());
  const int failure = posix_fallocate(file, 0, static_cast<off_t>(bytes));
  void* const raw =
      failure != 0 ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  require(raw != MAP_FAILED, ErrorKind::cannot_create, folder, ": no room for ", bytes,
          " bytes of state (", std::strerror(failure != 0 ? failure : errno),
          "); name a folder on a larger disk in TMPDIR");
  return raw;
}

}  // namespace

AgentMatrix::AgentMatrix(Index rows, Index columns)
    : AgentView(allocate(rows, columns), rows, columns, Eigen::OuterStride<>(padded_rows(rows))) {}

AgentMatrix::AgentMatrix(double* data, Index rows, Index columns)
    : AgentView(data, rows, columns, Eigen::OuterStride<>(padded_rows(rows))) {}

AgentMatrix AgentMatrix::in_file(Index rows, Index columns) {
  const std::size_t bytes = bytes_of(rows, columns);
  return {with_header({.mapped_bytes = bytes, .raw = map_nameless_file(bytes)}), rows, columns};
}

bool AgentMatrix::is_in_file() const {
  return data() != nullptr && header_of(data()).mapped_bytes > 0;
}

AgentMatrix::AgentMatrix(AgentMatrix&& other) noexcept
    : AgentView(other.data(), other.rows(), other.cols(),
                Eigen::OuterStride<>(other.outerStride())) {
  other.rebind(nullptr, 0, 0);
}

AgentMatrix& AgentMatrix::operator=(AgentMatrix&& other) noexcept {
  echelon::swap(*this, other);
  return *this;
}

AgentMatrix::~AgentMatrix() {
  release(data());
}

void AgentMatrix::rebind(double* data, Index rows, Index columns) noexcept {
  new (static_cast<AgentView*>(this))
      AgentView(data, rows, columns, Eigen::OuterStride<>(padded_rows(rows)));
}

void swap(AgentMatrix& a, AgentMatrix& b) noexcept {
  double* const data = a.data();
  const Index rows = a.rows();
  const Index columns = a.cols();
  a.rebind(b.data(), b.rows(), b.cols());
  b.rebind(data, rows, columns);
}

}  // namespace echelon

#include "echelon/comm/node.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <string>

namespace echelon {

namespace {

/// The cores that any of the ranks may run on: each may be bound to one of its own.
int cores_of(const Communicator& ranks) {
  cpu_set_t own;
  CPU_ZERO(&own);
  sched_getaffinity(0, sizeof own, &own);
  cpu_set_t all;
  CPU_ZERO(&all);
  for (const std::string& bytes :
       ranks.gather_all(std::string(reinterpret_cast<const char*>(&own), sizeof own))) {
    cpu_set_t theirs;
    std::memcpy(&theirs, bytes.data(), sizeof theirs);
    CPU_OR(&all, &all, &theirs);
  }
  return CPU_COUNT(&all);
}

/// Descriptor of a shared memory object, closed at the end.
class SharedObject {
 public:
  explicit SharedObject(int descriptor) : descriptor_(descriptor) {}
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  ~SharedObject() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const { return descriptor_; }
  bool good() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

std::string fresh_name() {
  static std::atomic<int> counter{0};
  return "/echelon-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
}

}  // namespace

Node::Node(const Communicator& communicator, bool share_memory) {
  if (!share_memory || communicator.size() == 1) {
    ranks_ = {communicator.rank()};
    whole_ = communicator.size() == 1;
    return;
  }
  MPI_Comm split;
  check_mpi(MPI_Comm_split_type(communicator.handle(), MPI_COMM_TYPE_SHARED, communicator.rank(),
                                MPI_INFO_NULL, &split),
            "MPI_Comm_split_type");
  communicator_.emplace(split, communicator.stall_seconds());
  check_mpi(MPI_Comm_free(&split), "MPI_Comm_free");
  rank_ = communicator_->rank();
  whole_ = communicator_->size() == communicator.size();
  for (const std::string& rank : communicator_->gather_all(std::to_string(communicator.rank()))) {
    ranks_.push_back(std::stoi(rank));
  }
  constexpr int patient = 2000;  // some microseconds
  spins_ = cores_of(*communicator_) >= size() ? patient : 0;
  if (size() == 1) communicator_.reset();
}

int Node::position_of(int rank) const {
  const auto found = std::lower_bound(ranks_.begin(), ranks_.end(), rank);
  return found != ranks_.end() && *found == rank ? static_cast<int>(found - ranks_.begin()) : -1;
}

std::unique_ptr<SharedWindow> SharedWindow::create(const Node& node, std::size_t own_bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t own = (own_bytes + page - 1) / page * page;
  std::unique_ptr<SharedWindow> window(new SharedWindow);
  window->own_bytes_ = own;
  window->offsets_ = {0};
  const Communicator& ranks = *node.communicator();
  for (const std::string& bytes : ranks.gather_all(std::to_string(own))) {
    window->offsets_.push_back(window->offsets_.back() + std::stoull(bytes));
  }
  const std::size_t total = window->offsets_.back();
  const auto at = static_cast<std::size_t>(node.rank());
  // Every step is taken by all ranks or by none.
  const auto all = [&](bool good) {
    std::int64_t failures = good ? 0 : 1;
    ranks.sum({&failures, 1}, "shared memory of a node");
    return failures == 0;
  };
  std::string name = node.rank() == 0 ? fresh_name() : std::string();
  name = ranks.broadcast(name, 0);
  const int create = node.rank() == 0 ? O_CREAT | O_EXCL : 0;
  if (node.rank() != 0) ranks.barrier("shared memory of a node");
  const SharedObject object(shm_open(name.c_str(), O_RDWR | create, 0600));
  const bool sized = object.good() &&
                     (node.rank() != 0 || ftruncate(object.get(), static_cast<off_t>(total)) == 0);
  if (node.rank() == 0) ranks.barrier("shared memory of a node");
  const bool opened = all(sized);
  if (node.rank() == 0 && object.good()) shm_unlink(name.c_str());
  if (!opened) return nullptr;
  // Reserved now, by the rank that writes it: touching memory that is not there would be fatal
  // later.
  const bool reserved =
      own == 0 || posix_fallocate(object.get(), static_cast<off_t>(window->offsets_[at]),
                                  static_cast<off_t>(own)) == 0;
  if (!all(reserved)) return nullptr;
  void* base = total == 0
                   ? nullptr
                   : mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED, object.get(), 0);
  const bool mapped = base != MAP_FAILED;
  if (mapped) window->base_ = base;
  return all(mapped) ? std::move(window) : nullptr;
}

SharedWindow::~SharedWindow() {
  if (base_ != nullptr) munmap(base_, offsets_.back());
}

}  // namespace echelon

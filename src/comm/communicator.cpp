#include "echelon/comm/communicator.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace echelon {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char message[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, message, &length);
  fail(ErrorKind::internal, call, ": ", std::string(message, static_cast<std::size_t>(length)));
}

Communicator::Communicator(MPI_Comm parent, double stall_seconds) : stall_seconds_(stall_seconds) {
  check_mpi(MPI_Comm_dup(parent, &handle_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(handle_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(handle_, &size_), "MPI_Comm_size");
}

Communicator Communicator::duplicate() const {
  return handle_ == MPI_COMM_NULL ? alone() : Communicator(handle_, stall_seconds_);
}

Communicator::Communicator(Communicator&& other) noexcept
    : handle_(std::exchange(other.handle_, MPI_COMM_NULL)),
      rank_(other.rank_),
      size_(other.size_),
      stall_seconds_(other.stall_seconds_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  std::swap(stall_seconds_, other.stall_seconds_);
  return *this;
}

Communicator::~Communicator() {
  int finalized = 0;
  if (handle_ != MPI_COMM_NULL && MPI_Finalized(&finalized) == MPI_SUCCESS && finalized == 0) {
    MPI_Comm_free(&handle_);
  }
}

bool Communicator::Patience::is_over() {
  // With more ranks than cores the answer needs this core. Yielding is quick among ranks; where
  // other programs compete, it costs whole time slices, and sleepers are woken first.
  constexpr double yields_for = 200e-6;  // s
  constexpr std::chrono::microseconds nap{50};
  if (waited_ < yields_for) {
    std::this_thread::yield();
    if (++polls_ % 8 != 0) return false;
  } else {
    std::this_thread::sleep_for(nap);
  }
  const auto now = Clock::now();
  // A jump means that this process was suspended itself, perhaps with all others.
  waited_ += std::min(std::chrono::duration<double>(now - last_).count(), 1.0);
  last_ = now;
  return communicator_.stall_seconds_ > 0 && waited_ >= communicator_.stall_seconds_;
}

void Communicator::Patience::give_up(const std::string& what) const {
  fail(ErrorKind::stalled, "rank ", communicator_.rank_, " waited ",
       static_cast<std::int64_t>(waited_), " s for ", what,
       "; the peer hangs, is lost, or runs another program (comm.stall_seconds sets the patience)");
}

void Communicator::wait_all(std::span<MPI_Request> requests,
                            const std::function<std::string(std::size_t)>& describe) const {
  wait_until(
      [&] {
        int done = 0;
        check_mpi(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done,
                              MPI_STATUSES_IGNORE),
                  "MPI_Testall");
        return done != 0;
      },
      [&] {
        for (std::size_t i = 0; i < requests.size(); ++i) {
          int finished = 0;
          check_mpi(MPI_Request_get_status(requests[i], &finished, MPI_STATUS_IGNORE),
                    "MPI_Request_get_status");
          if (requests[i] != MPI_REQUEST_NULL && finished == 0) return describe(i);
        }
        return std::string();
      });
}

void Communicator::wait(MPI_Request& request, const std::string& what) const {
  wait_all({&request, 1}, [&](std::size_t) { return what; });
}

void Communicator::barrier(const std::string& what) const {
  if (size_ == 1) return;
  MPI_Request request;
  check_mpi(MPI_Ibarrier(handle_, &request), "MPI_Ibarrier");
  wait(request, what);
}

std::string Communicator::broadcast(std::string bytes, int root) const {
  if (size_ == 1) return bytes;
  std::int64_t length = static_cast<std::int64_t>(bytes.size());
  MPI_Request request;
  check_mpi(MPI_Ibcast(&length, 1, MPI_INT64_T, root, handle_, &request), "MPI_Ibcast");
  wait(request, "a broadcast");
  bytes.resize(static_cast<std::size_t>(length));
  require(length <= INT32_MAX, ErrorKind::internal, "a broadcast of ", length,
          " bytes is too long");
  check_mpi(MPI_Ibcast(bytes.data(), static_cast<int>(length), MPI_CHAR, root, handle_, &request),
            "MPI_Ibcast");
  wait(request, "a broadcast");
  return bytes;
}

void Communicator::sum(std::span<std::int64_t> values, const std::string& what) const {
  if (size_ == 1) return;
  MPI_Request request;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()),
                           MPI_INT64_T, MPI_SUM, handle_, &request),
            "MPI_Iallreduce");
  wait(request, what);
}

void Communicator::maximum(std::span<std::int64_t> values, const std::string& what) const {
  if (size_ == 1) return;
  MPI_Request request;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()),
                           MPI_INT64_T, MPI_MAX, handle_, &request),
            "MPI_Iallreduce");
  wait(request, what);
}

std::vector<std::string> Communicator::gather_all(const std::string& bytes) const {
  std::vector<std::string> all(static_cast<std::size_t>(size_));
  for (int root = 0; root < size_; ++root) {
    all[static_cast<std::size_t>(root)] = broadcast(root == rank_ ? bytes : std::string(), root);
  }
  return all;
}

void Communicator::together(const std::function<void()>& body) const {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
  bool failed = false;
  try {
    body();
  } catch (const Error& error) {
    failed = true;
    kind = error.kind();
    message = error.what();
  } catch (const std::bad_alloc&) {
    failed = true;
    message =
        "memory ran out; smaller dimensions, fewer agents per rank, or ranks on more machines need "
        "less here";
  } catch (const std::exception& error) {
    failed = true;
    message = error.what();
  }
  std::int64_t first = failed ? -rank_ : -size_;  // the lowest failing rank has the largest value
  maximum({&first, 1}, "agreement of all ranks");
  if (first == -size_) return;
  const int culprit = static_cast<int>(-first);
  const std::string report = broadcast(text(static_cast<int>(kind), " ", message), culprit);
  const auto space = report.find(' ');
  throw Error(static_cast<ErrorKind>(std::stoi(report.substr(0, space))), report.substr(space + 1),
              true);
}

void Communicator::require_on_all(bool condition, ErrorKind kind,
                                  const std::string& message) const {
  together([&] { require(condition, kind, message); });
}

OverlappedMaximum::~OverlappedMaximum() {
  // After an error all ranks have begun this collective, and it ends soon unless a peer is gone.
  const auto begin = std::chrono::steady_clock::now();
  int done = 0;
  while (in_flight_->request != MPI_REQUEST_NULL && done == 0 &&
         std::chrono::steady_clock::now() - begin < std::chrono::seconds(1)) {
    if (MPI_Test(&in_flight_->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) break;
  }
  // MPI may still write after a stall, and an unfinished collective cannot be freed: leave it the
  // memory.
  if (in_flight_->request != MPI_REQUEST_NULL) static_cast<void>(in_flight_.release());
}

OverlappedMaximum::Numbers OverlappedMaximum::exchange(const Numbers& own) {
  const Numbers previous = finish();
  in_flight_->send = own;
  if (communicator_.size() == 1) {
    in_flight_->receive = own;
    return previous;
  }
  check_mpi(MPI_Iallreduce(in_flight_->send.data(), in_flight_->receive.data(), length, MPI_INT64_T,
                           MPI_MAX, communicator_.handle(), &in_flight_->request),
            "MPI_Iallreduce");
  return previous;
}

OverlappedMaximum::Numbers OverlappedMaximum::finish() {
  if (in_flight_->request != MPI_REQUEST_NULL) {
    communicator_.wait_all({&in_flight_->request, 1},
                           [](std::size_t) { return "the other ranks to reach this iteration"; });
  }
  return in_flight_->receive;
}

}  // namespace echelon

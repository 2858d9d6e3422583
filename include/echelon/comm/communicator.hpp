#pragma once
/// Ranks. The only header besides network.hpp's sources that knows MPI.

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/error.hpp"

namespace echelon {

/// After an Error of kind `stalled` messages are still under way into memory of the library: end
/// the program then, with MPI_Abort if other ranks live.
///
/// Owner of a *duplicate* of the caller's MPI communicator: no message or error handler of the
/// caller's is touched. Move-only. MPI must be initialized (at least MPI_THREAD_FUNNELED when
/// threads are used) and outlive the object. All waits give up after `stall_seconds` with an Error
/// of kind `stalled` that names what was awaited; 0 waits for ever.
class Communicator {
 public:
  explicit Communicator(MPI_Comm parent, double stall_seconds = 300);
  /// One rank, without MPI: nothing is communicated, and MPI need not be initialized.
  static Communicator alone() { return {}; }
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  ~Communicator();

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// MPI_COMM_NULL if it is `alone`.
  MPI_Comm handle() const { return handle_; }
  /// Another one over the same ranks. Collective.
  Communicator duplicate() const;
  double stall_seconds() const { return stall_seconds_; }
  void set_stall_seconds(double seconds) { stall_seconds_ = seconds; }

  // Collective over all ranks
  // ---------------------------------------------------------------------------------------

  void barrier(const std::string& what) const;
  /// Bytes of `root`, whole; sizes may differ before the call.
  std::string broadcast(std::string bytes, int root) const;
  void sum(std::span<std::int64_t> values, const std::string& what) const;
  void maximum(std::span<std::int64_t> values, const std::string& what) const;
  /// Concatenation of all ranks' bytes, by rank.
  std::vector<std::string> gather_all(const std::string& bytes) const;

  /// Runs `body` (which must not communicate) on every rank. If it throws on some ranks, all ranks
  /// throw the Error of the lowest of them.
  void together(const std::function<void()>& body) const;
  void require_on_all(bool condition, ErrorKind kind, const std::string& message) const;

  /// Polls until `done()`, giving other processes the core meanwhile. `describe()` names what is
  /// awaited; `spins` polls are made before the core is given away.
  template <class Done, class Describe>
  void wait_until(const Done& done, const Describe& describe, int spins = 200) const {
    for (int poll = 0; poll < spins; ++poll) {
      if (done()) return;
    }
    Patience patience(*this);
    while (!done()) {
      if (patience.is_over()) patience.give_up(describe());
    }
  }

  /// Completes `requests`, giving other processes the core while it waits. `describe(i)` names an
  /// unfinished request.
  void wait_all(std::span<MPI_Request> requests,
                const std::function<std::string(std::size_t)>& describe) const;

 private:
  /// Yields the core at every question, and counts the time that this process was not suspended.
  class Patience {
   public:
    explicit Patience(const Communicator& communicator) : communicator_(communicator) {}
    bool is_over();
    [[noreturn]] void give_up(const std::string& what) const;

   private:
    using Clock = std::chrono::steady_clock;
    const Communicator& communicator_;
    double waited_ = 0;
    Clock::time_point last_ = Clock::now();
    int polls_ = 0;
  };
  void wait(MPI_Request& request, const std::string& what) const;

  Communicator() = default;

  MPI_Comm handle_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  double stall_seconds_ = 300;
};

/// Element-wise maximum of small numbers over all ranks, hidden behind one iteration: `exchange`
/// returns what the previous call's numbers came to (zeros at first), so all ranks see the same
/// decisions at the same iteration. Collective.
class OverlappedMaximum {
 public:
  explicit OverlappedMaximum(const Communicator& communicator) : communicator_(communicator) {}
  ~OverlappedMaximum();
  OverlappedMaximum(const OverlappedMaximum&) = delete;
  OverlappedMaximum& operator=(const OverlappedMaximum&) = delete;

  static constexpr int length = 3;
  using Numbers = std::array<std::int64_t, length>;
  Numbers exchange(const Numbers& own);
  /// Result of the last call; no new exchange is started.
  Numbers finish();

 private:
  const Communicator& communicator_;
  struct InFlight {
    Numbers send{};
    Numbers receive{};
    MPI_Request request = MPI_REQUEST_NULL;
  };
  std::unique_ptr<InFlight> in_flight_ = std::make_unique<InFlight>();
};

/// Throws an Error of kind `internal` with MPI's text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

}  // namespace echelon

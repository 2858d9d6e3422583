#pragma once
/// The only loop: iterate, observe, stop. All ranks agree on every stop.

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "echelon/method/method.hpp"
#include "echelon/runtime/evaluator.hpp"

namespace echelon {

struct RunOptions {
  std::int64_t iterations = 1000;
  double seconds = 0;
  std::string target{};
  std::int64_t check_every = 20;
  std::int64_t checkpoint_every = 0;
  double checkpoint_seconds = 600;
  std::string trace{};
  std::int64_t trace_megabytes = 64;

  void visit(OptionVisitor& visitor);  ///< section `run`; all of it is operational
};

/// Requests from outside, such as signal handlers; any thread may set them on any rank.
struct Requests {
  std::atomic<bool> checkpoint{false};  ///< save and go on
  std::atomic<bool> leave{false};       ///< save and return `interrupted`
};

enum class Status { iterations_done, time_up, target_reached, interrupted, diverged };

/// What a person reads: "done", "time is up", ...
std::string status_text(Status status);

struct Outcome {
  Status status = Status::iterations_done;
  std::uint64_t iteration = 0;  ///< iterations made in total
  std::string detail;           ///< which variable diverged, which target was met
};

/// Called on every rank; checkpoint is collective.
struct RunHooks {
  std::function<void(const std::vector<double>& row)> report = [](const auto&) {};
  std::function<void(std::uint64_t iteration)> progress = [](auto) {};
  std::function<void(std::uint64_t iteration, double seconds)> checkpoint = [](auto, auto) {};
  /// A timeline of all ranks as one JSON text; called on rank 0.
  std::function<void(const std::string& json)> trace = [](const auto&) {};
};

class Runner {
 public:
  /// The references outlive the runner. `participation`: of rounds in which not all agents take
  /// part; nullptr if all do, always.
  Runner(Method& method, BilevelProblem& problem, Network& network, Evaluator& evaluator,
         const RunOptions& options, const MetricsOptions& metrics,
         Participation* participation = nullptr);

  /// Collective. Continues from where the visited state stands.
  Outcome run(const RunHooks& hooks, Requests& requests);

  /// Everything that decides the rest of the run: the method, the counts, and the table of reports.
  void visit_state(StateVisitor& visitor);

  /// Of the table: iteration, seconds, the evaluator's general figures, gradient_calls,
  /// product_calls, bytes_sent, the problem's own.
  const std::vector<Column>& columns() const { return columns_; }
  Eigen::MatrixXd table() const;
  /// A figure of the newest report; NaN before the first. Throws a usage error for a column that
  /// does not exist.
  double figure(std::string_view column) const;
  std::uint64_t iteration() const { return static_cast<std::uint64_t>(iteration_); }
  /// Seconds of computing that earlier parts of this run took.
  void set_elapsed(double seconds) { elapsed_before_ = seconds; }
  double elapsed() const;
  /// Of all ranks, up to the newest report.
  OracleCounts calls() const { return calls_; }
  std::int64_t bytes_sent() const { return bytes_; }

 private:
  struct Target {
    std::size_t column = 0;
    bool at_most = true;
    double value = 0;
  };
  void parse_target();
  void parse_trace();
  /// Switches recording on and off at the borders of `run.trace`; collective there.
  void follow_trace(const RunHooks& hooks, bool at_the_end);
  /// Errors of the method name the iteration.
  void iterate();
  void report(const RunHooks& hooks);
  bool target_met() const;
  std::string find_divergence();
  /// Fills `outcome` if so. Checks an iteration once.
  bool has_diverged(Outcome& outcome);
  void collect_counts();
  void save(const RunHooks& hooks);
  /// What this rank asks for: checkpoint, leave, time is up.
  OverlappedMaximum::Numbers wishes(Requests& requests);

  Method& method_;
  BilevelProblem& problem_;
  Network& network_;
  Evaluator& evaluator_;
  Participation* participation_;
  RunOptions options_;
  std::int64_t report_every_;
  std::vector<Column> columns_;
  std::optional<Target> target_;
  std::int64_t trace_begin_ = -1;  ///< iterations [begin, end) are recorded; -1 = none
  std::int64_t trace_end_ = -1;
  bool tracing_ = false;

  std::int64_t iteration_ = 0;
  OracleCounts calls_;      // of all ranks, up to the last collection
  std::int64_t bytes_ = 0;  // likewise
  OracleCounts own_calls_;  // of this rank, then
  std::int64_t own_bytes_ = 0;
  std::vector<double> cells_;  // of the table, row by row
  std::int64_t saved_ = -1;    // iteration of the newest checkpoint of this invocation
  std::int64_t checked_ = -1;  // iteration of the newest check for divergence
  double elapsed_before_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_save_ = begin_;
};

}  // namespace echelon

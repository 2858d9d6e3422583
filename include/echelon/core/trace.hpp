#pragma once
/// A timeline of what this process does, for Perfetto or chrome://tracing. Off unless somebody
/// records; a span costs one comparison then.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace echelon {

/// Records spans of all threads of this process from `start` to `stop`.
class Trace {
 public:
  static bool is_on() { return on_.load(std::memory_order_relaxed); }
  /// Time 0 of the timeline is now. At most `most_bytes` of text are kept; later spans are counted,
  /// not kept.
  static void start(std::size_t most_bytes);
  static void stop();
  /// What was recorded, as comma-separated events of Chrome's trace format, with `process` as the
  /// process id (`ts` and `dur` in microseconds); empties the record.
  static std::string take(int process, const std::string& process_name);

  using Clock = std::chrono::steady_clock;
  static void add(std::string_view category, std::string_view name, std::string_view detail,
                  Clock::time_point begin, Clock::time_point end);

 private:
  static std::atomic<bool> on_;
};

/// What happens between construction and destruction, called `name` followed by `detail`, both of
/// which outlive the span.
class TraceSpan {
 public:
  TraceSpan(std::string_view category, std::string_view name, std::string_view detail = {})
      : category_(category), name_(name), detail_(detail), wanted_(Trace::is_on()) {
    if (wanted_) begin_ = Trace::Clock::now();
  }
  ~TraceSpan() {
    if (wanted_) Trace::add(category_, name_, detail_, begin_, Trace::Clock::now());
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  std::string_view category_;
  std::string_view name_;
  std::string_view detail_;
  bool wanted_;
  Trace::Clock::time_point begin_;
};

}  // namespace echelon

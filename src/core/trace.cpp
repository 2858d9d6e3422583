#include "echelon/core/trace.hpp"

#include <cstdio>
#include <mutex>

#include "echelon/core/parallel.hpp"

namespace echelon {

namespace {

struct Record {
  std::mutex mutex;
  Trace::Clock::time_point origin;
  std::string events;  ///< without the process id: `{...,"pid":` ends each
  std::size_t most_bytes = 0;
  std::int64_t left_out = 0;
};

Record& record() {
  static Record instance;
  return instance;
}

double microseconds(Trace::Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ') continue;
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

constexpr char process_mark = '\n';  // cannot occur in an escaped text

}  // namespace

std::atomic<bool> Trace::on_{false};

void Trace::start(std::size_t most_bytes) {
  Record& now = record();
  const std::lock_guard lock(now.mutex);
  now.events.clear();
  now.left_out = 0;
  now.most_bytes = most_bytes;
  now.origin = Clock::now();
  on_.store(true);
}

void Trace::stop() {
  on_.store(false);
}

void Trace::add(std::string_view category, std::string_view name, std::string_view detail,
                Clock::time_point begin, Clock::time_point end) {
  char times[96];
  Record& now = record();
  const std::lock_guard lock(now.mutex);
  if (now.events.size() >= now.most_bytes) {
    ++now.left_out;
    return;
  }
  std::snprintf(times, sizeof times, R"("ts":%.3f,"dur":%.3f,"tid":%d,"pid":)",
                microseconds(begin - now.origin), microseconds(end - begin), thread_index());
  if (!now.events.empty()) now.events += ",";
  now.events += R"({"ph":"X","cat":")" + escaped(category) + R"(","name":")" + escaped(name) +
                (detail.empty() ? "" : " ") + escaped(detail) + "\"," + times + process_mark + "}";
}

std::string Trace::take(int process, const std::string& process_name) {
  Record& now = record();
  const std::lock_guard lock(now.mutex);
  const std::string id = std::to_string(process);
  std::string text = R"({"ph":"M","name":"process_name","pid":)" + id + R"(,"args":{"name":")" +
                     escaped(process_name);
  if (now.left_out > 0) text += " (" + std::to_string(now.left_out) + " spans left out)";
  text += "\"}}";
  if (!now.events.empty()) text += ",";
  for (const char c : now.events) {
    if (c == process_mark) {
      text += id;
    } else {
      text += c;
    }
  }
  now.events.clear();
  now.events.shrink_to_fit();
  return text;
}

}  // namespace echelon

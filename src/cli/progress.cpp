#include "progress.hpp"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace echelon::cli {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string duration_text(double seconds) {
  const auto total = static_cast<long>(std::lround(seconds));
  char buffer[48];
  if (total >= 3600) {
    std::snprintf(buffer, sizeof buffer, "%ld h %02ld min", total / 3600, total / 60 % 60);
  } else if (total >= 60) {
    std::snprintf(buffer, sizeof buffer, "%ld min %02ld s", total / 60, total % 60);
  } else {
    std::snprintf(buffer, sizeof buffer, "%ld s", total);
  }
  return buffer;
}

}  // namespace

Progress::Mode Progress::mode_from(const std::string& word) {
  if (word == "bar") return Mode::bar;
  if (word == "lines") return Mode::lines;
  if (word == "none") return Mode::none;
  const bool launched =
      std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMI_RANK") != nullptr;
  return !launched && isatty(STDOUT_FILENO) != 0 ? Mode::bar : Mode::lines;
}

Progress::Progress(Mode mode, std::uint64_t first, std::uint64_t total,
                   const std::vector<Column>& columns)
    : mode_(mode), first_(first), total_(total), last_(Clock::now() - std::chrono::hours(1)) {
  for (const char* name :
       {"upper_value", "lower_gradient_norm", "distance_to_solution", "test_accuracy", "f1"}) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].name == name) shown_.emplace_back(c, name);
    }
  }
}

void Progress::report(const std::vector<double>& row) {
  newest_ = row;
}

std::string Progress::line(std::uint64_t iteration) const {
  constexpr int width = 24;
  const double part =
      total_ == 0 ? 1.0
                  : std::min(1.0, static_cast<double>(iteration) / static_cast<double>(total_));
  const int filled = static_cast<int>(part * width);
  std::string bar(static_cast<std::size_t>(filled), '#');
  bar.resize(width, '-');
  const double rate =
      static_cast<double>(iteration - first_) / std::max(seconds_since(begin_), 1e-9);
  const double left =
      rate > 0 && total_ > iteration ? static_cast<double>(total_ - iteration) / rate : 0;
  char head[160];
  std::snprintf(head, sizeof head, "[%s] %3d%%  %llu/%llu  %.3g it/s  %s left", bar.c_str(),
                static_cast<int>(part * 100), static_cast<unsigned long long>(iteration),
                static_cast<unsigned long long>(total_), rate, duration_text(left).c_str());
  std::string all = head;
  for (const auto& [column, name] : shown_) {
    if (column >= newest_.size() || std::isnan(newest_[column])) continue;
    char figure[80];
    std::snprintf(figure, sizeof figure, "  %s %.4g", name.c_str(), newest_[column]);
    all += figure;
  }
  return all;
}

void Progress::draw(std::uint64_t iteration) {
  if (mode_ == Mode::bar) {
    std::printf("\r\033[K%s", line(iteration).c_str());
  } else {
    std::printf("%s\n", line(iteration).c_str());
  }
  std::fflush(stdout);
  last_ = Clock::now();
  drawn_ = true;
}

void Progress::advance(std::uint64_t iteration) {
  if (mode_ == Mode::none) return;
  if (seconds_since(last_) >= (mode_ == Mode::bar ? 0.1 : 3.0)) draw(iteration);
}

void Progress::finish(std::uint64_t iteration) {
  if (mode_ == Mode::none) return;
  draw(iteration);
  if (mode_ == Mode::bar) std::printf("\n");
}

void Progress::note(const std::string& message) {
  if (mode_ == Mode::bar && drawn_) std::printf("\n");
  std::printf("%s\n", message.c_str());
  std::fflush(stdout);
}

}  // namespace echelon::cli

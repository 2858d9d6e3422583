#pragma once
/// Progress on standard output: a bar that redraws itself on a terminal, a line every few seconds
/// elsewhere.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "echelon/runtime/evaluator.hpp"

namespace echelon::cli {

class Progress {
 public:
  enum class Mode { bar, lines, none };

  /// `first` iterations are done already.
  Progress(Mode mode, std::uint64_t first, std::uint64_t total, const std::vector<Column>& columns);
  /// auto: a bar on a terminal that is this process's own, lines elsewhere.
  static Mode mode_from(const std::string& word);

  void report(const std::vector<double>& row);
  void advance(std::uint64_t iteration);
  void finish(std::uint64_t iteration);
  /// A message between the lines.
  void note(const std::string& message);

 private:
  void draw(std::uint64_t iteration);
  std::string line(std::uint64_t iteration) const;

  Mode mode_;
  std::uint64_t first_;
  std::uint64_t total_;
  std::vector<std::pair<std::size_t, std::string>> shown_;  // columns that matter to people
  std::vector<double> newest_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_;
  bool drawn_ = false;
};

}  // namespace echelon::cli

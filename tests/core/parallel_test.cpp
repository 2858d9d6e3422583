#include "echelon/core/parallel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "echelon/core/version.h"

namespace echelon {
namespace {

/// One thread again when a test is over.
struct Threads {
  explicit Threads(int count) { set_thread_count(count); }
  ~Threads() { set_thread_count(1); }
};

TEST(ParallelFor, CallsEachIndexOnceByOneThread) {
  for (const int threads : {1, 3}) {
    const Threads chosen(threads);
    std::vector<int> calls(100, 0);
    std::vector<int> by(100, -1);
    parallel_for(100, [&](int i) {
      ++calls[static_cast<std::size_t>(i)];
      by[static_cast<std::size_t>(i)] = thread_index();
    });
    EXPECT_EQ(std::count(calls.begin(), calls.end(), 1), 100);
    const std::set<int> used(by.begin(), by.end());
    EXPECT_EQ(static_cast<int>(used.size()), threads);
    EXPECT_TRUE(std::is_sorted(by.begin(), by.end())) << "a thread has neighboring indices";
  }
}

TEST(ParallelFor, RethrowsAfterAllIndicesAreDone) {
  const Threads chosen(3);
  std::vector<int> calls(30, 0);
  EXPECT_THROW(parallel_for(30,
                            [&](int i) {
                              ++calls[static_cast<std::size_t>(i)];
                              if (i == 7) throw std::invalid_argument("7");
                            }),
               std::invalid_argument);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), 1), 30);
}

TEST(ParallelFor, DoesNothingForNoIndex) {
  const Threads chosen(2);
  int calls = 0;
  parallel_for(0, [&](int) { ++calls; });
  EXPECT_EQ(calls, 0);
}

TEST(Version, IsThatOfTheHeader) {
  EXPECT_STREQ(version(), ECHELON_VERSION_STRING);
  EXPECT_EQ(std::string(version()), std::to_string(ECHELON_VERSION_MAJOR) + "." +
                                        std::to_string(ECHELON_VERSION_MINOR) + "." +
                                        std::to_string(ECHELON_VERSION_PATCH));
}

}  // namespace
}  // namespace echelon

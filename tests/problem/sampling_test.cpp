#include "echelon/problem/sampling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace echelon {
namespace {

TEST(Sampling, SplitsAreDisjointAndSeeded) {
  const std::array<std::int64_t, 3> sizes{5, 0, 7};
  const auto parts = split_samples(20, sizes, 1);
  ASSERT_EQ(parts.size(), 3u);
  SampleList all;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::ssize(parts[i]), sizes[i]);
    all.insert(all.end(), parts[i].begin(), parts[i].end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  EXPECT_GE(all.front(), 0);
  EXPECT_LT(all.back(), 20);
  EXPECT_EQ(parts, split_samples(20, sizes, 1));
  EXPECT_NE(parts, split_samples(20, sizes, 2));
}

TEST(Sampling, EvenPartsCoverTheList) {
  const SampleList list{9, 8, 7, 6, 5, 4, 3};
  for (const AgentId agents : {1, 3, 7, 10}) {
    SampleList all;
    for (AgentId agent = 0; agent < agents; ++agent) {
      const SampleList part = even_part(list, agents, agent);
      EXPECT_LE(std::abs(static_cast<double>(part.size()) - 7.0 / agents), 1.0);
      all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all, list);
  }
}

TEST(Sampling, DrawsAreKeyedByEverything) {
  const Sample key{.iteration = 3, .step = 1, .stream = 2};
  const auto rows = [](Level level, AgentId agent, const Sample& sample, std::uint64_t seed) {
    const SampleDraw draw = draw_samples(level, agent, sample, 1000, 20, seed);
    EXPECT_FALSE(draw.everything);
    EXPECT_EQ(draw.selection(), &draw.rows);
    EXPECT_EQ(draw.scale, 50);
    EXPECT_TRUE(std::all_of(draw.rows.begin(), draw.rows.end(),
                            [](std::int64_t row) { return row >= 0 && row < 1000; }));
    return draw.rows;
  };
  const auto base = rows(Level::lower, 4, key, 5);
  EXPECT_EQ(base, rows(Level::lower, 4, key, 5));
  EXPECT_NE(base, rows(Level::upper, 4, key, 5));
  EXPECT_NE(base, rows(Level::lower, 5, key, 5));
  EXPECT_NE(base, rows(Level::lower, 4, key, 6));
  EXPECT_NE(base, rows(Level::lower, 4, {.iteration = 4, .step = 1, .stream = 2}, 5));
  EXPECT_NE(base, rows(Level::lower, 4, {.iteration = 3, .step = 2, .stream = 1}, 5));
}

TEST(Sampling, EverythingWhenAskedOrNothingToDraw) {
  EXPECT_EQ(draw_samples(Level::lower, 0, {}, 10, 0, 1).selection(), nullptr);
  EXPECT_EQ(draw_samples(Level::lower, 0, Sample::everything(), 10, 4, 1).selection(), nullptr);
  const SampleDraw none = draw_samples(Level::lower, 0, {}, 0, 4, 1);
  EXPECT_TRUE(none.everything);
  EXPECT_EQ(none.scale, 1);
}

TEST(Sampling, PrecisionIsResolved) {
  EXPECT_TRUE(uses_double("auto", true));
  EXPECT_FALSE(uses_double("auto", false));
  EXPECT_TRUE(uses_double("double", false));
  EXPECT_FALSE(uses_double("float", true));
}

}  // namespace
}  // namespace echelon

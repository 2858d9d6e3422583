#include "echelon/problem/sampling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

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

TEST(Sampling, SubBatchesAreAPartition) {
  for (const std::int64_t batches : {1, 3, 10, 14}) {
    SampleList all;
    for (std::int64_t b = 0; b < batches; ++b) {
      const Sample sample{.batches = batches, .batch = b};
      const SampleDraw draw = draw_samples(Level::lower, 2, sample, 10, 4, 1);
      EXPECT_EQ(draw.rows, draw_samples(Level::upper, 7, sample, 10, 0, 9).rows);
      EXPECT_FALSE(draw.everything);
      EXPECT_EQ(draw.scale, static_cast<double>(batches));
      EXPECT_LE(std::abs(static_cast<double>(draw.rows.size()) - 10.0 / draw.scale), 1.0);
      all.insert(all.end(), draw.rows.begin(), draw.rows.end());
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (SampleList{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  }
  const Sample empty{.batches = 3, .batch = 0};
  EXPECT_TRUE(draw_samples(Level::lower, 0, empty, 0, 4, 1).everything);
  const Sample full{.full = true, .batches = 3, .batch = 0};
  EXPECT_TRUE(draw_samples(Level::lower, 0, full, 10, 4, 1).everything);
}

TEST(Sampling, AgentsDrawTheirSubBatchesUniformlyAndTheSameForBothLevels) {
  std::array<int, 4> hits{};
  int equal = 0;
  constexpr int count = 20000;
  for (int k = 0; k < count; ++k) {
    const Sample sample{.iteration = static_cast<std::uint64_t>(k), .batches = 4};
    const std::int64_t b = sub_batch_of(3, sample, 5);
    ++hits[static_cast<std::size_t>(b)];
    equal += b == sub_batch_of(4, sample, 5);
    EXPECT_EQ(draw_samples(Level::upper, 3, sample, 9, 2, 5).rows.front(), b);
    EXPECT_EQ(draw_samples(Level::lower, 3, sample, 8, 2, 5).rows.front(), b);
  }
  const double deviation = 5 * std::sqrt(count * 0.25 * 0.75);
  for (const int hit : hits) EXPECT_NEAR(hit, count / 4, deviation);
  EXPECT_NEAR(equal, count / 4, deviation);
  const auto differs = [](const Sample& other, std::uint64_t seed) {
    int different = 0;
    for (std::uint64_t k = 0; k < 20; ++k) {
      Sample a{.iteration = k, .batches = 1000};
      Sample b = other;
      b.iteration += k;
      different += sub_batch_of(3, a, 5) != sub_batch_of(3, b, seed);
    }
    return different > 10;
  };
  EXPECT_FALSE(differs({.batches = 1000}, 5));
  EXPECT_TRUE(differs({.batches = 1000}, 6));
  EXPECT_TRUE(differs({.iteration = 100, .batches = 1000}, 5));
  EXPECT_TRUE(differs({.step = 1, .batches = 1000}, 5));
  EXPECT_TRUE(differs({.stream = 1, .batches = 1000}, 5));
}

TEST(Sampling, PrecisionIsResolved) {
  EXPECT_TRUE(uses_double("auto", true));
  EXPECT_FALSE(uses_double("auto", false));
  EXPECT_TRUE(uses_double("double", false));
  EXPECT_FALSE(uses_double("float", true));
}

}  // namespace
}  // namespace echelon

#include "echelon/core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace echelon {
namespace {

TEST(Draws, AreAFunctionOfWhatTheyAreFor) {
  Draws a(7, Purpose::minibatch, 3, 11, 2);
  Draws b(7, Purpose::minibatch, 3, 11, 2);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(a.bits(), b.bits());
  std::set<std::uint64_t> first;
  first.insert(Draws(7, Purpose::minibatch, 3, 11, 2).bits());
  first.insert(Draws(8, Purpose::minibatch, 3, 11, 2).bits());
  first.insert(Draws(7, Purpose::gradient_noise, 3, 11, 2).bits());
  first.insert(Draws(7, Purpose::minibatch, 4, 11, 2).bits());
  first.insert(Draws(7, Purpose::minibatch, 3, 12, 2).bits());
  first.insert(Draws(7, Purpose::minibatch, 3, 11, 3).bits());
  EXPECT_EQ(first.size(), 6U);
}

TEST(Draws, MomentsAgreeWithTheDistributions) {
  constexpr int count = 200000;
  Draws draws(1, Purpose::problem_data);
  double uniform = 0, normal = 0, normal_square = 0;
  for (int i = 0; i < count; ++i) {
    const double u = draws.uniform();
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    uniform += u;
    const double z = draws.normal();
    normal += z;
    normal_square += z * z;
  }
  const double five_sigma = 5 / std::sqrt(static_cast<double>(count));
  EXPECT_NEAR(uniform / count, 0.5, five_sigma * std::sqrt(1.0 / 12));
  EXPECT_NEAR(normal / count, 0, five_sigma);
  EXPECT_NEAR(normal_square / count, 1, five_sigma * std::sqrt(2.0));
}

TEST(Draws, GammaHasItsMeanForSmallAndLargeShapes) {
  constexpr int count = 100000;
  for (const double shape : {0.1, 0.5, 1.0, 3.0, 40.0}) {
    Draws draws(2, Purpose::partition);
    double sum = 0;
    for (int i = 0; i < count; ++i) sum += draws.gamma(shape);
    EXPECT_NEAR(sum / count, shape, 5 * std::sqrt(shape / count)) << shape;
  }
  EXPECT_TRUE(std::isfinite(Draws(3, Purpose::partition).log_gamma(1e-9)));
}

TEST(Draws, BetaHasItsMeanAndVariance) {
  constexpr int count = 20000;
  for (const auto& [a, b] : {std::pair{5.0, 2.0}, std::pair{0.5, 0.5}, std::pair{1.0, 3.0}}) {
    Draws draws(6, Purpose::problem_data);
    double sum = 0;
    double squares = 0;
    const double mean = a / (a + b);
    for (int i = 0; i < count; ++i) {
      const double value = draws.beta(a, b);
      ASSERT_GE(value, 0);
      ASSERT_LE(value, 1);
      sum += value;
      squares += (value - mean) * (value - mean);
    }
    const double variance = mean * (1 - mean) / (a + b + 1);
    EXPECT_NEAR(sum / count, mean, 5 * std::sqrt(variance / count)) << a << " " << b;
    EXPECT_NEAR(squares / count, variance, 0.05 * variance) << a << " " << b;
  }
}

TEST(Draws, BelowIsUniform) {
  Draws draws(4, Purpose::minibatch);
  int counts[7] = {};
  constexpr int count = 70000;
  for (int i = 0; i < count; ++i) ++counts[draws.below(7)];
  for (const int c : counts) EXPECT_NEAR(c, count / 7.0, 5 * std::sqrt(count / 7.0));
  EXPECT_EQ(draws.below(1), 0U);
}

TEST(Draws, PermutationHoldsEveryNumberOnce) {
  auto order = Draws(5, Purpose::split).permutation(1000);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<std::int64_t>(i));
  EXPECT_TRUE(Draws(5, Purpose::split).permutation(0).empty());
}

}  // namespace
}  // namespace echelon

// What each compressor keeps: closed forms, ties, known values.
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <limits>
#include <map>

#include "support.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

Numbers numbers_of(const MatrixXd& m) {
  return {m.data(), m.data() + m.size()};
}

MatrixXd normal_matrix(Index rows, Index columns, std::uint64_t seed) {
  return Eigen::Map<const MatrixXd>(gaussian(rows * columns, seed).data(), rows, columns);
}

TEST(TopK, KeepsTheLargestAndAmongEqualsTheFirst) {
  const auto q = compressor("top-k", 6, KeptEntriesOptions{.ratio = 0.5});
  EXPECT_EQ(trip(*q, {1, -5, 2, 4, -3, 0}), (Numbers{0, -5, 0, 4, -3, 0}));
  EXPECT_EQ(trip(*q, {1, -1, 1, -1, 1, -1}), (Numbers{1, -1, 1, 0, 0, 0}));
  EXPECT_EQ(trip(*q, {0, 2, -2, 2, 9, 2}), (Numbers{0, 2, -2, 0, 9, 0}));
  EXPECT_EQ(trip(*compressor("top-k", 6, KeptEntriesOptions{.ratio = 1}), {1, -5, 2, 4, -3, 0}),
            (Numbers{1, -5, 2, 4, -3, 0}));
}

TEST(TopK, EqualsSorting) {
  for (const Index d : {5, 64, 1000, 4097}) {
    Numbers v = gaussian(d);
    for (double& value : v) value = std::nearbyint(2 * value) / 2;  // many ties
    const auto q = compressor("top-k", d, KeptEntriesOptions{.ratio = 0.3});
    std::vector<std::size_t> order(v.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](auto i, auto j) { return std::abs(v[i]) > std::abs(v[j]); });
    Numbers expected(v.size(), 0.0);
    const auto k = static_cast<std::size_t>(std::ceil(0.3 * static_cast<double>(d) - 1e-9));
    for (std::size_t j = 0; j < k; ++j) expected[order[j]] = v[order[j]];
    EXPECT_EQ(trip(*q, v), expected) << d;
  }
}

TEST(RandomK, AllSetsAreEquallyLikelyAndValuesAreKept) {
  const auto q = compressor("random-k", 5, KeptEntriesOptions{.ratio = 0.4});
  const auto times = compressor("random-k-unbiased", 5, KeptEntriesOptions{.ratio = 0.4});
  const Numbers v = {1, 2, 3, 4, 5};
  std::map<Numbers, int> counts;
  const int rounds = 20000;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const Numbers sent = trip(*q, v, {.round = round});
    ++counts[sent];
    EXPECT_EQ(trip(*times, v, {.round = round}), scaled(sent, 2.5));
    for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(sent[i] == 0 || sent[i] == v[i]);
  }
  EXPECT_EQ(counts.size(), 10u);
  const double deviation = std::sqrt(rounds * 0.1 * 0.9);
  for (const auto& [sent, count] : counts) EXPECT_NEAR(count, rounds * 0.1, 5 * deviation);
}

TEST(RandomK, AProductThatOverflowsDecodesToNan) {
  const auto q = compressor("random-k-unbiased", 10);
  EXPECT_TRUE(all_nan(trip(*q, Numbers(10, 1e308))));
  EXPECT_FALSE(all_nan(trip(*q, Numbers(10, 1e307))));
}

TEST(Quantization, LevelsAreNeighborsOnTheGridOfTheBlock) {
  const QuantizationOptions options = {.bits = 3, .block = 4};
  const auto q = compressor("quantization", 10, options);
  const Numbers v = gaussian(10);
  for (std::uint64_t round = 0; round < 200; ++round) {
    const Numbers sent = trip(*q, v, {.round = round});
    for (std::size_t i = 0; i < 10; ++i) {
      const std::size_t begin = i / 4 * 4;
      double square = 0;
      for (std::size_t j = begin; j < std::min(begin + 4, v.size()); ++j) square += v[j] * v[j];
      const double step = std::sqrt(square) / 7;
      const double level = sent[i] / step;
      EXPECT_NEAR(level, std::nearbyint(level), 1e-12);
      EXPECT_LT(std::abs(sent[i] - v[i]), step);
      EXPECT_TRUE(sent[i] == 0 || (sent[i] > 0) == (v[i] > 0));
    }
  }
}

TEST(Quantization, GridPointsAreExact) {
  for (const std::int64_t bits : {1, 2, 5, 8}) {
    const auto q = compressor("quantization", 9, QuantizationOptions{.bits = bits, .block = 3});
    const Numbers v = {0, -7.3, 0, 1e300, 0, 0, 0, 0, -3e-310};
    EXPECT_EQ(trip(*q, v), v) << bits;
  }
}

TEST(Quantization, OnlyNormsThatAreNumbersCanBeSent) {
  const auto q = compressor("quantization", 8, QuantizationOptions{.block = 4});
  Numbers v(8, 1.0);
  std::fill(v.begin() + 4, v.end(), 8e307);
  EXPECT_FALSE(all_nan(trip(*q, v)));  // norm 1.6e308
  std::fill(v.begin() + 4, v.end(), 1e308);
  EXPECT_TRUE(all_nan(trip(*q, v)));
}

TEST(Quantization, BlocksDrawIndependently) {
  const auto q = compressor("quantization", 2000, QuantizationOptions{.bits = 1, .block = 1000});
  const Numbers v(2000, 1.0);
  const Numbers sent = trip(*q, v);
  EXPECT_NE(Numbers(sent.begin(), sent.begin() + 1000), Numbers(sent.begin() + 1000, sent.end()));
}

TEST(Sign, SendsTheMeanMagnitudeOfEachBlock) {
  const auto q = compressor("sign", 5, SignOptions{.block = 3});
  EXPECT_EQ(trip(*q, {1, -3, -5, 0, -8}), (Numbers{3, -3, -3, 4, -4}));
  EXPECT_EQ(trip(*q, {-0.0, -3, 0, -2, -2}), (Numbers{1, -1, 1, -2, -2}));
  EXPECT_EQ(trip(*compressor("sign", 5, SignOptions{.block = 0}), {1, -3, -5, 0, -8}),
            (Numbers{3.4, -3.4, -3.4, 3.4, -3.4}));
}

TEST(Sign, ASumThatOverflowsIsStillSent) {
  const Numbers v(4, -1e308);
  EXPECT_EQ(trip(*compressor("sign", 4), v), v);
}

TEST(Sign, ErrorHasItsClosedForm) {
  const Numbers v = gaussian(100);
  double sum = 0;
  double square = 0;
  for (const double value : v) {
    sum += std::abs(value);
    square += value * value;
  }
  EXPECT_NEAR(relative_error(trip(*compressor("sign", 100), v), v), 1 - sum * sum / 100 / square,
              1e-13);
}

double cast(const std::string& name, double value) {
  return trip(*compressor(name, 1), {value})[0];
}

TEST(Casts, Float32RoundsAsTheProcessorDoes) {
  for (const double value : gaussian(1000)) {
    for (const double scale : {1.0, 1e-38, 1e-44, 1e38}) {
      const double wide = value * scale;
      if (std::abs(wide) > 3.4e38) continue;
      EXPECT_EQ(cast("float32", wide), static_cast<float>(wide));
    }
  }
  EXPECT_EQ(cast("float32", 1 + 0x1p-24), 1);            // tie to even
  EXPECT_EQ(cast("float32", 1 + 0x3p-24), 1 + 0x4p-24);  // tie to even
  EXPECT_EQ(cast("float32", 0x1p-149), 0x1p-149);        // smallest subnormal
  EXPECT_EQ(cast("float32", 0x1p-150), 0);               // tie to even
  EXPECT_EQ(cast("float32", -0x1.8p-150), -0x1p-149);
  EXPECT_EQ(cast("float32", 0x1.fffffefffffffp127), 0x1.fffffep127);
  EXPECT_TRUE(std::isnan(cast("float32", 0x1.ffffffp127)));
  EXPECT_TRUE(std::isnan(cast("float32", -1e39)));
}

TEST(Casts, Bfloat16KnownValues) {
  EXPECT_EQ(cast("bfloat16", 1 + 0x1p-7), 1 + 0x1p-7);
  EXPECT_EQ(cast("bfloat16", 1 + 0x1p-8), 1);                     // tie to even
  EXPECT_EQ(cast("bfloat16", 1 + 0x3p-8), 1 + 0x4p-8);            // tie to even
  EXPECT_EQ(cast("bfloat16", 1 + 0x1p-8 + 0x1p-50), 1 + 0x1p-7);  // not a tie in double
  EXPECT_EQ(cast("bfloat16", 1 + 0x3p-8 - 0x1p-50), 1 + 0x1p-7);  // nor this one
  EXPECT_EQ(cast("bfloat16", -(1 + 0x1p-8 + 0x1p-50)), -(1 + 0x1p-7));
  EXPECT_EQ(cast("bfloat16", 3.14159265358979), 3.140625);
  EXPECT_EQ(cast("bfloat16", 0x1.ffp0), 2);             // carries into the exponent
  EXPECT_EQ(cast("bfloat16", 0x1.fep127), 0x1.fep127);  // the largest
  EXPECT_EQ(cast("bfloat16", 0x1.fefffffffffffp127), 0x1.fep127);
  EXPECT_TRUE(std::isnan(cast("bfloat16", 0x1.ffp127)));
  EXPECT_EQ(cast("bfloat16", 0x1p-133), 0x1p-133);  // smallest subnormal
  EXPECT_EQ(cast("bfloat16", 0x1p-134), 0);         // tie to even
  EXPECT_EQ(cast("bfloat16", 0x1.0000000001p-134), 0x1p-133);
  EXPECT_EQ(cast("bfloat16", -0x3p-134), -0x2p-133);  // tie to even
  EXPECT_EQ(cast("bfloat16", 1e-300), 0);
  EXPECT_TRUE(std::signbit(cast("bfloat16", -0.0)));
}

TEST(Casts, Bfloat16IsNearest) {
  for (const double value : gaussian(2000)) {
    for (const double scale : {1.0, 1e-38, 1e-40, 1e37}) {
      const double wide = value * scale;
      const double exponent = std::max(std::floor(std::log2(std::abs(wide))), -126.0);
      const double unit = std::exp2(exponent - 7);
      EXPECT_EQ(cast("bfloat16", wide), std::nearbyint(wide / unit) * unit);
    }
  }
}

TEST(LowRank, IsExactUpToItsRank) {
  for (const auto& [rows, columns] : {std::pair<Index, Index>{12, 9}, {9, 12}, {40, 3}, {3, 40}}) {
    const Index d = rows * columns;
    for (Index rank = 1; rank <= 3; ++rank) {
      const MatrixXd m = normal_matrix(rows, rank, 3) * normal_matrix(rank, columns, 4);
      const auto q = compressor("low-rank", d, LowRankOptions{.rank = rank, .rows = rows});
      EXPECT_LT(relative_error(trip(*q, numbers_of(m)), numbers_of(m)), 1e-28) << rows << rank;
      if (rank == 1) continue;
      const auto fewer = compressor("low-rank", d, LowRankOptions{.rank = rank - 1, .rows = rows});
      EXPECT_GT(relative_error(trip(*fewer, numbers_of(m)), numbers_of(m)), 1e-4) << rows << rank;
    }
  }
}

TEST(LowRank, FindsWeakDirectionsBehindEqualColumns) {
  MatrixXd m = MatrixXd::Zero(20, 8);
  m.row(3).setOnes();
  m(7, 5) = 1e-9;
  const auto q = compressor("low-rank", 160, LowRankOptions{.rank = 2, .rows = 20});
  const Numbers sent = trip(*q, numbers_of(m));
  EXPECT_NEAR(sent[107], 1e-9, 1e-15);
  EXPECT_LT(relative_error(sent, numbers_of(m)), 1e-30);
}

TEST(LowRank, IsAProjectionOfTheMatrix) {
  for (const Index rows : {10, 30}) {
    const Numbers v = gaussian(300);
    const auto q = compressor("low-rank", 300, LowRankOptions{.rank = 3, .rows = rows});
    const Numbers once = trip(*q, v);
    EXPECT_LT(relative_error(trip(*q, once), once), 1e-28);
    double inner = 0;  // <v - Q v, Q v> = 0
    for (std::size_t i = 0; i < v.size(); ++i) inner += (v[i] - once[i]) * once[i];
    EXPECT_NEAR(inner, 0, 1e-11);
  }
}

TEST(LowRank, IsCloseToTheBestOfItsRank) {
  const MatrixXd m = normal_matrix(30, 20, 5);
  const VectorXd values = Eigen::JacobiSVD<MatrixXd>(m).singularValues();
  const double best = values.tail(16).squaredNorm() / values.squaredNorm();
  const auto q = compressor("low-rank", 600, LowRankOptions{.rank = 4, .rows = 30});
  const double error = relative_error(trip(*q, numbers_of(m)), numbers_of(m));
  EXPECT_GE(error, best - 1e-14);
  EXPECT_LT(error, 1.15 * best);
}

TEST(LowRank, MeetsItsBoundWhereItIsTight) {
  for (const auto& [rows, columns] : {std::pair<Index, Index>{6, 6}, {9, 5}, {5, 9}}) {
    const MatrixXd m = MatrixXd::Identity(rows, columns);
    const auto q =
        compressor("low-rank", m.size(), PartOptions(LowRankOptions{.rank = 2, .rows = rows}));
    EXPECT_NEAR(relative_error(trip(*q, numbers_of(m)), numbers_of(m)),
                1 - q->contraction(m.size()), 1e-14);
  }
}

TEST(LowRank, PadsWithZerosAndScalesExactly) {
  const Numbers v = gaussian(11);  // 4 x 3
  const auto q = compressor("low-rank", 11, LowRankOptions{.rank = 3});
  EXPECT_LT(relative_error(trip(*q, v), v), 1e-28);
  const auto two = compressor("low-rank", 11, LowRankOptions{.rank = 2});
  EXPECT_EQ(trip(*two, scaled(v, 0x1p1000)), scaled(trip(*two, v), 0x1p1000));
  EXPECT_EQ(trip(*two, scaled(v, 0x1p-900)), scaled(trip(*two, v), 0x1p-900));
}

}  // namespace
}  // namespace echelon

// What holds for every compressor, and the catalog.
#include "echelon/compression/compressor.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "catalog_names.hpp"
#include "echelon/core/error.hpp"
#include "part_settings.hpp"
#include "support.hpp"

namespace echelon {
namespace {

using namespace testing_support;

constexpr Index dimensions[] = {1, 2, 3, 7, 8, 9, 64, 1000, 1025};

std::string usage_message(const std::string& name, const PartOptions& options, Index dimension) {
  try {
    make_compressor({compressor_catalog(), name, options}, dimension);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<Numbers> shapes_of_vectors(Index d) {
  const auto size = static_cast<std::size_t>(d);
  std::vector<Numbers> all = {gaussian(d), Numbers(size, -2.5), Numbers(size, 0.0)};
  all.back()[size / 2] = -3;  // one-hot
  all.push_back(all[0]);      // sparse
  for (std::size_t i = 0; i < size; ++i) all[3][i] *= i % 7 == 0;
  all.push_back(all[0]);  // of all magnitudes
  for (std::size_t i = 0; i < size; ++i) {
    all[4][i] = std::exp(3 * all[0][i]) * (i % 2 == 0 ? 1 : -1);
  }
  return all;
}

class EveryCompressor : public testing::TestWithParam<std::string> {
 protected:
  const std::string name_ = GetParam();
  bool is_random() const { return name_.starts_with("random-k") || name_ == "quantization"; }
  bool is_cast() const { return name_ == "float32" || name_ == "bfloat16"; }

  /// Mean of `error(Q(v))` over keys is at most `bound`, up to five standard errors.
  void expect_at_most(double bound, const Compressor& q, const Numbers& v, double shrink) {
    const std::uint64_t keys = is_random() ? 100 : 1;
    double sum = 0;
    double squares = 0;
    for (std::uint64_t round = 0; round < keys; ++round) {
      const double error = relative_error(trip(q, v, {.round = round}), v, shrink);
      sum += error;
      squares += error * error;
    }
    const auto n = static_cast<double>(keys);
    const double spread = std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)) / n);
    EXPECT_LE(sum / n, bound * (1 + 1e-13) + 5 * spread + 1e-28) << name_ << " d = " << v.size();
  }
};

INSTANTIATE_TEST_SUITE_P(Catalog, EveryCompressor, every_name(compressor_catalog()), suffix);

TEST_P(EveryCompressor, ContractsAsItSays) {
  for (const Index d : dimensions) {
    const auto q = compressor(name_, d, {{"compression_block", "100"}});
    const double delta = q->contraction(d);
    EXPECT_GT(delta, 0);
    EXPECT_LE(delta, 1);
    EXPECT_EQ(q->unbiased() && q->variance(d) > 0,
              is_random() && name_ != "random-k" && (d > 1 || name_ == "quantization"));
    for (const Numbers& v : shapes_of_vectors(d)) {
      for (const double scale : {1.0, 1e300, 1e-300}) {
        if (is_cast() && scale != 1) continue;
        const Numbers moved = scaled(v, scale);
        expect_at_most(1 - delta, *q, moved, q->unbiased() ? 1 / (1 + q->variance(d)) : 1);
        if (q->unbiased()) expect_at_most(q->variance(d), *q, moved, 1);
      }
    }
  }
}

TEST_P(EveryCompressor, SendsZeroAsZero) {
  for (const Index d : dimensions) {
    const Numbers zero(static_cast<std::size_t>(d), 0.0);
    EXPECT_EQ(trip(*compressor(name_, d), zero), zero) << d;
  }
}

TEST_P(EveryCompressor, StaysFiniteOnSubnormalNumbers) {
  constexpr double quantum = std::numeric_limits<double>::denorm_min();
  for (const Index d : dimensions) {
    const auto q = compressor(name_, d);
    Numbers v = gaussian(d);
    for (double& value : v) value = std::nearbyint(3 * value) * quantum;
    const double bound = 10 * quantum * static_cast<double>(d) * (1 + q->variance(d));
    for (const double value : trip(*q, v)) EXPECT_LE(std::abs(value), bound) << d;
  }
}

TEST_P(EveryCompressor, NumbersThatAreNotFiniteDecodeToNanEverywhere) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const Index d : dimensions) {
    const auto q = compressor(name_, d, {{"compression_block", "100"}});
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
      for (const Index place : {Index{0}, d / 2, d - 1}) {
        for (std::uint64_t round = 0; round < 3; ++round) {
          Numbers v = gaussian(d);
          v[static_cast<std::size_t>(place)] = bad;
          EXPECT_TRUE(all_nan(trip(*q, v, {.round = round}))) << d << " " << place << " " << bad;
        }
      }
    }
  }
}

TEST_P(EveryCompressor, MessageIsAFunctionOfVectorAndKey) {
  const Index d = 1000;
  const auto q = compressor(name_, d);
  const Numbers v = gaussian(d);
  const MessageKey key = {.seed = 1, .stream = 2, .round = 3, .agent = 4};
  const Message message = message_of(*q, v, key);
  const Numbers back = decoded(*q, message, v.size(), key);
  EXPECT_EQ(message, message_of(*compressor(name_, d), v, key));
  EXPECT_EQ(back, decoded(*compressor(name_, d), message, v.size(), key));

  Numbers shifted(v.size() + 1);  // at another alignment
  std::copy(v.begin(), v.end(), shifted.begin() + 1);
  Message room(message.size() + 1);
  const auto inside = std::span(room).subspan(1);
  q->encode(std::span(shifted).subspan(1), key, inside);
  EXPECT_TRUE(std::equal(message.begin(), message.end(), inside.begin()));
  q->decode(inside, key, std::span(shifted).subspan(1));
  EXPECT_TRUE(std::equal(back.begin(), back.end(), shifted.begin() + 1));

  const MessageKey others[] = {{.seed = 9, .stream = 2, .round = 3, .agent = 4},
                               {.seed = 1, .stream = 9, .round = 3, .agent = 4},
                               {.seed = 1, .stream = 2, .round = 9, .agent = 4},
                               {.seed = 1, .stream = 2, .round = 3, .agent = 9}};
  for (const MessageKey& other : others) {
    EXPECT_EQ(trip(*q, v, other) != back, is_random());
  }
}

TEST(Compressors, UnbiasedOnesAreRightOnAverage) {
  const Index d = 20;
  const Numbers v = gaussian(d);
  constexpr int rounds = 20000;
  for (const std::string name : {"random-k-unbiased", "quantization"}) {
    const auto q = make_compressor(
        chosen(
            compressor_catalog(), name,
            {{"compression_ratio", "0.25"}, {"compression_bits", "2"}, {"compression_block", "8"}}),
        d);
    ASSERT_TRUE(q->unbiased());
    Numbers sum(v.size(), 0.0);
    Numbers squares(v.size(), 0.0);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const Numbers sent = trip(*q, v, {.round = round});
      for (std::size_t i = 0; i < v.size(); ++i) {
        sum[i] += sent[i];
        squares[i] += (sent[i] - v[i]) * (sent[i] - v[i]);
      }
    }
    double error = 0;
    double square = 0;
    for (std::size_t i = 0; i < v.size(); ++i) {
      EXPECT_NEAR(sum[i] / rounds, v[i], 5 * std::sqrt(squares[i]) / rounds) << name << i;
      error += squares[i] / rounds;
      square += v[i] * v[i];
    }
    EXPECT_LE(error, 1.02 * q->variance(d) * square) << name;
    if (name == "random-k-unbiased") {
      EXPECT_NEAR(error, 3 * square, 0.06 * square);
    }
  }
}

TEST(Compressors, ByteCounts) {
  const auto bytes = [](const std::string& name, Index d, const auto&... options) {
    return compressor(name, d, options...)->bytes(d);
  };
  EXPECT_EQ(bytes("identity", 1000), 8000u);
  EXPECT_EQ(bytes("float32", 1000), 4000u);
  EXPECT_EQ(bytes("bfloat16", 1000), 2000u);
  EXPECT_EQ(bytes("top-k", 1000), 125u + 800u);  // 100 indices of 10 bits
  EXPECT_EQ(bytes("top-k", 1025), 142u + 824u);  // 103 indices of 11 bits
  EXPECT_EQ(bytes("top-k", 1024), 129u + 824u);  // 103 of 10
  EXPECT_EQ(bytes("top-k", 1), 8u);
  EXPECT_EQ(bytes("top-k", 2, KeptEntriesOptions{.ratio = 1}), 1u + 16u);
  EXPECT_EQ(bytes("random-k", 1000), 800u);
  EXPECT_EQ(bytes("random-k-unbiased", 7), 8u);
  EXPECT_EQ(bytes("quantization", 1000), 8u + 625u);                              // 5 bits each
  EXPECT_EQ(bytes("quantization", 1025), 16u + 641u);                             // two blocks
  EXPECT_EQ(bytes("quantization", 1025, QuantizationOptions{.block = 0}), 649u);  // one
  EXPECT_EQ(bytes("quantization", 9, QuantizationOptions{.bits = 1, .block = 4}), 24u + 3u);
  EXPECT_EQ(bytes("quantization", 9, QuantizationOptions{.bits = 8}), 8u + 11u);
  EXPECT_EQ(bytes("sign", 1025), 16u + 129u);
  EXPECT_EQ(bytes("sign", 8, SignOptions{.block = 0}), 9u);
  EXPECT_EQ(bytes("low-rank", 1000), 8u * 2u * (32u + 32u));
  EXPECT_EQ(bytes("low-rank", 1000, LowRankOptions{.rank = 3, .rows = 10}), 8u * 3u * (10u + 100u));
  EXPECT_EQ(bytes("low-rank", 7, LowRankOptions{.rank = 1, .rows = 7}), 8u * 8u);
}

TEST(Compressors, SharesAreRoundedUpButNotByRounding) {
  const auto kept = [](double ratio, Index d) {
    return compressor("random-k", d, KeptEntriesOptions{.ratio = ratio})->bytes(d) / 8;
  };
  EXPECT_EQ(kept(0.07, 100), 7u);  // 0.07 * 100 = 7.000000000000001
  EXPECT_EQ(kept(1.0 / 3, 9), 3u);
  EXPECT_EQ(kept(1.0 / 3, 10), 4u);
  EXPECT_EQ(kept(1e-9, 10), 1u);
  EXPECT_EQ(kept(1, 1025), 1025u);
}

TEST(Compressors, Certificates) {
  const auto delta = [](const std::string& name, Index d, const auto&... options) {
    return compressor(name, d, options...)->contraction(d);
  };
  EXPECT_EQ(delta("identity", 9), 1);
  EXPECT_EQ(delta("top-k", 9, KeptEntriesOptions{.ratio = 1.0 / 3}), 3.0 / 9);
  EXPECT_EQ(delta("random-k", 1000), 0.1);
  EXPECT_EQ(delta("random-k-unbiased", 1000), 0.1);
  EXPECT_EQ(compressor("random-k-unbiased", 1000)->variance(1000), 9);
  EXPECT_EQ(compressor("quantization", 5000)->variance(5000), 32.0 / 15);
  EXPECT_EQ(compressor("quantization", 100)->variance(100), 100.0 / 225);
  EXPECT_EQ(delta("quantization", 100), 1 / (1 + 100.0 / 225));
  EXPECT_EQ(delta("sign", 5000), 1.0 / 1024);
  EXPECT_EQ(delta("sign", 10), 0.1);
  EXPECT_EQ(delta("low-rank", 1000, LowRankOptions{.rank = 3, .rows = 10}), 0.3);
  EXPECT_EQ(delta("low-rank", 100, LowRankOptions{.rank = 5}), 0.5);
}

TEST(Compressors, ErrorsNameWhatIsRight) {
  EXPECT_TRUE(contains(usage_message("topk-k", {}, 9), "`top-k`"));
  for (const double ratio : {0.0, -1.0, 1.5, std::nan("")}) {
    EXPECT_TRUE(contains(usage_message("top-k", KeptEntriesOptions{.ratio = ratio}, 9),
                         "compression_ratio"));
  }
  EXPECT_TRUE(contains(usage_message("top-k", KeptEntriesOptions{.ratio = 2}, 9), "(0, 1]"));
  const auto quantization = [](const QuantizationOptions& options) {
    return usage_message("quantization", options, 9);
  };
  EXPECT_TRUE(contains(quantization({.bits = 0}), "consensus.compression_bits = 0"));
  EXPECT_TRUE(contains(quantization({.bits = 9}), "[1, 8]"));
  EXPECT_TRUE(contains(quantization({.block = -1}), ">= 0"));
  const auto low_rank = [](const LowRankOptions& options) {
    return usage_message("low-rank", options, 9);
  };
  EXPECT_TRUE(contains(low_rank({.rank = 4}), "choose at most 3"));
  EXPECT_EQ(low_rank({.rank = 3}), "accepted");
  EXPECT_TRUE(contains(low_rank({.rank = 3, .rows = 5}), "5 x 2"));
  EXPECT_TRUE(contains(low_rank({.rank = 3, .rows = 10}), "choose at most 9"));
  EXPECT_TRUE(contains(low_rank({.rank = 0}), "compression_rank = 0"));
}

TEST(Compressors, DeclareWhatTheyRead) {
  const std::map<std::string, std::string> expected{
      {"identity", ""},
      {"float32", ""},
      {"bfloat16", ""},
      {"top-k", "compression_ratio=0.1 "},
      {"random-k", "compression_ratio=0.1 "},
      {"random-k-unbiased", "compression_ratio=0.1 "},
      {"quantization", "compression_bits=4 compression_block=1024 "},
      {"sign", "compression_block=1024 "},
      {"low-rank", "compression_rank=2 compression_rows=0 "}};
  for (const CompressorEntry& entry : compressor_catalog()) {
    std::string options;
    for (const auto& option : describe_options(entry.options)) {
      options += option.name + "=" + option.value + " ";
      EXPECT_FALSE(option.help.empty());
    }
    EXPECT_EQ(options, expected.at(entry.name)) << entry.name;
  }
}

}  // namespace
}  // namespace echelon

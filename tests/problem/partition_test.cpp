#include "echelon/problem/partition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "echelon/core/error.hpp"
#include "memory_source.hpp"

namespace echelon {
namespace {

using Dealt = std::vector<std::vector<std::int64_t>>;
using Labels = std::vector<std::uint8_t>;

/// Sample i has label i mod `classes`.
Labels cyclic_labels(std::size_t count, std::size_t classes) {
  Labels labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<std::uint8_t>(i % classes);
  return labels;
}

PartitionOptions dirichlet(double alpha, std::int64_t minimum_samples = 0) {
  return {.partition = "dirichlet", .dirichlet_alpha = alpha, .minimum_samples = minimum_samples};
}

std::vector<std::size_t> sizes(const Dealt& dealt) {
  std::vector<std::size_t> result;
  for (const auto& list : dealt) result.push_back(list.size());
  return result;
}

/// Number of the agent's samples with each label.
std::vector<std::size_t> label_counts(const std::vector<std::int64_t>& list, const Labels& labels) {
  std::vector<std::size_t> counts(256);
  for (const std::int64_t sample : list) ++counts[labels[static_cast<std::size_t>(sample)]];
  return counts;
}

void expect_dealt_once(const Dealt& dealt, std::size_t samples) {
  std::vector<int> seen(samples);
  for (const auto& list : dealt) {
    EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
    for (const std::int64_t sample : list) ++seen.at(static_cast<std::size_t>(sample));
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), static_cast<std::ptrdiff_t>(samples));
}

TEST(Partition, EverySampleIsDealtOnce) {
  std::vector<PartitionOptions> all{{.partition = "even"},
                                    {.partition = "label-shards"},
                                    {.partition = "label-shards", .shards_per_agent = 1},
                                    {.partition = "label-shards", .shards_per_agent = 7}};
  for (const double alpha : {5e-324, 1e-300, 1e-3, 0.5, 1.0, 1e3, 1e308}) {
    all.push_back(dirichlet(alpha));
  }
  for (const double alpha : {5e-324, 0.5, 1e308}) {
    all.push_back({.partition = "dirichlet-sizes", .dirichlet_alpha = alpha});
  }
  for (const double exponent : {0.0, 1.0, 100.0}) {
    all.push_back({.partition = "power-law", .power_exponent = exponent});
  }
  for (PartitionOptions options : all) {
    for (const std::size_t samples : {0, 1, 10, 257}) {
      for (const std::int64_t agents : {1, 3, 10, 400}) {
        for (const bool with_minimum : {false, true}) {
          options.minimum_samples = with_minimum ? static_cast<std::int64_t>(samples) / agents : 0;
          const Dealt dealt = deal_samples(cyclic_labels(samples, 4), agents, options, 3);
          ASSERT_EQ(dealt.size(), static_cast<std::size_t>(agents));
          expect_dealt_once(dealt, samples);
          for (const auto& list : dealt) {
            EXPECT_GE(static_cast<std::int64_t>(list.size()), options.minimum_samples);
          }
        }
      }
    }
  }
}

TEST(Partition, PureFunctionOfArguments) {
  const Labels labels = cyclic_labels(500, 10);
  for (const char* name : {"even", "label-shards", "dirichlet", "dirichlet-sizes", "power-law"}) {
    const PartitionOptions options{.partition = name, .minimum_samples = 3};
    const Dealt dealt = deal_samples(labels, 7, options, 5);
    EXPECT_EQ(dealt, deal_samples(labels, 7, options, 5));
    EXPECT_NE(dealt, deal_samples(labels, 7, options, 6));
  }
}

TEST(Partition, EvenSizesDifferByAtMostOne) {
  const Labels labels = cyclic_labels(1003, 10);
  const Dealt dealt = deal_samples(labels, 4, {}, 1);
  EXPECT_EQ(sizes(dealt), (std::vector<std::size_t>{251, 251, 251, 250}));
  // At random: the mean sample number of a part has standard deviation 1003 / sqrt(12 * 251) = 18.
  for (const auto& list : dealt) {
    double mean = 0;
    for (const std::int64_t sample : list) mean += static_cast<double>(sample);
    EXPECT_NEAR(mean / static_cast<double>(list.size()), 501, 90);
  }
  EXPECT_EQ(sizes(deal_samples(cyclic_labels(2, 1), 4, {}, 1)),
            (std::vector<std::size_t>{1, 1, 0, 0}));
}

TEST(Partition, LabelShardsHoldFewLabels) {
  const Labels labels = cyclic_labels(1000, 10);
  const PartitionOptions options{.partition = "label-shards"};  // 20 shards of 50, two per label
  const Dealt dealt = deal_samples(labels, 10, options, 9);
  std::set<std::vector<std::size_t>> kinds;
  for (const auto& list : dealt) {
    EXPECT_EQ(list.size(), 100U);
    const auto counts = label_counts(list, labels);
    kinds.insert(counts);
    EXPECT_LE(std::count_if(counts.begin(), counts.end(), [](std::size_t c) { return c > 0; }), 2);
    for (const std::size_t count : counts) EXPECT_EQ(count % 50, 0U);
  }
  EXPECT_GT(kinds.size(), 5U);
  // Within a label the permutation decides: a shard is not a run of consecutive samples of its
  // label.
  const Dealt one_label = deal_samples(Labels(100), 2, options, 9);
  EXPECT_NE(one_label[0].back() - one_label[0].front(), 49);
}

TEST(Partition, LabelShardsAreDealtAtRandom) {
  // 3 agents x 2 shards, one label per shard: two given labels share an agent with probability 1/5.
  const Labels labels = cyclic_labels(6, 6);
  const PartitionOptions options{.partition = "label-shards"};
  int together = 0;
  constexpr int rounds = 2000;
  for (int seed = 0; seed < rounds; ++seed) {
    const Dealt dealt = deal_samples(labels, 3, options, static_cast<std::uint64_t>(seed));
    for (const auto& list : dealt) {
      ASSERT_EQ(list.size(), 2U);
      together += list[0] == 0 && list[1] == 1;
    }
  }
  EXPECT_NEAR(together / double{rounds}, 0.2, 0.04);  // 4.5 standard deviations
}

TEST(Partition, DirichletExtremes) {
  const Labels labels = cyclic_labels(10000, 10);
  for (const auto& list : deal_samples(labels, 10, dirichlet(1e3), 2)) {
    const auto counts = label_counts(list, labels);
    // 1000 samples in shares of mean 1/10 and standard deviation sqrt(0.09 / 10001) = 0.003
    for (std::size_t c = 0; c < 10; ++c) EXPECT_NEAR(static_cast<double>(counts[c]), 100, 17);
  }
  for (const double alpha : {1e-3, 1e-300, 5e-324}) {
    std::vector<std::size_t> most(10);
    std::set<std::size_t> owners;
    const Dealt dealt = deal_samples(labels, 10, dirichlet(alpha), 2);
    for (std::size_t i = 0; i < dealt.size(); ++i) {
      const auto counts = label_counts(dealt[i], labels);
      for (std::size_t c = 0; c < 10; ++c) {
        most[c] = std::max(most[c], counts[c]);
        if (counts[c] > 500) owners.insert(i);
      }
    }
    // Two agents share a label noticeably with probability of about 10 alpha times a logarithm.
    EXPECT_GE(std::count_if(most.begin(), most.end(), [](std::size_t m) { return m > 990; }), 9);
    EXPECT_GT(owners.size(), 3U);
    EXPECT_LT(owners.size(), 10U);
  }
}

TEST(Partition, DirichletMoments) {
  // Shares of Dirichlet(a, a, a, a): mean 1/4, variance (1/4)(3/4) / (4 a + 1).
  constexpr std::size_t classes = 200;
  constexpr double per_class = 100;
  const Labels labels = cyclic_labels(classes * 100, classes);
  for (const double alpha : {0.1, 0.5, 3.0}) {
    std::vector<double> mean(4);
    std::vector<double> square(4);
    constexpr int rounds = 10;
    for (std::uint64_t seed = 0; seed < rounds; ++seed) {
      const Dealt dealt = deal_samples(labels, 4, dirichlet(alpha), seed);
      for (std::size_t i = 0; i < 4; ++i) {
        const auto counts = label_counts(dealt[i], labels);
        for (std::size_t c = 0; c < classes; ++c) {
          const double share = static_cast<double>(counts[c]) / per_class;
          mean[i] += share / (rounds * classes);
          square[i] += (share - 0.25) * (share - 0.25) / (rounds * classes);
        }
      }
    }
    const double variance = 0.1875 / (4 * alpha + 1);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(mean[i], 0.25, 4.5 * std::sqrt(variance / (rounds * classes)));
      EXPECT_NEAR(square[i], variance, 0.15 * variance);
    }
  }
}

TEST(Partition, LargestRemainderGivesTiesToTheLowerAgent) {
  // With such an alpha all shares are exactly 1/4: three samples of one label, ten of another.
  Labels labels(13, 1);
  for (const std::size_t i : {2, 5, 11}) labels[i] = 0;
  const Dealt dealt = deal_samples(labels, 4, dirichlet(1e308), 4);
  const std::vector<std::size_t> zeros{1, 1, 1, 0};
  const std::vector<std::size_t> ones{3, 3, 2, 2};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(label_counts(dealt[i], labels)[0], zeros[i]);
    EXPECT_EQ(label_counts(dealt[i], labels)[1], ones[i]);
  }
}

TEST(Partition, MinimumTakesFromTheLargestOnly) {
  const Labels labels = cyclic_labels(1000, 10);
  const Dealt before = deal_samples(labels, 12, dirichlet(0.05), 8);
  const Dealt after = deal_samples(labels, 12, dirichlet(0.05, 20), 8);
  std::size_t raised = 0;
  std::size_t lowered = 0;
  std::size_t largest = 0;
  for (const auto& list : after) largest = std::max(largest, list.size());
  for (std::size_t i = 0; i < 12; ++i) {
    const auto& small = before[i].size() < after[i].size() ? before[i] : after[i];
    const auto& large = before[i].size() < after[i].size() ? after[i] : before[i];
    EXPECT_TRUE(std::includes(large.begin(), large.end(), small.begin(), small.end()));
    if (before[i].size() < 20) {
      ++raised;
      EXPECT_EQ(after[i].size(), 20U);
    } else {
      EXPECT_LE(after[i].size(), before[i].size());
      if (after[i].size() < before[i].size()) {
        ++lowered;
        EXPECT_GE(after[i].size() + 1, largest);
      }
    }
  }
  EXPECT_GT(raised, 0U);
  EXPECT_GT(lowered, 0U);
  EXPECT_LT(raised + lowered, 12U);
  // The tightest minimum makes all equal.
  EXPECT_EQ(sizes(deal_samples(labels, 10, dirichlet(1e-3, 100), 8)),
            std::vector<std::size_t>(10, 100));
}

TEST(Partition, RefusesBadOptions) {
  const Labels labels = cyclic_labels(10, 2);
  const auto refused = [&](const std::string& part, const PartitionOptions& options,
                           std::int64_t agents = 3) {
    try {
      deal_samples(labels, agents, options, 1);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused("the nearest is `dirichlet`", {.partition = "dirichlett"});
  refused("problem.dirichlet_alpha", dirichlet(0));
  refused("problem.dirichlet_alpha", dirichlet(-1));
  refused("problem.dirichlet_alpha", dirichlet(std::numeric_limits<double>::infinity()));
  refused("problem.dirichlet_alpha", dirichlet(std::numeric_limits<double>::quiet_NaN()));
  refused("problem.shards_per_agent", {.shards_per_agent = 0});
  refused("problem.shards_per_agent", {.shards_per_agent = std::int64_t{1} << 62});
  refused("problem.minimum_samples", {.minimum_samples = -1});
  refused("at most 3 is possible", {.minimum_samples = 4});
  refused("at most 3 is possible", {.minimum_samples = std::int64_t{1} << 62});
  refused("0 agents", {}, 0);
  refused("-1 agents", {}, -1);
}

TEST(Partition, OptionsAreDeclared) {
  const auto options = describe_options(PartitionOptions{});
  ASSERT_EQ(options.size(), 6U);
  EXPECT_EQ(options[0].name, "partition");
  EXPECT_EQ(options[0].type,
            "even | label-shards | dirichlet | dirichlet-sizes | power-law | natural");
  EXPECT_EQ(options[1].name, "dirichlet_alpha");
  EXPECT_EQ(options[1].range, "> 0");
  EXPECT_EQ(options[2].name, "shards_per_agent");
  EXPECT_EQ(options[2].range, "[1, 1000]");
  EXPECT_EQ(options[3].name, "power_exponent");
  EXPECT_EQ(options[3].range, "[0, 100]");
  EXPECT_EQ(options[4].name, "minimum_samples");
  EXPECT_EQ(options[4].range, ">= 0");
  EXPECT_EQ(options[5].name, "partition_file");
  for (const auto& option : options) EXPECT_FALSE(option.help.empty());
}

TEST(Partition, PowerLawSizesAreThoseOfTheLaw) {
  const Labels labels = cyclic_labels(7100, 10);
  auto dealt = sizes(deal_samples(labels, 4, {.partition = "power-law"}, 3));
  std::sort(dealt.begin(), dealt.end(), std::greater<>());
  // 7100 / (1 + 1/2 + 1/3 + 1/4) = 3408
  EXPECT_EQ(dealt, (std::vector<std::size_t>{3408, 1704, 1136, 852}));
  const PartitionOptions flat{.partition = "power-law", .power_exponent = 0};
  EXPECT_EQ(sizes(deal_samples(labels, 4, flat, 3)), (std::vector<std::size_t>(4, 1775)));
  std::set<std::size_t> largest;  // who has most is drawn
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto own = sizes(deal_samples(labels, 4, {.partition = "power-law"}, seed));
    largest.insert(
        static_cast<std::size_t>(std::max_element(own.begin(), own.end()) - own.begin()));
  }
  EXPECT_EQ(largest.size(), 4U);
}

TEST(Partition, DirichletSizesDifferAndLabelsDoNot) {
  const Labels labels = cyclic_labels(20000, 10);
  constexpr double alpha = 2;
  const PartitionOptions options{.partition = "dirichlet-sizes", .dirichlet_alpha = alpha};
  double mean_square = 0;
  constexpr int rounds = 300;
  for (int seed = 0; seed < rounds; ++seed) {
    for (const auto& list : deal_samples(labels, 5, options, static_cast<std::uint64_t>(seed))) {
      const double share = static_cast<double>(list.size()) / 20000;
      mean_square += share * share / (5 * rounds);
      if (seed > 5 || list.size() < 2000) continue;
      const auto counts = label_counts(list, labels);
      for (std::size_t c = 0; c < 10; ++c) {  // 5 standard deviations of a tenth of 2000 samples
        const double part = static_cast<double>(counts[c]) / static_cast<double>(list.size());
        EXPECT_NEAR(part, 0.1, 0.034);
      }
    }
  }
  // Shares s ~ Beta(alpha, 4 alpha): E s^2 = alpha (alpha + 1) / (5 alpha (5 alpha + 1)).
  EXPECT_NEAR(mean_square, alpha * (alpha + 1) / (5 * alpha * (5 * alpha + 1)), 0.003);
}

/// Sample i comes from origin i mod `origins`.
SampleOrigins cyclic_origins(std::size_t count, std::size_t origins) {
  SampleOrigins result;
  for (std::size_t k = 0; k < origins; ++k) result.ids.push_back("u" + std::to_string(k));
  for (std::size_t i = 0; i < count; ++i) {
    result.of.push_back(static_cast<std::int64_t>(i % origins));
  }
  return result;
}

TEST(Partition, NaturalKeepsOriginsTogether) {
  const PartitionOptions natural{.partition = "natural"};
  const Dealt dealt = deal_samples(cyclic_labels(70, 2), 3, natural, 1, cyclic_origins(70, 7));
  expect_dealt_once(dealt, 70);
  EXPECT_EQ(sizes(dealt), (std::vector<std::size_t>{30, 20, 20}));  // origins 0 3 6, 1 4, 2 5
  for (std::size_t agent = 0; agent < 3; ++agent) {
    for (const std::int64_t sample : dealt[agent]) {
      EXPECT_EQ(static_cast<std::size_t>(sample % 7) % 3, agent);
    }
  }
  const auto refusal = [&](std::int64_t agents, const PartitionOptions& options,
                           const SampleOrigins& origins) -> std::string {
    try {
      deal_samples(cyclic_labels(origins.of.size(), 2), agents, options, 1, origins);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal(8, natural, cyclic_origins(70, 7)).find("at most 7 agents"), std::string::npos);
  SampleOrigins empty = cyclic_origins(70, 7);
  empty.ids.push_back("silent");  // an id of which every sample validates
  EXPECT_NE(refusal(8, natural, empty).find("agent 7 (id silent) 0 training"), std::string::npos);
  const PartitionOptions twelve{.partition = "natural", .minimum_samples = 12};
  EXPECT_EQ(refusal(5, twelve, cyclic_origins(60, 5)), "");
  EXPECT_NE(refusal(5, twelve, cyclic_origins(64, 6)).find("needs 12"), std::string::npos);
}

TEST(Partition, OriginsComeFromAFileOrTheData) {
  MemorySource source(6, 3);
  source.ids = {"b", "a", "b", "c", "a", "b"};
  const PartitionOptions file{.partition = "natural", .partition_file = "ids.txt"};
  const SampleOrigins origins = origins_of(file, source, {}, 6);
  EXPECT_EQ(origins.ids, (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(origins.of, (std::vector<std::int64_t>{0, 1, 0, 2, 1, 0}));
  EXPECT_EQ(origins.subset({3, 1}).of, (std::vector<std::int64_t>{2, 1}));
  EXPECT_THROW(origins_of(file, source, {}, 7), Error);
  const PartitionOptions natural{.partition = "natural"};
  EXPECT_EQ(origins_of(natural, source, {"x", "x"}, 2).ids, std::vector<std::string>{"x"});
  EXPECT_THROW(origins_of(natural, source, {}, 6), Error);
  EXPECT_THROW(origins_of({.partition_file = "ids.txt"}, source, {}, 6), Error);  // without effect
}

TEST(Partition, ReportCountsWhatWasDealt) {
  const Labels labels = cyclic_labels(5000, 10);
  const PartitionOptions options{.partition = "dirichlet", .dirichlet_alpha = 0.3};
  const Dealt dealt = deal_samples(labels, 7, options, 4);
  const PartitionReport report = report_on(dealt, labels, options, 4);
  ASSERT_EQ(report.labels.size(), 10U);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(report.size(static_cast<std::int64_t>(i)), std::ssize(dealt[i]));
    for (std::size_t c = 0; c < 10; ++c) {
      EXPECT_EQ(static_cast<std::size_t>(report.counts[i * 10 + c]),
                label_counts(dealt[i], labels)[c]);
    }
  }
  const SampleOrigins origins = cyclic_origins(6, 3);
  const PartitionOptions natural{.partition = "natural"};
  const Labels two{3, 3, 9, 3, 3, 9};
  const PartitionReport small =
      report_on(deal_samples(two, 2, natural, 8, origins), two, natural, 8, origins);
  EXPECT_EQ(small.csv(),
            "# partition natural, seed 8\nagent,samples,label_3,label_9,ids\n0,4,2,2,u0 u2\n"
            "1,2,2,0,u1\n");
  EXPECT_EQ(
      small.summary(),
      "natural, seed 8: 6 samples to 2 agents, each 2 / 4 / 4 (least / median / most), of 1 / "
      "2 / 2 of 2 labels");
}

}  // namespace
}  // namespace echelon

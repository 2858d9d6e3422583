#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "data_files.hpp"
#include "echelon/core/random.hpp"
#include "echelon/io/file_data_source.hpp"

namespace echelon {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;
using Rows = std::vector<std::int64_t>;
using Labels = std::vector<std::uint8_t>;

class Libsvm : public ::testing::Test {
 protected:
  /// Both readers must refuse `content`.
  void refused(const std::string& line, const std::string& token, const std::string& content) {
    for (const std::string& path :
         {folder.write("bad", content), folder.write_gzip("bad.gz", content)}) {
      const std::vector<std::string> parts{path + ":" + line + ": ", token};
      expect_error(ErrorKind::bad_data, parts, [&] { source.libsvm_summary(path); });
      expect_error(ErrorKind::bad_data, parts, [&] { source.libsvm_rows(path, 100, Rows{}); });
    }
  }

  Labels labels_of(const std::string& content) {
    return source.libsvm_summary(folder.write("labels", content)).labels;
  }

  TemporaryFolder folder;
  FileDataSource source;
};

const std::string small =
    "+1 1:0.5 3:-2 10:1e-3\n"
    "-1 2:+4\t7:.25 # a comment 3:x\r\n"
    "\n"
    "  # only a comment\n"
    "-1\n"
    "+1 9:1";  // no line end

TEST_F(Libsvm, Summary) {
  for (const std::string& path : {folder.write("plain", small), folder.write_gzip("gz", small)}) {
    const auto summary = source.libsvm_summary(path);
    EXPECT_EQ(summary.labels, (Labels{1, 0, 0, 1}));
    EXPECT_EQ(summary.features, 10);
  }
}

TEST_F(Libsvm, IdsStandBetweenLabelAndEntries) {
  const std::string path = folder.write("ids", "1 qid:7 1:0.5\n-1 qid:u-2 2:1 # x\n\n1 qid:7\n");
  const auto summary = source.libsvm_summary(path);
  EXPECT_EQ(summary.ids, (std::vector<std::string>{"7", "u-2", "7"}));
  EXPECT_EQ(summary.features, 2);
  const SparseData data = source.libsvm_rows(path, 2, Rows{0, 1, 2});
  EXPECT_EQ(data.columns, (std::vector<std::int32_t>{0, 1}));
  EXPECT_TRUE(source.libsvm_summary(folder.write("none", small)).ids.empty());
  refused("1", "qid:2", "1 qid:1 qid:2 1:1\n");
  refused("1", "qid:1", "1 1:1 qid:1\n");
  refused("2", "no id", "1 qid:1 1:1\n1 qid: 1:1\n");
  for (const char* content : {"1 qid:1 1:1\n1 1:1\n", "1 1:1\n1 qid:1 1:1\n"}) {
    const std::string mixed = folder.write("mixed", content);
    const std::vector<std::string> parts{mixed + ":2: ", "on every line or on none"};
    expect_error(ErrorKind::bad_data, parts, [&] { source.libsvm_summary(mixed); });
  }
}

TEST_F(Libsvm, SampleIdsAreOnePerLine) {
  const std::string content = "anna\n# who\n\n  bert # second\r\nanna";
  for (const std::string& path :
       {folder.write("writers", content), folder.write_gzip("writers.gz", content)}) {
    EXPECT_EQ(source.sample_ids(path), (std::vector<std::string>{"anna", "bert", "anna"}));
  }
  const std::string path = folder.write("two", "anna\nbert carl\n");
  const std::vector<std::string> parts{path + ":2: ", "`carl`", "one id per line"};
  expect_error(ErrorKind::bad_data, parts, [&] { source.sample_ids(path); });
}

TEST_F(Libsvm, RowsInFileOrder) {
  const SparseData data = source.libsvm_rows(folder.write_gzip("gz", small), 12, Rows{0, 1, 2, 3});
  EXPECT_EQ(data.features, 12);
  EXPECT_EQ(data.rows(), 4);
  EXPECT_EQ(data.offsets, (std::vector<std::int64_t>{0, 3, 5, 5, 6}));
  EXPECT_EQ(data.columns, (std::vector<std::int32_t>{0, 2, 9, 1, 6, 8}));
  EXPECT_EQ(data.values, (std::vector<float>{0.5F, -2.0F, 1e-3F, 4.0F, 0.25F, 1.0F}));
}

TEST_F(Libsvm, RowsInTheOrderAskedFor) {
  const std::string path = folder.write("plain", small);
  const SparseData data = source.libsvm_rows(path, 10, Rows{3, 2, 0});
  EXPECT_EQ(data.offsets, (std::vector<std::int64_t>{0, 1, 1, 4}));
  EXPECT_EQ(data.columns, (std::vector<std::int32_t>{8, 0, 2, 9}));
  EXPECT_EQ(data.values, (std::vector<float>{1.0F, 0.5F, -2.0F, 1e-3F}));
  EXPECT_EQ(source.libsvm_rows(path, 10, Rows{}).rows(), 0);
}

TEST_F(Libsvm, LargerLabelIsOne) {
  EXPECT_EQ(labels_of("1\n2\n1\n"), (Labels{0, 1, 0}));
  EXPECT_EQ(labels_of("2\n1\n1\n"), (Labels{1, 0, 0}));
  EXPECT_EQ(labels_of("0\n-1.5\n"), (Labels{1, 0}));
  EXPECT_EQ(labels_of("+1\n1.0\n1e0\n"), (Labels{1, 1, 1}));
  EXPECT_EQ(labels_of("-1\n-1\n"), (Labels{0, 0}));
  EXPECT_EQ(labels_of("0\n-0\n"), (Labels{0, 0}));
}

TEST_F(Libsvm, LinesLongerThanAnyBuffer) {
  std::string content = "1 1:1\n-1";
  constexpr int entries = 60000;
  for (int i = 1; i <= entries; ++i) content += text(" ", i, ":", i % 97);
  content += "\n1 2:3\n";
  const std::string path = folder.write("long", content);
  const auto summary = source.libsvm_summary(path);
  EXPECT_EQ(summary.features, entries);
  EXPECT_EQ(summary.labels, (Labels{1, 0, 1}));
  const SparseData data = source.libsvm_rows(path, entries, Rows{1, 2});
  ASSERT_EQ(data.columns.size(), entries + 1U);
  for (int i = 1; i <= entries; ++i) {
    ASSERT_EQ(data.values[static_cast<std::size_t>(i - 1)], static_cast<float>(i % 97));
  }
  EXPECT_EQ(data.values.back(), 3.0F);
}

TEST_F(Libsvm, MalformedTokens) {
  refused("2", "`x`", "1 1:1\nx 1:1\n");
  refused("2", "`1:2`", "# comment\n1:2 3:4\n");  // no label
  refused("1", "`nan`", "nan 1:1\n");
  refused("1", "`-inf`", "-inf 1:1\n");
  refused("1", "`+-1`", "+-1 1:1\n");
  refused("1", "`++1`", "++1 1:1\n");
  refused("1", "`+`", "+ 1:1\n");
  refused("3", "`5`", "1 1:1\n\n1 2:1 5\n");
  refused("1", "`:5`", "1 :5\n");
  refused("1", "`3:`", "1 3:\n");
  refused("1", "`3:1x`", "1 3:1x\n");
  refused("1", "`3:1:2`", "1 3:1:2\n");
  refused("1", "`gid:3`", "1 gid:3 4:1\n");
  refused("1", "`1.5:2`", "1 1.5:2\n");
  refused("1", "`0x1:2`", "1 0x1:2\n");
  refused("1", "`a?b`", std::string("1 a\0b\n", 6));
  refused("1", "...`", "1 " + std::string(1000, 'a') + "\n");
}

TEST_F(Libsvm, WrongIndices) {
  refused("1", "`0:1` has an index below 1", "1 0:1\n");
  refused("1", "`-3:1` has an index below 1", "1 -3:1\n");
  refused("2", "`4:1` comes after index 5", "1 1:1\n1 5:1 4:1\n");
  refused("1", "`5:2` comes after index 5", "1 5:1 5:2\n");
  refused("1", "`2147483648:1` has an index above", "1 2147483648:1\n");
  refused("1", "`99999999999999999999:1`", "1 99999999999999999999:1\n");
}

TEST_F(Libsvm, WrongValues) {
  refused("1", "`2:nan`", "1 1:1 2:nan\n");
  refused("1", "`2:inf`", "1 1:1 2:inf\n");
  refused("1", "`2:-Infinity`", "1 1:1 2:-Infinity\n");
  refused("1", "`2:1e39`", "1 1:1 2:1e39\n");  // above single precision
  refused("1", "`2:1e999`", "1 1:1 2:1e999\n");
}

TEST_F(Libsvm, MoreThanTwoLabels) {
  const std::string path = folder.write("three", "1 1:1\n\n-1 1:1\n+1 1:1\n2.5 1:1\n");
  expect_error(ErrorKind::bad_data, {path + ":5: `2.5` is a third label"},
               [&] { source.libsvm_summary(path); });
}

TEST_F(Libsvm, FilesThatCannotBeRead) {
  const std::string missing = folder.path("missing");
  expect_error(ErrorKind::missing_input, {missing}, [&] { source.libsvm_summary(missing); });
  expect_error(ErrorKind::missing_input, {missing},
               [&] { source.libsvm_rows(missing, 1, Rows{}); });
  expect_error(ErrorKind::input_output, {"folder"},
               [&] { source.libsvm_summary(folder.path("")); });
  for (const char* content : {"", "\n# nothing\n"}) {
    expect_error(ErrorKind::bad_data, {"no samples"}, [&] { labels_of(content); });
  }
}

TEST_F(Libsvm, DamagedGzip) {
  std::string content;
  for (int i = 0; i < 3000; ++i) content += text(i % 2, " ", i + 1, ":", i % 13, "\n");
  const std::string good = testing::read_bytes(folder.write_gzip("good.gz", content));
  const std::string half = folder.write("half.gz", good.substr(0, good.size() / 2));
  std::string flipped = good;
  flipped[good.size() - 6] = static_cast<char>(flipped[good.size() - 6] ^ 1);
  const std::string checksum = folder.write("checksum.gz", flipped);
  expect_error(ErrorKind::bad_data, {half + ": offset ", "unexpected end of file"},
               [&] { source.libsvm_summary(half); });
  expect_error(ErrorKind::bad_data, {checksum + ": offset ", "incorrect data check"},
               [&] { source.libsvm_rows(checksum, 3000, Rows{0}); });
}

TEST_F(Libsvm, RowsAndFeaturesThatAreNotThere) {
  const std::string path = folder.write("plain", small);
  for (const std::int64_t row : {std::int64_t{-1}, std::int64_t{4}}) {
    expect_error(ErrorKind::bad_data, {path + ":6: row " + std::to_string(row), "has 4 rows"}, [&] {
      source.libsvm_rows(path, 10, Rows{0, row});
    });
  }
  expect_error(ErrorKind::usage, {"row 1 is asked for twice"}, [&] {
    source.libsvm_rows(path, 10, Rows{1, 0, 1});
  });
  expect_error(ErrorKind::bad_data, {path + ":1: index 10 is above the number of features, 9"},
               [&] { source.libsvm_rows(path, 9, Rows{1}); });
}

TEST_F(Libsvm, RandomDamageNeverCrashes) {
  const std::string good_gzip = testing::read_bytes(folder.write_gzip("good.gz", small));
  const std::string alphabet("0123456789:+-.e #\n\r\tnaif\0\xff", 26);
  Draws draws(12, Purpose::problem_data);
  int refused_files = 0;
  for (int round = 0; round < 800; ++round) {
    std::string bytes = round % 2 == 0 ? small : good_gzip;
    const std::uint64_t flips = draws.below(4);
    for (std::uint64_t i = 0; i < flips; ++i) {
      bytes[draws.below(bytes.size())] = round % 2 == 0 ? alphabet[draws.below(alphabet.size())]
                                                        : static_cast<char>(draws.below(256));
    }
    if (draws.below(3) == 0) bytes.resize(draws.below(bytes.size() + 1));
    const std::string path = folder.write("fuzz", bytes);
    try {
      const auto summary = source.libsvm_summary(path);
      Rows rows(summary.labels.size());
      std::iota(rows.rbegin(), rows.rend(), 0);
      const SparseData data = source.libsvm_rows(path, summary.features, rows);
      EXPECT_EQ(data.rows(), static_cast<std::int64_t>(rows.size()));
      for (const std::int32_t column : data.columns) EXPECT_LT(column, summary.features);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_data) << error.what();
      ++refused_files;
    }
  }
  EXPECT_GT(refused_files, 200);
  EXPECT_LT(refused_files, 800);
}

#ifdef ECHELON_SOURCE_DIR

struct Facts {
  std::string name;
  std::size_t rows;
  std::int64_t features;
  std::size_t nonzeros;
  std::int64_t positive;
  std::int64_t sum_of_indices;  ///< computed by another program
};

TEST_F(Libsvm, A9a) {
  for (const Facts& facts : {Facts{"a9a.gz", 32561, 123, 451592, 7841, 22513357},
                             Facts{"a9a.t.gz", 16281, 122, 225731, 3846, 11254800}}) {
    const std::string path = std::string(ECHELON_SOURCE_DIR) + "/examples/data/a9a/" + facts.name;
    const auto summary = source.libsvm_summary(path);
    ASSERT_EQ(summary.labels.size(), facts.rows);
    EXPECT_EQ(summary.features, facts.features);
    EXPECT_EQ(std::count(summary.labels.begin(), summary.labels.end(), 1), facts.positive);
    Rows rows(facts.rows);
    std::iota(rows.begin(), rows.end(), 0);
    const SparseData data = source.libsvm_rows(path, 123, rows);
    EXPECT_EQ(data.columns.size(), facts.nonzeros);
    EXPECT_EQ(data.values, std::vector<float>(facts.nonzeros, 1.0F));
    const std::int64_t columns =
        std::accumulate(data.columns.begin(), data.columns.end(), std::int64_t{0});
    EXPECT_EQ(columns + static_cast<std::int64_t>(facts.nonzeros), facts.sum_of_indices);
  }
}

TEST_F(Libsvm, A9aRows) {
  const std::string path = std::string(ECHELON_SOURCE_DIR) + "/examples/data/a9a/a9a.gz";
  const SparseData data = source.libsvm_rows(path, 123, Rows{32560, 12344});
  const std::vector<std::int32_t> expected{4, 7, 17, 21, 35, 39, 50, 60, 66, 71, 74, 75, 79, 82,
                                           2, 5, 13, 24, 37, 40, 47, 63, 66, 72, 73, 75, 79, 82};
  EXPECT_EQ(data.columns, expected);
}

#endif

}  // namespace
}  // namespace echelon

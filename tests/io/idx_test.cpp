#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <numeric>

#include "data_files.hpp"
#include "echelon/core/random.hpp"
#include "echelon/io/file_data_source.hpp"

namespace {
std::atomic<std::size_t> largest_allocation{0};
}  // namespace

// Watches how much is allocated at once: a header's claim must not be believed before the data is
// there.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  std::size_t seen = largest_allocation.load();
  while (seen < size && !largest_allocation.compare_exchange_weak(seen, size)) {
  }
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* const memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace echelon {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;
using Rows = std::vector<std::int64_t>;

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((value >> shift) & 255);
  return bytes;
}

std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& data) {
  std::string bytes("\0\0\x08", 3);
  bytes += static_cast<char>(sizes.size());
  for (const std::uint32_t size : sizes) bytes += big_endian(size);
  return bytes + data;
}

/// Byte i of the data part of the test files.
std::string pattern(std::size_t count) {
  std::string data(count, '\0');
  for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<char>((i * i + 7 * i + 3) % 251);
  return data;
}

float pixel(std::size_t i) {
  return static_cast<float>((i * i + 7 * i + 3) % 251) / 255.0F;
}

class Idx : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  FileDataSource source;
};

TEST_F(Idx, LabelsPlainAndGzipped) {
  const std::string bytes = idx({5}, std::string("\x03\x00\xff\x07\x01", 5));
  const std::vector<std::uint8_t> expected{3, 0, 255, 7, 1};
  EXPECT_EQ(source.idx_labels(folder.write("plain", bytes)), expected);
  EXPECT_EQ(source.idx_labels(folder.write_gzip("gz", bytes)), expected);
  EXPECT_TRUE(source.idx_labels(folder.write("none", idx({0}, ""))).empty());
}

TEST_F(Idx, ImagesComeInTheOrderAskedFor) {
  const std::string bytes = idx({6, 2, 3}, pattern(36));
  for (const std::string& path : {folder.write("plain", bytes), folder.write_gzip("gz", bytes)}) {
    EXPECT_EQ(source.idx_count(path), 6);
    for (const Rows& rows : {Rows{0, 1, 2, 3, 4, 5}, Rows{5}, Rows{4, 0, 5, 2}, Rows{1, 3}}) {
      const DenseData data = source.idx_images(path, rows);
      EXPECT_EQ(data.features, 6);
      ASSERT_EQ(data.rows(), static_cast<std::int64_t>(rows.size()));
      for (std::size_t r = 0; r < rows.size(); ++r) {
        for (std::size_t j = 0; j < 6; ++j) {
          EXPECT_EQ(data.values[r * 6 + j], pixel(static_cast<std::size_t>(rows[r]) * 6 + j));
        }
      }
    }
    const DenseData nothing = source.idx_images(path, Rows{});
    EXPECT_EQ(nothing.features, 6);
    EXPECT_TRUE(nothing.values.empty());
  }
}

TEST_F(Idx, ImagesLargerThanAnyBuffer) {
  constexpr std::size_t size = 201 * 207;
  const std::string path = folder.write_gzip("large.gz", idx({4, 201, 207}, pattern(4 * size)));
  const DenseData data = source.idx_images(path, Rows{3, 1});
  ASSERT_EQ(data.values.size(), 2 * size);
  for (std::size_t j = 0; j < size; ++j) {
    ASSERT_EQ(data.values[j], pixel(3 * size + j));
    ASSERT_EQ(data.values[size + j], pixel(size + j));
  }
}

TEST_F(Idx, KeepsOnlyTheRowsAskedFor) {
  const std::string path = folder.write_gzip("gz", idx({4000, 28, 28}, pattern(4000 * 784)));
  largest_allocation = 0;
  const DenseData data = source.idx_images(path, Rows{17, 3999});
  EXPECT_LE(data.values.capacity(), 2U * 784U);
  EXPECT_LT(largest_allocation.load(), 1U << 19);
}

TEST_F(Idx, FilesThatCannotBeRead) {
  const std::string missing = folder.path("missing.gz");
  expect_error(ErrorKind::missing_input, {missing + ": "}, [&] { source.idx_labels(missing); });
  expect_error(ErrorKind::missing_input, {missing + ": "}, [&] { source.idx_count(missing); });
  const std::string inside_file = folder.write("file", "x") + "/inside";
  expect_error(ErrorKind::missing_input, {}, [&] { source.idx_images(inside_file, Rows{}); });
  expect_error(ErrorKind::input_output, {"folder"}, [&] { source.idx_labels(folder.path("")); });
  const std::string closed = folder.write("closed", idx({1}, "a"));
  ASSERT_EQ(chmod(closed.c_str(), 0), 0);
  if (getuid() != 0) {
    expect_error(ErrorKind::input_output, {closed, "ermission"},
                 [&] { source.idx_labels(closed); });
  }
}

TEST_F(Idx, WrongHeaders) {
  const auto labels = [&](const std::string& where, const std::string& bytes) {
    const std::string path = folder.write("bad", bytes);
    expect_error(ErrorKind::bad_data, {path + ": " + where}, [&] { source.idx_labels(path); });
  };
  const auto images = [&](const std::string& where, const std::string& bytes) {
    const std::string path = folder.write("bad", bytes);
    expect_error(ErrorKind::bad_data, {path + ": " + where}, [&] { source.idx_count(path); });
    expect_error(ErrorKind::bad_data, {path + ": " + where},
                 [&] { source.idx_images(path, Rows{}); });
  };
  labels("offset 0: the file ends within the header", "");
  labels("offset 3: the file ends within the header", std::string("\0\0\x08", 3));
  labels("offset 6: the file ends within the header", std::string("\0\0\x08\x01\0\0", 6));
  images("offset 12: the file ends within the header", idx({5, 2}, "").replace(3, 1, "\x03"));
  labels("offset 0: this is not an IDX file", "P5 28 28 255");
  labels("offset 0: this is not an IDX file", idx({1}, "a").replace(2, 1, "\x0d"));  // floats
  labels("offset 3: the file has 3 dimension(s)", idx({1, 1, 1}, "a"));
  images("offset 3: the file has 1 dimension(s)", idx({1}, "a"));
  images("offset 8: dimension 2 is 0", idx({1, 0, 4}, ""));
  images("offset 12: dimension 3 is 0", idx({1, 4, 0}, ""));
  images("offset 12: the header claims", idx({1, 1U << 16, 1U << 15}, ""));
  images("offset 8: the header claims", idx({1, 0xffffffffU, 0xffffffffU}, ""));
}

TEST_F(Idx, TruncatedOrTooLong) {
  const std::string labels = folder.write("labels", idx({5}, "abc"));
  expect_error(ErrorKind::bad_data, {labels + ": offset 11: the file ends early"},
               [&] { source.idx_labels(labels); });
  const std::string images = folder.write_gzip("images.gz", idx({3, 2, 2}, pattern(11)));
  expect_error(ErrorKind::bad_data, {images + ": offset 27: the file ends early"},
               [&] { source.idx_images(images, Rows{0}); });
  const std::string longer = folder.write("longer", idx({2}, "abc"));
  expect_error(ErrorKind::bad_data, {longer + ": offset 10: there is more data"},
               [&] { source.idx_labels(longer); });
  const std::string longer_images = folder.write_gzip("longer.gz", idx({3, 2, 2}, pattern(13)));
  expect_error(ErrorKind::bad_data, {longer_images + ": offset 28: there is more data"}, [&] {
    source.idx_images(longer_images, Rows{2, 0});
  });
}

TEST_F(Idx, DamagedGzip) {
  const std::string good =
      testing::read_bytes(folder.write_gzip("good.gz", idx({50, 28, 28}, pattern(50 * 784))));
  const auto refused = [&](const std::string& reason, const std::string& bytes) {
    const std::string path = folder.write("bad.gz", bytes);
    expect_error(ErrorKind::bad_data, {path + ": offset ", "gzip stream is damaged (" + reason},
                 [&] {
                   source.idx_images(path, Rows{0, 1});
                 });
  };
  refused("unexpected end of file", good.substr(0, good.size() / 2));
  refused("unexpected end of file", good.substr(0, good.size() - 3));
  std::string checksum = good;
  checksum[good.size() - 6] = static_cast<char>(checksum[good.size() - 6] ^ 1);
  refused("incorrect data check", checksum);
  std::string length = good;
  length[good.size() - 2] = static_cast<char>(length[good.size() - 2] ^ 1);
  refused("incorrect length check", length);
  std::string method = good;
  method[2] = 7;
  refused("unknown compression method", method);
}

TEST_F(Idx, RowsThatAreNotThere) {
  const std::string path = folder.write("images", idx({3, 1, 1}, "abc"));
  for (const std::int64_t row : {std::int64_t{-1}, std::int64_t{3}, std::int64_t{1} << 40}) {
    expect_error(ErrorKind::bad_data,
                 {path + ": offset 4: image " + std::to_string(row), "has 3 images"}, [&] {
                   source.idx_images(path, Rows{0, row});
                 });
  }
  expect_error(ErrorKind::usage, {"row 2 is asked for twice"}, [&] {
    source.idx_images(path, Rows{2, 0, 2});
  });
}

TEST_F(Idx, ClaimsAreNotBelieved) {
  const std::string images = folder.write("images", idx({1U << 31, 28, 28}, pattern(5000)));
  Rows rows(100000);  // 300 MB if they were there
  std::iota(rows.begin(), rows.end(), 0);
  const std::string labels = folder.write("labels", idx({0xffffffffU}, pattern(5000)));
  const std::string wide = folder.write("wide", idx({1, 1U << 15, 0xffffU}, pattern(5000)));
  largest_allocation = 0;
  expect_error(ErrorKind::bad_data, {images + ": offset 5016: "},
               [&] { source.idx_images(images, rows); });
  expect_error(ErrorKind::bad_data, {labels + ": offset 5008: "},
               [&] { source.idx_labels(labels); });
  expect_error(ErrorKind::bad_data, {wide + ": offset 5016: "},
               [&] { source.idx_images(wide, Rows{0}); });
  EXPECT_LT(largest_allocation.load(), 1U << 20);
}

TEST_F(Idx, RandomDamageNeverCrashes) {
  const std::string good = idx({9, 4, 4}, pattern(144));
  const std::string good_gzip = testing::read_bytes(folder.write_gzip("good.gz", good));
  Draws draws(11, Purpose::problem_data);
  int refused = 0;
  for (int round = 0; round < 800; ++round) {
    std::string bytes = round % 2 == 0 ? good : good_gzip;
    const std::uint64_t flips = draws.below(4);
    for (std::uint64_t i = 0; i < flips; ++i) {
      bytes[draws.below(round % 3 == 0 ? 20 : bytes.size())] = static_cast<char>(draws.below(256));
    }
    if (draws.below(3) == 0) bytes.resize(draws.below(bytes.size() + 1));
    const std::string path = folder.write("fuzz", bytes);
    try {
      const DenseData data = source.idx_images(path, Rows{8, 2});
      EXPECT_EQ(data.rows(), 2);
      EXPECT_EQ(data.values.size(), 2 * static_cast<std::size_t>(data.features));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_data) << error.what();
      ++refused;
    }
    try {
      source.idx_labels(path);
    } catch (const Error&) {
    }
  }
  EXPECT_GT(refused, 200);
  EXPECT_LT(refused, 800);
}

#ifdef ECHELON_SOURCE_DIR

const std::string mnist = std::string(ECHELON_SOURCE_DIR) + "/examples/data/mnist/t10k-";

TEST_F(Idx, MnistLabels) {
  const std::vector<std::uint8_t> labels = source.idx_labels(mnist + "labels-idx1-ubyte.gz");
  ASSERT_EQ(labels.size(), 10000U);
  std::vector<int> count(10);
  for (const std::uint8_t label : labels) ++count.at(label);
  EXPECT_EQ(count, (std::vector<int>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
  const std::vector<std::uint8_t> first(labels.begin(), labels.begin() + 10);
  EXPECT_EQ(first, (std::vector<std::uint8_t>{7, 2, 1, 0, 4, 1, 4, 9, 5, 9}));
}

TEST_F(Idx, MnistImages) {
  const std::string path = mnist + "images-idx3-ubyte.gz";
  EXPECT_EQ(source.idx_count(path), 10000);
  // Sum of pixels and of position times pixel, computed by another program.
  const Rows rows{9999, 0, 4321, 1};
  const std::vector<long> sums{41833, 18454, 33610, 28850};
  const std::vector<long> moments{16546406, 7696882, 13898727, 11647059};
  const DenseData data = source.idx_images(path, rows);
  ASSERT_EQ(data.features, 784);
  ASSERT_EQ(data.rows(), 4);
  for (std::size_t r = 0; r < 4; ++r) {
    long sum = 0;
    long moment = 0;
    for (std::size_t j = 0; j < 784; ++j) {
      const long value = std::lround(255 * double{data.values[r * 784 + j]});
      sum += value;
      moment += static_cast<long>(j) * value;
    }
    EXPECT_EQ(sum, sums[r]);
    EXPECT_EQ(moment, moments[r]);
  }
}

#endif

}  // namespace
}  // namespace echelon

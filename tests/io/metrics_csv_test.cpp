#include "echelon/io/metrics_csv.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "data_files.hpp"
#include "file_size_limit.hpp"

namespace echelon {
namespace {

using testing::expect_error;
using testing::read_bytes;
using testing::TemporaryFolder;

std::array<double, 2> row(double a, double b) {
  return {a, b};
}

TEST(MetricsCsv, LinesAreThereAtOnceAndNaNIsAnEmptyCell) {
  const TemporaryFolder folder;
  const std::string path = folder.path("metrics.csv");
  MetricsCsv csv(path, {"iteration", "f"});
  EXPECT_EQ(read_bytes(path), "iteration,f\n");
  csv.append(row(1, 0.1));
  EXPECT_EQ(read_bytes(path), "iteration,f\n1,0.1\n");
  csv.append(row(2, std::nan("")));
  csv.append(row(std::nan(""), -std::numeric_limits<double>::infinity()));
  EXPECT_EQ(read_bytes(path), "iteration,f\n1,0.1\n2,\n,-inf\n");
}

TEST(MetricsCsv, NumbersReadBackAsTheSameBits) {
  const TemporaryFolder folder;
  const std::string path = folder.path("metrics.csv");
  MetricsCsv csv(path, {"a"});
  std::vector<double> numbers{0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0};
  std::mt19937_64 bits(1);
  while (numbers.size() < 1000) {
    const double value = std::bit_cast<double>(bits());
    if (std::isfinite(value)) numbers.push_back(value);
  }
  for (const double value : numbers) csv.append({&value, 1});
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  for (const double value : numbers) {
    ASSERT_TRUE(std::getline(in, line));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::strtod(line.c_str(), nullptr)),
              std::bit_cast<std::uint64_t>(value));
  }
}

TEST(MetricsCsv, ExistingRowsReplaceTheFileThenFollowNewOnes) {
  const TemporaryFolder folder;
  const std::string path = folder.write("metrics.csv", "iteration,f\n1,1\n2,2\n3,3\n4,4 cut");
  Eigen::MatrixXd rows(2, 2);
  rows << 1, 1, 2, std::nan("");
  MetricsCsv csv(path, {"iteration", "f"}, rows);
  EXPECT_EQ(read_bytes(path), "iteration,f\n1,1\n2,\n");
  MetricsCsv moved(std::move(csv));
  moved.append(row(3, 3));
  EXPECT_EQ(read_bytes(path), "iteration,f\n1,1\n2,\n3,3\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST(MetricsCsv, NamesWithSeparatorsAreQuoted) {
  const TemporaryFolder folder;
  const MetricsCsv csv(folder.path("m.csv"), {"a,b", "say \"c\"", "d"});
  EXPECT_EQ(read_bytes(folder.path("m.csv")), "\"a,b\",\"say \"\"c\"\"\",d\n");
}

TEST(MetricsCsv, AFullDiskIsAnErrorAndLeavesWholeLines) {
  const TemporaryFolder folder;
  const std::string path = folder.path("metrics.csv");
  MetricsCsv csv(path, {"iteration", "f"});
  csv.append(row(1, 1));
  const std::string before = read_bytes(path);
  {
    const testing::FileSizeLimit full(before.size() + 3);
    expect_error(ErrorKind::input_output, {path, "cannot be written"},
                 [&] { csv.append(row(2, 0.123456789)); });
    EXPECT_EQ(read_bytes(path), before);
    expect_error(ErrorKind::input_output, {path},
                 [&] { MetricsCsv(path, {"a name that is longer than allowed"}); });
    EXPECT_EQ(read_bytes(path), before);
  }
  csv.append(row(2, 2));
  EXPECT_EQ(read_bytes(path), before + "2,2\n");
}

TEST(MetricsCsv, ADeviceIsWrittenToAndItsErrorsAreReported) {
  expect_error(ErrorKind::input_output, {"/dev/full", "No space left"},
               [] { MetricsCsv("/dev/full", {"a"}); });
  MetricsCsv nowhere("/dev/null", {"a"});
  nowhere.append(std::array<double, 1>{1});
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(MetricsCsv, MistakesAreRefused) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::cannot_create, {"No such file"},
               [&] { MetricsCsv(folder.path("none/m.csv"), {"a"}); });
  MetricsCsv csv(folder.path("m.csv"), {"a"});
  expect_error(ErrorKind::internal, {"2 cells for 1"}, [&] { csv.append(row(1, 2)); });
  expect_error(ErrorKind::internal, {"3 cells for 1"},
               [&] { MetricsCsv(folder.path("m.csv"), {"a"}, Eigen::MatrixXd::Zero(1, 3)); });
}

}  // namespace
}  // namespace echelon

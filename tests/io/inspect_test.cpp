#include "echelon/io/inspect.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <cmath>

#include "echelon/io/checkpoint.hpp"
#include "echelon/io/metrics_csv.hpp"
#include "echelon/io/result_file.hpp"
#include "ranks.hpp"

namespace echelon {
namespace {

namespace fs = std::filesystem;

/// A small run directory as a run leaves it. One rank.
class Inspect : public ::testing::Test {
 protected:
  Inspect() {
    const AgentSet agents{.total = 3, .local = {0, 1, 2}};
    AgentMatrix x(4, 3);
    for (Index j = 0; j < 3; ++j) x.col(j).setConstant(static_cast<double>(j) - 0.5);
    folder.write("config.ini", "[run]\nseed = 1\n");
    const fs::path checkpoints = folder.path("checkpoints");
    CheckpointStore store(self, agents, checkpoints, 5, {"seed = 1\n", "x86-64"});
    for (const std::uint64_t iteration : {100U, 200U}) {
      store.save(iteration, 1.5, [&](StateVisitor& visitor) { visitor.per_agent("x", x); });
    }
    MetricsCsv csv(folder.path("metrics.csv"), {"iteration", "f", "accuracy"});
    csv.append(std::array<double, 3>{100, 0.5, std::nan("")});
    csv.append(std::array<double, 3>{200, 0.25, std::nan("")});
    ResultContent content;
    content.configuration = "seed = 1\n";
    content.method = "f2sa";
    content.status = "done";
    content.iterates = {{"x", &x, "upper-level iterate"}};
    content.column_names = {"seconds"};
    content.column_units = {"s"};
    content.column_descriptions = {"time since the start"};
    content.metrics.resize(3, 1);
    content.metrics << 1, 2.5, std::nan("");
    write_result(self, agents, folder.path("result.h5"), content);
  }

  void expect_text(const fs::path& path, bool sound, const std::vector<std::string>& parts) {
    const Inspection found = inspect(path);
    EXPECT_EQ(found.sound, sound) << found.text;
    for (const auto& part : parts) {
      EXPECT_NE(found.text.find(part), std::string::npos) << "`" << part << "` not in:\n"
                                                          << found.text;
    }
  }

  const Communicator self{MPI_COMM_SELF, 30};
  const testing::TemporaryFolder folder;
};

TEST_F(Inspect, ARunDirectoryIsDescribed) {
  expect_text(folder.path(""), true,
              {"config.ini: 2 lines", "metrics.csv: 2 rows", "last: iteration 200, f 0.25\n",
               "digest verified", "method: f2sa",
               "/iterates/x: real, 3 x 4, -0.5 .. 1.5 -- upper-level iterate",
               "/metrics/seconds: real, 3, in s, 1 .. 2.5, 1 missing -- time since the start",
               "/configuration: text, 1 of 9 bytes", "checkpoints: 2",
               "000000000200: iteration 200, 1.5 s, 3 agents in 1 shards", "build x86-64: OK"});
}

TEST_F(Inspect, AnEmptyRunDirectoryIsSound) {
  fs::create_directories(folder.path("new"));
  expect_text(folder.path("new"), true,
              {"config.ini: none", "metrics.csv: none", "result.h5: none", "checkpoints: none"});
}

TEST_F(Inspect, AnyFlippedBitOfAResultIsFound) {
  const std::string path = folder.path("result.h5");
  const std::string bytes = testing::read_bytes(path);
  for (std::size_t at = 20; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    testing::write_bytes(path, damaged);
    ASSERT_FALSE(inspect(path).sound) << "byte " << at;
  }
  for (std::size_t length = 0; length < bytes.size(); length += 501) {
    testing::write_bytes(path, bytes.substr(0, length));
    ASSERT_FALSE(inspect(path).sound) << length << " bytes";
  }
  testing::write_bytes(path, bytes.substr(0, 1000));
  expect_text(folder.path(""), false,
              {"result.h5: 1000 B, DAMAGED (the digest differs)", "build x86-64: OK"});
}

TEST_F(Inspect, WithoutOurDigestTheChecksumsOfHdf5AreVerified) {
  const std::string bytes = testing::read_bytes(folder.path("result.h5")).substr(512);
  const std::string path = folder.path("bare.h5");  // only the part that HDF5 knows
  std::size_t found = 0;
  std::size_t tried = 0;
  // In the numbers: HDF5 may be asked to read damaged metadata only after a digest.
  const std::string row(reinterpret_cast<const char*>(std::array<double, 2>{1.5, 1.5}.data()), 16);
  const std::size_t begin = bytes.find(row);
  ASSERT_NE(begin, std::string::npos);
  for (std::size_t at = begin; at < begin + 16; ++at) {
    std::string damaged = testing::read_bytes(folder.path("result.h5"));
    damaged[0] = 'E';  // hides the digest
    damaged[512 + at] = static_cast<char>(damaged[512 + at] ^ 1);
    testing::write_bytes(path, damaged);
    const Inspection inspection = inspect(path);
    ++tried;
    found += !inspection.sound && inspection.text.find("/iterates/x: DAMAGED") != std::string::npos;
  }
  EXPECT_EQ(found, tried);
}

TEST_F(Inspect, DamagedCheckpointsAndMetricsAreReported) {
  testing::write_bytes(folder.path("checkpoints/000000000100/shard-0000-of-0001.h5"), "?");
  fs::create_directories(folder.path("checkpoints/000000000300"));
  expect_text(folder.path(""), false,
              {"DAMAGED (shard-0000-of-0001.h5: has 1 bytes", "build x86-64: OK",
               "000000000300: an interrupted save"});
  expect_text(folder.path("checkpoints/000000000100"), false, {"DAMAGED"});
  expect_text(folder.path("checkpoints/000000000200"), true, {"OK"});
  expect_text(folder.path("checkpoints/000000000200/shard-0000-of-0001.h5"), true,
              {"format: echelon checkpoint shard 1", "/agents: integer, 3, 0 .. 2",
               "/per_agent/x: real, 3 x 4"});
  folder.write("metrics.csv", "a,b\n1,2\n3");
  expect_text(folder.path(""), false, {"metrics.csv: DAMAGED (the last line is cut)"});
  folder.write("metrics.csv", "a,b\n1,2\n3\n");
  expect_text(folder.path(""), false, {"metrics.csv: DAMAGED (line 3"});
  folder.write("metrics.csv", "");
  expect_text(folder.path(""), false, {"metrics.csv: DAMAGED"});
}

TEST_F(Inspect, LinksOutOfTheFileAreNotFollowed) {
  const std::string path = folder.path("links.h5");
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external("result.h5", "/iterates/x", file, "x", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  expect_text(path, false, {"`x` is a link to somewhere else"});
}

TEST_F(Inspect, ADatasetThatClaimsMoreThanTheFileHoldsIsNotRead) {
  const std::string path = folder.path("huge.h5");
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t shape[2] = {hsize_t{1} << 40, hsize_t{1} << 10};
  const hsize_t chunk[2] = {1024, 1024};
  const hid_t space = H5Screate_simple(2, shape, nullptr);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 2, chunk);
  H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Pclose(properties);
  H5Sclose(space);
  H5Fclose(file);
  expect_text(path, false, {"claims more elements than the file can hold"});
}

TEST_F(Inspect, WhatIsNotHdf5IsReportedAndWhatIsNotThereIsAnError) {
  expect_text(folder.path("config.ini"), false, {"config.ini: DAMAGED", "HDF5"});
  testing::expect_error(ErrorKind::missing_input, {"no such file or folder"},
                        [&] { inspect(folder.path("none")); });
}

}  // namespace
}  // namespace echelon

#include "echelon/io/edge_list.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "echelon/core/error.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

class EdgeListTest : public testing::Test {
 protected:
  EdgeListTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("echelon_edge_list_" + std::to_string(getpid()) + "_" + test->name());
    std::filesystem::create_directories(folder_);
  }
  ~EdgeListTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& content) const {
    std::ofstream(path("graph.txt")) << content;
    return path("graph.txt");
  }
  GraphFile read(const std::string& content) const { return read_edge_list(write(content)); }

  /// The file is refused as bad data, and the message starts with file and line and contains
  /// `part`.
  void expect_bad(const std::string& content, int line, const std::string& part) const {
    try {
      read(content);
      ADD_FAILURE() << "accepted: " << content;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.kind(), ErrorKind::bad_data);
      EXPECT_EQ(message.rfind(path("graph.txt") + ":" + std::to_string(line) + ": ", 0), 0u)
          << message;
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }

  std::filesystem::path folder_;
};

template <class Action>
void expect_error(ErrorKind kind, const std::string& part, const Action& action) {
  try {
    action();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

void expect_same_bits(const MixingMatrix& a, const MixingMatrix& b) {
  ASSERT_EQ(a.agents(), b.agents());
  for (AgentId i = 0; i < a.agents(); ++i) {
    ASSERT_EQ(a.row(i).size(), b.row(i).size());
    for (std::size_t k = 0; k < a.row(i).size(); ++k) {
      EXPECT_EQ(a.row(i)[k].sender, b.row(i)[k].sender);
      EXPECT_EQ(a.row(i)[k].weight, b.row(i)[k].weight);
    }
  }
}

TEST_F(EdgeListTest, ReadsUndirectedEdges) {
  const auto list = read("# a path\n\n0 1  # first\r\n  2 1\n");
  EXPECT_FALSE(list.weights);
  EXPECT_EQ(list.graph.agents(), 3);
  EXPECT_EQ(list.graph.edges(), 4u);
  EXPECT_TRUE(list.graph.is_undirected());
}

TEST_F(EdgeListTest, ReadsDirectedEdgesByReceiver) {
  const auto list = read("directed\nagents 4\n0 2\n1 0\n0 1\n");
  EXPECT_EQ(list.graph.agents(), 4);
  EXPECT_EQ(list.graph.edges(), 3u);
  EXPECT_EQ(list.graph.senders(0)[1], 2);
  EXPECT_TRUE(list.graph.senders(2).empty());
}

TEST_F(EdgeListTest, WeightsAreTakenAsTheyAre) {
  const auto list = read("0 1 0.25\n1 1 0.5\n1 2 0.25\n");
  ASSERT_TRUE(list.weights);
  expect_same_bits(*list.weights, MixingMatrix({{{0, 0.75}, {1, 0.25}},
                                                {{0, 0.25}, {1, 0.5}, {2, 0.25}},
                                                {{1, 0.25}, {2, 0.75}}}));
  const auto directed = read("directed\n0 1 0.25\n1 0 1\n");
  expect_same_bits(*directed.weights, MixingMatrix({{{0, 0.75}, {1, 0.25}}, {{0, 1.0}}}));
}

TEST_F(EdgeListTest, RoundTripsToTheSameBits) {
  TopologyOptions options;
  int count = 0;
  for (const std::string topology : {"erdos-renyi", "exponential", "star", "complete"}) {
    for (const bool lazy : {false, true}) {
      options.topology = topology;
      options.weights = topology == "exponential" || lazy ? "uniform" : "metropolis";
      options.lazy = lazy;
      options.agents = 13;
      const auto matrix = *make_schedule(options)->at(0);
      const auto file = path(std::to_string(count++));
      write_edge_list(file, matrix);
      expect_same_bits(*read_edge_list(file).weights, matrix);
    }
  }
  const auto columns = column_weights(read("directed\n0 1\n1 2\n2 0\n0 2\n").graph);
  ASSERT_FALSE(columns.sums_to_one(Sums::rows));
  write_edge_list(path("columns"), columns);
  expect_same_bits(*read_edge_list(path("columns")).weights, columns);
  const MixingMatrix no_self({{{1, 0.1}, {2, 0.9}}, {{0, 1.0}}, {{2, 1.0}}});
  write_edge_list(path("no_self"), no_self);
  expect_same_bits(*read_edge_list(path("no_self")).weights, no_self);
}

TEST_F(EdgeListTest, RefusesMalformedLines) {
  expect_bad("0 1\n1\n", 2, "not an edge");
  expect_bad("0 1 0.5 7\n", 1, "not an edge");
  expect_bad("0 x\n", 1, "not an edge");
  expect_bad("0 1.5\n", 1, "not an edge");
  expect_bad("0 1 0.5x\n", 1, "not an edge");
  expect_bad("# c\nagents 2\n0 2\n", 3, "ids are 0 to 1");
  expect_bad("0 -1\n", 1, "out of range");
  expect_bad("0 99999999999\n", 1, "out of range");
  expect_bad("0 1\n\n1 0\n", 3, "line 1 already");
  expect_bad("directed\n0 1\n1 0\n0 1\n", 4, "line 2 already");
  expect_bad("0 1 0.5\n1 2\n", 2, "has no weight");
  expect_bad("0 1\n1 2 0.5\n", 2, "has a weight");
  expect_bad("0 1\n1 1\n", 2, "from an agent to itself");
  expect_bad("0 1 -0.1\n", 1, "-0.1");
  expect_bad("0 1 nan\n", 1, "finite");
  expect_bad("0 1 inf\n", 1, "finite");
  expect_bad("0 1 0.6\n0 2 0.6\n", 2, "agent 0 sum to 1.2");
  expect_bad("0 1 0.5\n1 1 0.4\n", 2, "sum to 0.9");
  expect_bad("directed\n0 1 0.5\n1 0 0.5\n0 2 0.9\n2 2 0.1\n", 4, "agent 0 sum to 1.4");
  expect_bad("0 1 0.25\n0 0 0.7500001\n", 2, "1 + 1e-07");
  expect_bad(
      "\x7f"
      "ELF\x02\x01\n",
      1, "not an edge");
  expect_bad("0 1\ndirected\n", 2, "out of place");
  expect_bad("0 1\nagents 2\n", 2, "out of place");
  expect_bad("agents 0\n", 1, "number of agents");
  expect_bad("agents many\n", 1, "number of agents");
  expect_error(ErrorKind::bad_data, "no edges", [&] { read("# nothing\n"); });
  EXPECT_EQ(read("agents 1\n").graph.agents(), 1);
}

TEST_F(EdgeListTest, RefusesWhatIsNotAFile) {
  expect_error(ErrorKind::missing_input, "none.txt", [&] { read_edge_list(path("none.txt")); });
  expect_error(ErrorKind::bad_data, "folder", [&] { read_edge_list(folder_.string()); });
}

TEST_F(EdgeListTest, RefusesToOverwriteAndReportsFailedWrites) {
  const MixingMatrix alone({{{0, 1.0}}});
  const auto file = write("mine");
  expect_error(ErrorKind::cannot_create, "exists", [&] { write_edge_list(file, alone); });
  expect_error(ErrorKind::cannot_create, "folder",
               [&] { write_edge_list(path("none/graph.txt"), alone); });
  if (std::filesystem::exists("/dev/full")) {
    expect_error(ErrorKind::input_output, "full", [&] { write_edge_list("/dev/full", alone); });
  }
  const MixingMatrix negative({{{0, 1.5}, {1, -0.5}}, {{1, 1.0}}});
  expect_error(ErrorKind::bad_data, "-0.5", [&] { write_edge_list(path("negative"), negative); });
}

}  // namespace
}  // namespace echelon

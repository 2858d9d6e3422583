#include "echelon/io/result_file.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <thread>

#include "ranks.hpp"

namespace echelon {
namespace {

using testing::Deal;
using testing::SharedFolder;
namespace fs = std::filesystem;

double number(AgentId agent, Index component) {
  return agent + static_cast<double>(component) / 1024;
}

/// A result of `agents`, with iterates of two heights.
struct Result {
  Result(const AgentSet& agents, Index height) : x(height, agents.count()), y(2, agents.count()) {
    for (Index j = 0; j < x.cols(); ++j) {
      const AgentId agent = agents.local[static_cast<std::size_t>(j)];
      for (Index i = 0; i < x.rows(); ++i) x(i, j) = number(agent, i);
      for (Index i = 0; i < y.rows(); ++i) y(i, j) = -number(agent, i);
    }
    content.configuration = "[run]\nseed = 1\nname = \xC3\xBC\n";
    content.problem = "quadratic";
    content.method = "f2sa";
    content.status = "done";
    content.iterations = 300;
    content.iterates = {{"x", &x, "upper-level iterate"}, {"y", &y, "lower-level iterate"}};
    content.means = {{"x", VectorXd::LinSpaced(4, 0, 3), "network mean of x"}};
    content.column_names = {"iteration", "f", "error/x"};
    content.column_units = {"1", "1", "bytes"};
    content.column_descriptions = {"k", "upper-level value", "distance"};
    content.metrics.resize(2, 3);
    content.metrics << 0, 1.5, std::nan(""), 10, 0.5, 0.1;
    content.edges = {{0, 1, 0.25}, {1, 0, 0.75}};
    content.baselines = {{"centralized", "all data in one place", {0.5, std::nan("")}}};
    content.baseline_columns = {"accuracy", "f1"};
  }
  AgentMatrix x, y;
  ResultContent content;
};

void write(const Communicator& ranks, const fs::path& path, AgentId total, Index height, Deal how) {
  const AgentSet agents = testing::deal(total, ranks, how);
  const Result result(agents, height);
  write_result(ranks, agents, path, result.content);
}

/// Runs a Python program with h5py on `path`; returns what it prints.
std::string python(const fs::path& path, const std::string& program) {
  const fs::path script = path.string() + ".py";
  testing::write_bytes(
      script, "import sys, h5py\nimport numpy as np\nf = h5py.File(sys.argv[1], 'r')\n" + program);
  FILE* pipe = popen(
      ("/usr/bin/python3 '" + script.string() + "' '" + path.string() + "' 2>&1").c_str(), "r");
  std::string output;
  char block[4096];
  while (const std::size_t count = std::fread(block, 1, sizeof(block), pipe))
    output.append(block, count);
  EXPECT_EQ(pclose(pipe), 0) << output;
  return output;
}

TEST(ResultFile, TheSameBytesOnAnyNumberOfRanksAndAtAnyTime) {
  const Communicator world(MPI_COMM_WORLD, 60);
  const SharedFolder folder(world);
  int number_of_file = 0;
  const fs::path first = folder / "first.h5";
  for (int size = 1; size <= world.size(); ++size) {
    for (const Deal how : {Deal::blocks, Deal::round_robin, Deal::last_rank_only}) {
      const auto ranks = testing::first_ranks(world, size);
      if (!ranks) continue;
      const fs::path path = number_of_file++ == 0 ? first : folder / "other.h5";
      write(*ranks, path, 7, 100, how);
      if (world.rank() != 0) continue;
      if (path == first) std::this_thread::sleep_for(std::chrono::milliseconds(1100));
      EXPECT_EQ(testing::read_bytes(path), testing::read_bytes(first)) << size << " ranks";
    }
  }
}

TEST(ResultFile, PlainH5pyReadsEverything) {
  const Communicator world(MPI_COMM_WORLD, 60);
  const SharedFolder folder(world);
  const fs::path path = folder / "result.h5";
  write(world, path, 7, 100, Deal::round_robin);
  if (world.rank() != 0) return;
  EXPECT_EQ(python(path, R"(
x = f['iterates/x'][...]
assert x.shape == (7, 100) and x.dtype == np.float64
assert (x == np.arange(7)[:, None] + np.arange(100)[None, :] / 1024).all()
assert (f['iterates/y'][...] == -x[:, :2]).all()
assert (f['mean/x'][...] == np.arange(4)).all()
assert (f['metrics/iteration'][...] == [0, 10]).all()
e = f['metrics/error/x'][...]
assert np.isnan(e[0]) and e[1] == 0.1
assert f['metrics/error/x'].attrs['units'].decode() == 'bytes'
assert f['configuration'][0].decode() == '[run]\nseed = 1\nname = \u00fc\n'
assert list(zip(f['topology/receiver'], f['topology/sender'], f['topology/weight'])) == [(0, 1, .25), (1, 0, .75)]
assert f['baselines/centralized/accuracy'][()] == 0.5 and np.isnan(f['baselines/centralized/f1'][()])
assert f.attrs['method'].decode() == 'f2sa' and f.attrs['iterations'] == 300
assert set(f.attrs) == {'format', 'problem', 'method', 'status', 'iterations'}
def check(name, item):
    if isinstance(item, h5py.Dataset):
        assert item.attrs['units'] and item.attrs['description'], name
        assert item.fletcher32 or item.shape == (), name
f.visititems(check)
print('read')
)"),
            "read\n");
}

TEST(ResultFile, SeveralBatchesAndCutColumnsArriveInTheirPlaces) {
  const Communicator world(MPI_COMM_WORLD, 60);
  const SharedFolder folder(world);
  // 44 agents x 1 MiB: two batches of whole agents, whose columns take two chunks; then one agent
  // in two batches.
  for (const auto& [total, height] :
       {std::pair<AgentId, Index>{44, 131073}, {2, 4194305 + 131072}}) {
    const fs::path path = folder / text("result_", total, ".h5");
    write(world, path, total, height, Deal::round_robin);
    if (world.rank() != 0) continue;
    EXPECT_EQ(python(path, R"(
d = f['iterates/x']
assert 2**19 <= d.chunks[0] * d.chunks[1] * 8 <= 2**20, d.chunks
for i in range(d.shape[0]):
    assert (d[i] == i + np.arange(d.shape[1]) / 1024).all()
print(d.shape)
)"),
              text("(", total, ", ", height, ")\n"));
  }
}

TEST(ResultFile, EmptyPartsAreWritten) {
  const Communicator world(MPI_COMM_WORLD, 60);
  const SharedFolder folder(world);
  const fs::path path = folder / "result.h5";
  const AgentSet agents = testing::deal(3, world, Deal::blocks);
  const AgentMatrix nothing(0, agents.count());
  ResultContent content;
  content.column_names = content.column_units = content.column_descriptions = {"f"};
  content.iterates = {{"x", &nothing, "none"}};
  write_result(world, agents, path, content);
  if (world.rank() != 0) return;
  EXPECT_EQ(
      python(path,
             "print(f['iterates/x'].shape, f['metrics/f'].shape, f['topology/sender'].shape)\n"),
      "(3, 0) (0,) (0,)\n");
}

TEST(ResultFile, AFullDiskLeavesTheOldFileOnAllRanks) {
  const Communicator world(MPI_COMM_WORLD, 60);
  const SharedFolder folder(world);
  const fs::path path = folder / "result.h5";
  write(world, path, 3, 10, Deal::blocks);
  const std::string before = testing::read_bytes(path);
  for (const std::uint64_t limit : {0U, 300U, 600U, 5000U, 300000U, 2000000U}) {
    const testing::FileSizeLimit full(limit);
    testing::expect_error(ErrorKind::input_output, {"result.h5"},
                          [&] { write(world, path, 3, 300000, Deal::blocks); });
  }
  world.barrier("the failures");
  EXPECT_EQ(testing::read_bytes(path), before);
  EXPECT_FALSE(fs::exists(path.string() + ".tmp"));
  testing::expect_error(ErrorKind::cannot_create, {"No such file"},
                        [&] { write(world, folder / "none" / "result.h5", 3, 10, Deal::blocks); });
  world.barrier("the look");
  write(world, path, 4, 10, Deal::blocks);
  world.barrier("the new file");
  EXPECT_NE(testing::read_bytes(path), before);
}

TEST(ResultFile, TheErrorPrinterOfTheHostStays) {
  const Communicator self(MPI_COMM_SELF, 60);
  const testing::TemporaryFolder folder;
  static int calls = 0;
  const H5E_auto2_t printer = [](hid_t, void*) -> herr_t { return ++calls, 0; };
  H5E_auto2_t before = nullptr;
  void* before_data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
  H5Eset_auto2(H5E_DEFAULT, printer, nullptr);
  write(self, folder.path("result.h5"), 3, 10, Deal::blocks);
  EXPECT_EQ(calls, 0);
  EXPECT_LT(H5Fopen(folder.path("none").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), 0);
  EXPECT_EQ(calls, 1);
  H5Eset_auto2(H5E_DEFAULT, before, before_data);
}

TEST(ResultFile, NothingStaysOpen) {
  const Communicator self(MPI_COMM_SELF, 60);
  const testing::TemporaryFolder folder;
  write(self, folder.path("result.h5"), 3, 10, Deal::blocks);
  {
    const testing::FileSizeLimit full(600);
    testing::expect_error(ErrorKind::input_output, {},
                          [&] { write(self, folder.path("r.h5"), 3, 10, Deal::blocks); });
  }
  EXPECT_EQ(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

}  // namespace
}  // namespace echelon

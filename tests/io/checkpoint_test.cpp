#include "echelon/io/checkpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ranks.hpp"

namespace echelon {
namespace {

using testing::Deal;
using testing::SharedFolder;
namespace fs = std::filesystem;

/// What a method would carry; every number is a function of (version, agent, component).
struct State {
  explicit State(const AgentSet& agents, Index height = 20)
      : agents_(agents), x(height, agents.count()), tracker(3, agents.count()) {}

  static double number(int version, AgentId agent, Index component) {
    if (component == 1) return -0.0;
    if (component == 2)
      return agent % 2 == 0 ? std::numeric_limits<double>::denorm_min() : std::nan("7");
    return std::sin(version + 0.1 * agent + 0.01 * static_cast<double>(component));
  }
  void fill(int version) {
    for (Index j = 0; j < x.cols(); ++j) {
      const AgentId agent = agents_.local[static_cast<std::size_t>(j)];
      for (Index i = 0; i < x.rows(); ++i) x(i, j) = number(version, agent, i);
      for (Index i = 0; i < tracker.rows(); ++i) tracker(i, j) = number(version + 50, agent, i);
    }
    step = 1.0 / (3 + version);
    started = (std::int64_t{1} << 60) + version;
    table.resize(version % 4, 2);
    for (Index i = 0; i < table.rows(); ++i)
      table.row(i) << version + static_cast<double>(i), 1e-300;
  }
  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("value", x);
    visitor.per_agent("strategy/tracker", tracker);
    visitor.replicated("strategy/started", started);
    if (with_step) visitor.replicated("step", step);
    visitor.replicated("table", table);
    if (with_extra) visitor.replicated("extra", step);
  }
  CheckpointStore::Visit visit() {
    return [this](StateVisitor& visitor) { visitor.within("x", *this); };
  }

  AgentSet agents_;
  AgentMatrix x, tracker;
  double step = 0;
  std::int64_t started = 0;
  Eigen::MatrixXd table;
  bool with_step = true;
  bool with_extra = false;
};

bool same_bits(const double* a, const double* b, Index count) {
  return count == 0 || std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(double)) == 0;
}

void expect_same(const State& a, const State& b) {
  ASSERT_EQ(a.x.cols(), b.x.cols());
  for (Index j = 0; j < a.x.cols(); ++j) {
    EXPECT_TRUE(same_bits(a.x.col(j).data(), b.x.col(j).data(), a.x.rows())) << "column " << j;
    EXPECT_TRUE(same_bits(a.tracker.col(j).data(), b.tracker.col(j).data(), a.tracker.rows()))
        << "column " << j;
  }
  EXPECT_TRUE(same_bits(&a.step, &b.step, 1));
  EXPECT_EQ(a.started, b.started);
  ASSERT_EQ(a.table.rows(), b.table.rows());
  EXPECT_TRUE(same_bits(a.table.data(), b.table.data(), a.table.size()));
}

const CheckpointIdentity identity{"[run]\nseed = 1\nstep = 0.5\n", "x86-64, HDF5 1.10"};

void save(const Communicator& ranks, const fs::path& folder, const AgentSet& agents, int version,
          int keep = 5) {
  State state(agents);
  state.fill(version);
  CheckpointStore(ranks, agents, folder, keep, identity)
      .save(static_cast<std::uint64_t>(version), 0.25 * version, state.visit());
}

/// Loads and expects the state of `version`; returns the remarks.
std::vector<std::string> expect_load(const Communicator& ranks, const fs::path& folder,
                                     const AgentSet& agents, int version) {
  State loaded(agents);
  State expected(agents);
  expected.fill(version);
  const auto found =
      CheckpointStore(ranks, agents, folder, 5, identity).load_newest(loaded.visit());
  EXPECT_TRUE(found.has_value());
  if (!found) return {};
  EXPECT_EQ(found->iteration, static_cast<std::uint64_t>(version));
  EXPECT_EQ(found->seconds, 0.25 * version);
  expect_same(loaded, expected);
  return found->remarks;
}

fs::path shard(const fs::path& folder, int iteration,
               const std::string& name = "shard-0000-of-0001.h5") {
  const std::string number = std::to_string(iteration);
  return folder / (std::string(12 - number.size(), '0') + number) / name;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Checkpoint, AnyRankCountReadsWhatAnyOtherWroteWithTheSameBits) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  int version = 0;
  for (const AgentId total : {1, 2, 7}) {
    for (int writers = 1; writers <= world.size(); ++writers) {
      for (const Deal how : {Deal::blocks, Deal::round_robin, Deal::last_rank_only}) {
        const fs::path here = folder / std::to_string(++version);
        if (const auto ranks = testing::first_ranks(world, writers)) {
          save(*ranks, here, testing::deal(total, *ranks, how), version);
        }
        world.barrier("the save");
        for (int readers = 1; readers <= world.size(); ++readers) {
          for (const Deal other : {Deal::blocks, Deal::round_robin, Deal::last_rank_only}) {
            const auto ranks = testing::first_ranks(world, readers);
            if (!ranks) continue;
            const auto remarks =
                expect_load(*ranks, here, testing::deal(total, *ranks, other), version);
            EXPECT_TRUE(remarks.empty()) << remarks[0];
          }
        }
      }
    }
  }
}

TEST(Checkpoint, NamesOfFilesAreAsDocumented) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  save(world, folder / "c", testing::deal(1, world, Deal::last_rank_only), 300);
  world.barrier("the save");
  std::vector<std::string> expected{"manifest.txt", text("shard-0000-of-000", world.size(), ".h5")};
  if (world.size() > 1)
    expected.push_back(text("shard-000", world.size() - 1, "-of-000", world.size(), ".h5"));
  EXPECT_EQ(names_in(folder / "c" / "000000000300"), expected);
  world.barrier("the look");
}

TEST(Checkpoint, NothingThereIsNotAnError) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(4, world, Deal::blocks);
  State state(agents);
  CheckpointStore store(world, agents, folder / "none", 2, identity);
  EXPECT_FALSE(store.load_newest(state.visit()).has_value());
  EXPECT_FALSE(fs::exists(folder / "none"));
}

TEST(Checkpoint, KeepsTheNewestAndClearsRemains) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(5, world, Deal::blocks);
  const fs::path here = folder / "c";
  if (world.rank() == 0) {  // what a kill in the middle of a save leaves
    fs::create_directories(here / "000000000002");
    testing::write_bytes(here / "000000000002" / "shard-0000-of-0001.h5.tmp", "half");
    testing::write_bytes(here / "000000000002" / "manifest.txt.tmp", "half");
    fs::create_directories(here / "notes");
  }
  world.barrier("the preparation");
  for (const int version : {1, 3, 5, 7}) save(world, here, agents, version, 2);
  world.barrier("the saves");
  EXPECT_EQ(names_in(here), (std::vector<std::string>{"000000000005", "000000000007", "notes"}));
  EXPECT_TRUE(expect_load(world, here, agents, 7).empty());
}

TEST(Checkpoint, AnInterruptedSaveIsIgnoredAndThenReplaced) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(5, world, Deal::blocks);
  const fs::path here = folder / "c";
  save(world, here, agents, 10);
  save(world, here, agents, 20);
  world.barrier("the saves");
  if (world.rank() == 0) {  // killed before the commit
    fs::remove(shard(here, 20, "manifest.txt"));
    testing::write_bytes(shard(here, 20, "manifest.txt.tmp"), "echelon checkpoint 1\n");
    testing::write_bytes(shard(here, 20, "shard-0007-of-0009.h5.tmp"), "half");
  }
  world.barrier("the kill");
  EXPECT_TRUE(expect_load(world, here, agents, 10).empty());
  save(world, here, agents, 20);
  EXPECT_TRUE(expect_load(world, here, agents, 20).empty());
  EXPECT_FALSE(fs::exists(shard(here, 20, "shard-0007-of-0009.h5.tmp")));
  world.barrier("the look");
}

TEST(Checkpoint, TheSameIterationIsReplaced) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(5, world, Deal::blocks);
  State state(agents);
  CheckpointStore store(world, agents, folder / "c", 2, identity);
  for (const int version : {1, 2, 3}) {
    state.fill(version);
    store.save(8, version, state.visit());
    State loaded(agents);
    const auto found = store.load_newest(loaded.visit());
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->seconds, version);
    expect_same(loaded, state);
  }
  world.barrier("the saves");
  std::size_t files = 0;
  for (const auto& name : names_in(folder / "c" / "000000000008")) files += name.ends_with(".h5");
  EXPECT_EQ(files, static_cast<std::size_t>(std::min(world.size(), 5)));
  world.barrier("the look");
}

TEST(Checkpoint, AFailedReplacementLeavesTheOldOneValid) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(5, world, Deal::blocks);
  const fs::path here = folder / "c";
  save(world, here, agents, 8);
  if (world.rank() == 0) {  // the commit fails after all shards are in place
    fs::create_directories(shard(here, 8, "manifest.txt.tmp") / "in the way");
  }
  world.barrier("the obstacle");
  State other(agents);
  other.fill(9);
  testing::expect_error(ErrorKind::cannot_create, {"manifest.txt"}, [&] {
    CheckpointStore(world, agents, here, 2, identity).save(8, 1, other.visit());
  });
  EXPECT_TRUE(expect_load(world, here, agents, 8).empty());
}

TEST(Checkpoint, AFailureOnOneRankIsAFailureOnAllAndCostsNothing) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(6, world, Deal::blocks);
  const fs::path here = folder / "c";
  save(world, here, agents, 1);
  const std::string last = text("shard-000", world.size() - 1, "-of-000", world.size(), ".h5.tmp");
  if (world.rank() == 0) {
    fs::create_directories(shard(here, 2, last));
    testing::write_bytes(shard(here, 2, last) / "in the way", "");
  }
  world.barrier("the obstacle");
  testing::expect_error(ErrorKind::cannot_create, {last}, [&] { save(world, here, agents, 2); });
  EXPECT_TRUE(expect_load(world, here, agents, 1).empty());
  world.barrier("the load");
  if (world.rank() == 0) {
    EXPECT_EQ(names_in(here / "000000000002"), std::vector<std::string>{last});
    fs::remove_all(here / "000000000002");
  }
  world.barrier("the removal");
  save(world, here, agents, 2);
  EXPECT_TRUE(expect_load(world, here, agents, 2).empty());
}

TEST(Checkpoint, AFileInPlaceOfTheFolderIsReportedOnAllRanks) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(6, world, Deal::blocks);
  if (world.rank() == 0) testing::write_bytes(folder / "c", "a file");
  world.barrier("the obstacle");
  testing::expect_error(ErrorKind::cannot_create, {"folder"},
                        [&] { save(world, folder / "c", agents, 2); });
  testing::expect_error(ErrorKind::cannot_create, {"/proc"},
                        [&] { save(world, "/proc/echelon", agents, 2); });
  State state(agents);
  testing::expect_error(ErrorKind::input_output, {"cannot be listed"}, [&] {
    CheckpointStore(world, agents, folder / "c", 2, identity).load_newest(state.visit());
  });
}

TEST(Checkpoint, AFullDiskCostsNothingAndTheNextSaveWorks) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(6, world, Deal::blocks);
  const fs::path here = folder / "c";
  const auto save_tall = [&](int version) {
    State state(agents, 100000);  // several chunks
    state.fill(version);
    CheckpointStore(world, agents, here, 2, identity)
        .save(static_cast<std::uint64_t>(version), 0, state.visit());
  };
  save_tall(1);
  for (const std::uint64_t limit : {0U, 100U, 600U, 2000U, 100000U, 1000000U}) {
    const testing::FileSizeLimit full(world.rank() == world.size() - 1 ? limit : RLIM_INFINITY);
    testing::expect_error(ErrorKind::input_output, {"shard-"}, [&] { save_tall(2); });
  }
  world.barrier("the failures");
  EXPECT_EQ(names_in(here), std::vector<std::string>{"000000000001"});
  world.barrier("the look");
  save_tall(2);
  State loaded(agents, 100000);
  State expected(agents, 100000);
  expected.fill(2);
  ASSERT_TRUE(
      CheckpointStore(world, agents, here, 2, identity).load_newest(loaded.visit()).has_value());
  expect_same(loaded, expected);
}

TEST(Checkpoint, AnotherConfigurationIsRefusedAndAnotherBuildIsReported) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(4, world, Deal::blocks);
  save(world, folder / "c", agents, 1);
  State state(agents);
  const auto load = [&](const std::string& configuration, const std::string& build) {
    return CheckpointStore(world, agents, folder / "c", 2, {configuration, build})
        .load_newest(state.visit());
  };
  testing::expect_error(ErrorKind::usage, {"run.seed is `1` there", "`2` now"},
                        [&] { load("[run]\nseed = 2\nstep = 0.5\n", identity.build); });
  testing::expect_error(ErrorKind::usage, {"run.more is not an option there", "`1` now"},
                        [&] { load(identity.configuration + "more = 1\n", identity.build); });
  const auto found = load(identity.configuration, "arm64");
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->remarks.size(), 1U);
  EXPECT_NE(found->remarks[0].find("another build (x86-64, HDF5 1.10; now arm64)"),
            std::string::npos);
}

TEST(Checkpoint, OtherNamesOrShapesAreRefusedAndChangeNothing) {
  const Communicator world(MPI_COMM_WORLD, 30);
  const SharedFolder folder(world);
  const AgentSet agents = testing::deal(4, world, Deal::blocks);
  save(world, folder / "c", agents, 1);
  const auto load = [&](State& state) {
    CheckpointStore(world, agents, folder / "c", 2, identity).load_newest(state.visit());
  };
  State untouched(agents);
  State missing(agents);
  missing.with_extra = true;
  testing::expect_error(ErrorKind::bad_data, {"shard-0000", "replicated/x/extra", "missing"},
                        [&] { load(missing); });
  expect_same(missing, untouched);
  State extra(agents);
  extra.with_step = false;
  testing::expect_error(ErrorKind::bad_data, {"replicated/x/step", "not known"},
                        [&] { load(extra); });
  expect_same(extra, untouched);
  State taller(agents, 21);
  testing::expect_error(ErrorKind::bad_data, {"per_agent/x/value", "x 20 instead of"},
                        [&] { load(taller); });
}

/// One rank, two checkpoints (1 and 2), the second of which is damaged in some way.
class Damage : public ::testing::Test {
 protected:
  Damage() {
    save(self, here, agents, 1);
    save(self, here, agents, 2);
  }
  void expect_fallback(const std::string& reason) {
    const auto remarks = expect_load(self, here, agents, 1);
    ASSERT_EQ(remarks.size(), 1U) << reason;
    EXPECT_NE(remarks[0].find("checkpoint 2 does not verify"), std::string::npos) << remarks[0];
    EXPECT_NE(remarks[0].find(reason), std::string::npos) << remarks[0];
    EXPECT_NE(remarks[0].find("falling back to 1"), std::string::npos) << remarks[0];
  }

  const Communicator self{MPI_COMM_SELF, 30};
  const testing::TemporaryFolder folder;
  const fs::path here = folder.path("c");
  const AgentSet agents = testing::deal(4, self, Deal::blocks);
};

TEST_F(Damage, AnyFlippedBitIsFound) {
  for (const auto& [name, step] :
       {std::pair{"manifest.txt", 1}, std::pair{"shard-0000-of-0001.h5", 53}}) {
    const fs::path path = shard(here, 2, name);
    const std::string bytes = testing::read_bytes(path);
    for (std::size_t at = 0; at < bytes.size(); at += static_cast<std::size_t>(step)) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      testing::write_bytes(path, damaged);
      expect_fallback("digest differs");
      if (HasFatalFailure()) return;
    }
    testing::write_bytes(path, bytes);
  }
  EXPECT_TRUE(expect_load(self, here, agents, 2).empty());
}

TEST_F(Damage, TruncatedOrMissingFilesAreFound) {
  const fs::path path = shard(here, 2);
  const std::string bytes = testing::read_bytes(path);
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{1}, std::size_t{512}, bytes.size() - 1}) {
    testing::write_bytes(path, bytes.substr(0, length));
    expect_fallback(text("has ", length, " bytes instead of ", bytes.size()));
  }
  testing::write_bytes(path, bytes + "x");
  expect_fallback("instead of");
  fs::remove(path);
  expect_fallback("No such file");
  fs::create_directories(path);
  expect_fallback("shard-0000-of-0001.h5");
  const std::string manifest = testing::read_bytes(shard(here, 2, "manifest.txt"));
  for (const std::size_t length : {std::size_t{0}, std::size_t{40}, manifest.size() - 1}) {
    testing::write_bytes(shard(here, 2, "manifest.txt"), manifest.substr(0, length));
    expect_fallback("manifest.txt: digest differs");
  }
  fs::remove(shard(here, 2, "manifest.txt"));
  EXPECT_TRUE(expect_load(self, here, agents, 1).empty());  // the same as an interrupted save
}

TEST_F(Damage, AForeignShardAndAMovedFolderAreFound) {
  fs::copy_file(shard(here, 1), shard(here, 2), fs::copy_options::overwrite_existing);
  expect_fallback("digest differs");
  fs::remove_all(here / "000000000002");
  fs::copy(here / "000000000001", here / "000000000002");
  expect_fallback("belongs to another iteration");
}

TEST_F(Damage, ExtraFilesDoNotMatter) {
  testing::write_bytes(shard(here, 2, "shard-0001-of-0002.h5"), "?");
  testing::write_bytes(shard(here, 2, "notes.txt"), "?");
  testing::write_bytes(here / "000000000009", "a file, not a folder");
  fs::create_directories(here / "0000000000010");  // 13 digits
  EXPECT_TRUE(expect_load(self, here, agents, 2).empty());
}

TEST_F(Damage, IfNothingVerifiesThatIsAnError) {
  testing::write_bytes(shard(here, 1), "?");
  testing::write_bytes(shard(here, 2, "manifest.txt"), "?");
  State state(agents);
  testing::expect_error(
      ErrorKind::bad_data, {"no checkpoint is usable", "checkpoint 2", "checkpoint 1"},
      [&] { CheckpointStore(self, agents, here, 2, identity).load_newest(state.visit()); });
}

TEST_F(Damage, FallingBackNeverLosesTheGoodOnes) {
  testing::write_bytes(shard(here, 2), "?");
  fs::rename(here / "000000000002", here / "000000000009");
  save(self, here, agents, 5, 1);  // 9 is damaged, so 5 is the one to keep
  State state(agents);
  const auto found = CheckpointStore(self, agents, here, 1, identity).load_newest(state.visit());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->iteration, 5U);
  EXPECT_FALSE(fs::exists(here / "000000000001"));
}

TEST(Checkpoint, KeepingNoneIsRefused) {
  const Communicator self(MPI_COMM_SELF, 30);
  testing::expect_error(ErrorKind::usage, {"at least 1"},
                        [&] { CheckpointStore(self, {}, "anywhere", 0, identity); });
}

}  // namespace
}  // namespace echelon

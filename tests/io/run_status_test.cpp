#include "echelon/io/run_status.hpp"

#include <gtest/gtest.h>

#include "data_files.hpp"
#include "echelon/core/error.hpp"
#include "echelon/io/checkpoint.hpp"
#include "echelon/io/folder_lock.hpp"
#include "ranks.hpp"

namespace echelon {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

class RunStatusTest : public ::testing::Test {
 protected:
  void save(std::uint64_t iteration) {
    const AgentSet agents{.total = 3, .local = {0, 1, 2}};
    AgentMatrix x(4, 3);
    x.setConstant(static_cast<double>(iteration));
    CheckpointStore store(self, agents, run / "checkpoints", 5, {"seed = 1\n", "x86-64"});
    store.save(iteration, 1.5, [&](StateVisitor& visitor) { visitor.per_agent("x", x); });
  }
  /// Cuts the shard of a checkpoint.
  void damage(const std::string& iteration) const {
    for (const auto& entry : fs::directory_iterator(run / "checkpoints" / iteration)) {
      if (entry.path().extension() == ".h5") fs::resize_file(entry.path(), 100);
    }
  }
  void expect(RunState state, NextStep next, const std::string& reason) const {
    const RunStatus status = run_status(run, Examine::all_bytes);
    EXPECT_EQ(state_name(status.state), state_name(state));
    EXPECT_EQ(next_name(status.next), next_name(next));
    EXPECT_EQ(status.reason, reason);
  }
  void note(RunState state, std::uint64_t iteration, const std::string& detail = "") const {
    write_note(
        run,
        {.state = state, .iteration = iteration, .iterations = 1000, .ranks = 2, .detail = detail});
  }

  TemporaryFolder folder;
  Communicator self{MPI_COMM_SELF};
  const fs::path run = folder.path("");
};

TEST_F(RunStatusTest, NotesReadBack) {
  for (const RunState state :
       {RunState::running, RunState::interrupted, RunState::done, RunState::diverged}) {
    note(state, 300, "`y` of agent 3 is not finite\nat iteration 300");
    const auto found = read_note(run);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(state_name(found->state), state_name(state));
    EXPECT_EQ(found->iteration, 300U);
    EXPECT_EQ(found->iterations, 1000);
    EXPECT_EQ(found->ranks, 2);
    EXPECT_EQ(found->detail, "`y` of agent 3 is not finite at iteration 300");
  }
  EXPECT_FALSE(fs::exists(run / "status.txt.tmp"));
}

TEST_F(RunStatusTest, NotesThatAreCutOrForeignAreNone) {
  EXPECT_FALSE(read_note(run).has_value());
  note(RunState::done, 300);
  const auto whole = fs::file_size(run / "status.txt");
  for (std::uintmax_t bytes = 0; bytes + 9 < whole; ++bytes) {  // the detail may be empty
    note(RunState::done, 300);
    fs::resize_file(run / "status.txt", bytes);
    const auto found = read_note(run);
    EXPECT_TRUE(!found || found->detail.empty()) << bytes;
    if (bytes < 60) {
      EXPECT_FALSE(found.has_value()) << bytes;
    }
  }
  folder.write("status.txt",
               "echelon run 2\nstate done\niteration 1\niterations 2\nranks 1\ndetail \n");
  EXPECT_FALSE(read_note(run).has_value());
  folder.write("status.txt",
               "echelon run 1\nstate well\niteration 1\niterations 2\nranks 1\ndetail \n");
  EXPECT_FALSE(read_note(run).has_value());
  folder.write("status.txt",
               "echelon run 1\nstate done\niteration x\niterations 2\nranks 1\ndetail \n");
  EXPECT_FALSE(read_note(run).has_value());
}

TEST_F(RunStatusTest, ThereMayBeNoRun) {
  expect(RunState::empty, NextStep::run, "the folder is empty");
  { const FolderLock lock(run); }
  folder.write("config.ini.tmp", "cut");
  expect(RunState::empty, NextStep::run, "the folder is empty");
  folder.write("thesis.tex", "text");
  expect(RunState::not_a_run, NextStep::run, "the folder holds files, but none of a run");
  const RunStatus absent = run_status(run / "nowhere", Examine::all_bytes);
  EXPECT_EQ(state_name(absent.state), "absent");
  EXPECT_FALSE(absent.holds_run());
  EXPECT_NO_THROW(require_new_run(absent));
  EXPECT_THROW(require_resumable(absent), Error);
}

TEST_F(RunStatusTest, EveryFileOfARunIsInTheWayOfAnother) {
  for (const char* name :
       {"config.ini", "status.txt", "metrics.csv", "result.h5", "partition.csv"}) {
    const TemporaryFolder other;
    const fs::path place = other.path("");
    other.write(name, "content");
    EXPECT_THROW(require_new_run(run_status(place, Examine::manifests)), Error) << name;
  }
  fs::create_directory(run / "checkpoints");
  EXPECT_THROW(require_new_run(run_status(run, Examine::manifests)), Error);
  expect(RunState::started, NextStep::run_again,
         "a run began here and ended before its first checkpoint");
}

TEST_F(RunStatusTest, ARunFromItsBeginToItsEnd) {
  folder.write("config.ini", "[run]\n");
  note(RunState::running, 0);
  {
    const FolderLock lock(run);
    EXPECT_TRUE(FolderLock::is_held(run));
    expect(RunState::running, NextStep::wait,
           "a process is at work here on 2 ranks, 1000 iterations are wanted");
  }
  EXPECT_FALSE(FolderLock::is_held(run));
  expect(RunState::started, NextStep::run_again,
         "a run began here and ended before its first checkpoint");
  save(100);
  expect(RunState::interrupted, NextStep::resume,
         "its last process ended without a note (killed, or failed): the newest checkpoint was "
         "saved after iteration 100 of 1000 on 2 ranks");
  note(RunState::interrupted, 100, "interrupted");
  expect(RunState::interrupted, NextStep::resume,
         "the run was interrupted after iteration 100 of 1000 on 2 ranks");
  EXPECT_EQ(run_status(run, Examine::all_bytes).command(),
            (std::vector<std::string>{"resume", run.string()}));
  EXPECT_NO_THROW(require_resumable(run_status(run, Examine::manifests)));
  note(RunState::diverged, 120, "`x` of agent 0 is not finite");
  expect(RunState::diverged, NextStep::nothing,
         "the run diverged after iteration 120 of 1000 on 2 ranks: `x` of agent 0 is not finite");
  folder.write("result.h5", "of an earlier end");
  note(RunState::running, 100);
  EXPECT_EQ(state_name(run_status(run, Examine::all_bytes).state), "interrupted");
  note(RunState::done, 1000, "done");
  expect(RunState::done, NextStep::nothing, "done after iteration 1000 of 1000 on 2 ranks");
}

TEST_F(RunStatusTest, DamagedCheckpointsArePassedOver) {
  folder.write("config.ini", "[run]\n");
  note(RunState::interrupted, 300);
  for (const std::uint64_t iteration : {100U, 200U, 300U}) save(iteration);
  fs::create_directory(run / "checkpoints/000000000400");  // an interrupted save
  EXPECT_EQ(run_status(run, Examine::all_bytes).checkpoint, 300U);
  damage("000000000300");
  RunStatus status = run_status(run, Examine::all_bytes);
  EXPECT_EQ(status.checkpoint, 200U);
  ASSERT_EQ(status.damage.size(), 1U);
  EXPECT_NE(status.damage[0].find("checkpoint 300 does not verify"), std::string::npos);
  EXPECT_EQ(run_status(run, Examine::manifests).checkpoint, 300U);
  folder.write("checkpoints/000000000200/manifest.txt", "cut");
  EXPECT_EQ(run_status(run, Examine::all_bytes).checkpoint, 100U);
  damage("000000000100");
  expect(RunState::damaged, NextStep::nothing,
         "no checkpoint verifies (3 are damaged); restore one from a backup, or start again in "
         "another folder");
  EXPECT_TRUE(run_status(run, Examine::all_bytes).holds_run());
}

TEST_F(RunStatusTest, WhatCannotBeListedIsDamage) {
  folder.write("config.ini", "[run]\n");
  folder.write("checkpoints", "a file");
  EXPECT_EQ(state_name(run_status(run, Examine::all_bytes).state), "damaged");
}

TEST_F(RunStatusTest, ASecondLockIsRefusedAfterAMoment) {
  const FolderLock lock(run);
  EXPECT_THROW(FolderLock second(run), Error);
}

}  // namespace
}  // namespace echelon

#include "echelon/core/process_memory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <vector>

namespace echelon {
namespace {

namespace fs = std::filesystem;

/// A folder that stands for the root of a machine.
class Machine {
 public:
  Machine() {
    root_ = fs::temp_directory_path() / ("echelon-machine-" + std::to_string(::getpid()));
    fs::remove_all(root_);
  }
  ~Machine() { fs::remove_all(root_); }

  Machine& with(const fs::path& file, const std::string& content) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << content;
    return *this;
  }
  double free() const { return free_memory_bytes(root_); }

 private:
  fs::path root_;
};

const char* const meminfo = "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:   4000 kB\n";

TEST(ProcessMemory, IsWhatTheKernelSaysIsAvailable) {
  EXPECT_EQ(Machine().with("proc/meminfo", meminfo).free(), 4000 * 1024.0);
  EXPECT_TRUE(std::isinf(Machine().free()));
}

TEST(ProcessMemory, IsLessInAControlGroupWithALimit) {
  Machine machine;
  machine.with("proc/meminfo", meminfo)
      .with("proc/self/cgroup", "0::/jobs/step\n")
      .with("sys/fs/cgroup/jobs/step/memory.max", "max\n")
      .with("sys/fs/cgroup/jobs/step/memory.current", "1000\n")
      .with("sys/fs/cgroup/jobs/memory.max", "1000000\n")
      .with("sys/fs/cgroup/jobs/memory.current", "600000\n")
      .with("sys/fs/cgroup/jobs/memory.stat", "anon 5\ninactive_file 100000\n");
  EXPECT_EQ(machine.free(), 500000);  // 1000000 - (600000 - 100000), of the outer group
  machine.with("sys/fs/cgroup/jobs/step/memory.max", "3000\n");
  EXPECT_EQ(machine.free(), 2000);
  machine.with("sys/fs/cgroup/jobs/step/memory.current", "5000\n");
  EXPECT_EQ(machine.free(), 0);
}

TEST(ProcessMemory, KnowsControlGroupsOfTheFirstVersion) {
  Machine machine;
  machine.with("proc/meminfo", meminfo)
      .with("proc/self/cgroup", "3:cpu,cpuacct:/other\n2:memory:/job\n")
      .with("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "50000\n")
      .with("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "20000\n");
  EXPECT_EQ(machine.free(), 30000);
}

TEST(ProcessMemory, CountsWhatIsAllocatedAndFreed) {
  const double before = allocated_bytes();
  if (before == 0) GTEST_SKIP() << "this C library does not tell";
  {
    const std::vector<double> block(4'000'000);
    EXPECT_NEAR(allocated_bytes() - before, 32e6, 1e5);
  }
  EXPECT_NEAR(allocated_bytes(), before, 1e5);
}

}  // namespace
}  // namespace echelon

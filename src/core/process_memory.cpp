#include "echelon/core/process_memory.hpp"

#include <features.h>
#include <unistd.h>
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#endif

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace echelon {

namespace {

namespace fs = std::filesystem;

constexpr double no_limit = std::numeric_limits<double>::infinity();

/// A file that holds one number; `max`, and a file that is not there, are no limit.
double number_in(const fs::path& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? number : no_limit;
}

/// The number after `key` in lines of the form `key number ...`; `missing` if there is none.
double entry_in(const fs::path& path, const std::string& key, double missing) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    double number = 0;
    if (words >> name >> number && name == key) return number;
  }
  return missing;
}

/// Of one control group; files of the two versions have other names.
double free_in_group(const fs::path& group, bool second_version) {
  const double limit = number_in(group / (second_version ? "memory.max" : "memory.limit_in_bytes"));
  const double used =
      number_in(group / (second_version ? "memory.current" : "memory.usage_in_bytes"));
  if (limit == no_limit || used == no_limit) return no_limit;
  const char* const key = second_version ? "inactive_file" : "total_inactive_file";
  const double droppable = entry_in(group / "memory.stat", key, 0);
  return std::max(0.0, limit - std::max(0.0, used - droppable));
}

/// The least of a group and of all groups that it is in.
double free_in_groups(const fs::path& mount, fs::path group, bool second_version) {
  double free = no_limit;
  for (;;) {
    free = std::min(free, free_in_group(mount / group, second_version));
    if (group.empty()) return free;
    group = group.parent_path();
  }
}

}  // namespace

double free_memory_bytes(const fs::path& root) {
  double free = 1024 * entry_in(root / "proc/meminfo", "MemAvailable:", no_limit);
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {  // number:controllers:/path
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    if (controllers == ",,") {
      free = std::min(free, free_in_groups(root / "sys/fs/cgroup", group, true));
    } else if (controllers.find(",memory,") != std::string::npos) {
      free = std::min(free, free_in_groups(root / "sys/fs/cgroup/memory", group, false));
    }
  }
  return free;
}

double allocated_bytes() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
#else
  return 0;
#endif
}

std::string machine_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");  // containers have names of their own
  std::string id;
  if (file >> id) return id;
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace echelon

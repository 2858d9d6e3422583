// Which module may include which; the picture in the README in the form of a table.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const fs::path root = ECHELON_SOURCE_DIR;

const std::map<std::string, Names>& allowed_edges() {
  static const std::map<std::string, Names> table = {
      {"core", {}},
      {"compression", {"core"}},
      {"topology", {"core"}},
      {"comm", {"topology", "core"}},
      {"participation", {"core"}},
      {"problem", {"participation", "core"}},
      {"consensus", {"comm", "compression", "participation", "core"}},
      {"method", {"consensus", "comm", "participation", "problem", "core"}},
      {"runtime", {"method", "comm", "participation", "problem", "core"}},
      {"io", {"comm", "participation", "problem", "topology", "core"}},
      {"experiment",
       {"runtime", "method", "io", "comm", "participation", "problem", "topology", "core"}},
      {"fortran", {}},
      {"embed", {"consensus", "compression", "comm", "topology", "core"}},
      {"cli",
       {"experiment", "runtime", "method", "consensus", "compression", "io", "participation",
        "problem", "topology", "core"}},
  };
  return table;
}

struct Include {
  fs::path file;  ///< relative to the root
  std::string module;
  std::string target;  ///< as written
};

/// All includes of src/<module>/ and include/echelon/<module>/; files beside the modules, such as
/// the umbrella header, belong to none.
std::vector<Include> includes() {
  static const std::regex line_of_include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  std::vector<Include> found;
  for (const fs::path folder : {"src", "include/echelon"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file()) continue;
      const fs::path below = fs::relative(entry.path(), root / folder);
      if (!below.has_parent_path()) continue;
      std::ifstream file(entry.path());
      std::smatch match;
      for (std::string line; std::getline(file, line);) {
        if (!std::regex_match(line, match, line_of_include)) continue;
        found.push_back({folder / below, below.begin()->string(), match[1]});
      }
    }
  }
  return found;
}

/// The module that an include leads to; empty for other libraries and for neighbors in the same
/// folder.
std::string module_of(const std::string& target) {
  static const std::regex own_header(R"(^echelon/([a-z_]+)/.*)");
  std::smatch match;
  return std::regex_match(target, match, own_header) ? match[1].str() : "";
}

TEST(Layering, EveryIncludePointsDownwards) {
  const auto all = includes();
  ASSERT_GT(all.size(), 200u);
  for (const auto& include : all) {
    ASSERT_TRUE(allowed_edges().count(include.module))
        << include.file << ": no such module in the table";
    EXPECT_EQ(include.target.find(".."), std::string::npos)
        << include.file << " includes " << include.target;
    EXPECT_NE(include.target, "echelon/echelon.hpp")
        << include.file << ": the umbrella header is for other programs";
    const std::string to = module_of(include.target);
    if (to.empty() || to == include.module) continue;
    EXPECT_TRUE(allowed_edges().at(include.module).count(to))
        << include.file << ": `" << include.module << "` may not include " << include.target;
  }
}

TEST(Layering, NoEdgeOfTheTableIsUnused) {
  std::map<std::string, Names> used;
  for (const auto& include : includes()) used[include.module].insert(module_of(include.target));
  for (const auto& [from, targets] : allowed_edges()) {
    for (const auto& to : targets)
      EXPECT_TRUE(used[from].count(to)) << from << " -> " << to << " is not used";
  }
}

TEST(Layering, TheTableHasNoCycle) {
  Names done;
  while (done.size() < allowed_edges().size()) {
    const std::size_t before = done.size();
    for (const auto& [from, targets] : allowed_edges()) {
      bool ready = true;
      for (const auto& to : targets) ready = ready && done.count(to);
      if (ready) done.insert(from);
    }
    ASSERT_GT(done.size(), before) << "modules that include each other remain";
  }
}

TEST(Layering, EveryFolderIsInTheTable) {
  for (const fs::path folder : {"src", "include/echelon"}) {
    for (const auto& entry : fs::directory_iterator(root / folder)) {
      if (!entry.is_directory()) continue;
      EXPECT_TRUE(allowed_edges().count(entry.path().filename().string())) << entry.path();
    }
  }
}

TEST(Layering, OtherLibrariesStayWhereTheyBelong) {
  for (const auto& include : includes()) {
    const std::string where = include.file.string();
    if (include.target == "mpi.h") {
      const bool startup = where == "src/cli/main.cpp" || where == "src/cli/run.cpp";
      EXPECT_TRUE(include.module == "comm" || include.module == "embed" || startup)
          << where << " includes mpi.h";
    }
    if (include.target == "hdf5.h" || include.target.rfind("H5", 0) == 0) {
      EXPECT_EQ(include.module, "io") << where << " includes " << include.target;
    }
    if (include.target.rfind("boost/", 0) == 0) {
      EXPECT_EQ(include.module, "cli") << where << " includes " << include.target;
    }
  }
}

}  // namespace

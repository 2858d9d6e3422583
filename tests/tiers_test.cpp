// Which headers are for whom; the table is cmake/EchelonHeaders.cmake.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = ECHELON_SOURCE_DIR;

std::string content_of(const fs::path& file) {
  std::ifstream stream(file);
  std::stringstream content;
  content << stream.rdbuf();
  return content.str();
}

/// Tiers by header, as often as the table names it.
const std::multimap<std::string, std::string>& tiers() {
  static const auto table = [] {
    static const std::regex list(R"(set\(ECHELON_(STABLE|EXTENSION|INTERNAL)_HEADERS([^)$]*)\))");
    const std::string text = content_of(root / "cmake/EchelonHeaders.cmake");
    std::multimap<std::string, std::string> found;
    for (std::sregex_iterator match(text.begin(), text.end(), list), end; match != end; ++match) {
      std::istringstream names((*match)[2]);
      for (std::string name; names >> name;) found.emplace(name, (*match)[1]);
    }
    return found;
  }();
  return table;
}

bool is_installed(const std::string& header) {
  const auto found = tiers().find(header);
  return found != tiers().end() && found->second != "INTERNAL";
}

std::vector<std::string> headers() {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(root / "include")) {
    if (entry.is_regular_file()) {
      found.push_back(fs::relative(entry.path(), root / "include").string());
    }
  }
  return found;
}

std::set<std::string> includes_of(const std::string& header) {
  static const std::regex line(R"(#\s*include\s*[<"]([^>"]+)[>"])");
  const std::string text = content_of(root / "include" / header);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match) {
    found.insert((*match)[1]);
  }
  return found;
}

TEST(Tiers, EveryHeaderHasOneTier) {
  ASSERT_GT(headers().size(), 60u);
  for (const auto& header : headers()) {
    EXPECT_EQ(tiers().count(header), 1u) << header << " needs one tier in EchelonHeaders.cmake";
  }
  for (const auto& [header, tier] : tiers()) {
    EXPECT_TRUE(fs::exists(root / "include" / header))
        << header << " is in EchelonHeaders.cmake only";
  }
}

TEST(Tiers, InstalledHeadersIncludeInstalledOnes) {
  for (const auto& header : headers()) {
    if (!is_installed(header)) continue;
    for (const auto& target : includes_of(header)) {
      if (target.rfind("echelon", 0) != 0) continue;
      EXPECT_TRUE(is_installed(target)) << header << " includes " << target;
    }
  }
}

TEST(Tiers, InstalledHeadersIncludeEigenByOneOfTheirs) {
  for (const auto& header : headers()) {
    if (!is_installed(header) || header == "echelon/core/eigen.hpp") continue;
    for (const auto& target : includes_of(header)) {
      EXPECT_NE(target.rfind("Eigen/", 0), 0u)
          << header << " includes " << target << "; echelon/core/eigen.hpp checks its settings";
    }
  }
}

TEST(Tiers, InstalledHeadersAskForNothingOfTheMachine) {
  static const std::regex machine(
      R"(#\s*pragma\s+omp|__AVX|__SSE|__FMA__|__attribute__\s*\(\(target)");
  for (const auto& header : headers()) {
    if (!is_installed(header)) continue;
    EXPECT_FALSE(std::regex_search(content_of(root / "include" / header), machine)) << header;
  }
}

TEST(Tiers, TheUmbrellaHeaderHoldsTheInstalledHeaders) {
  std::set<std::string> expected;
  for (const auto& header : headers()) {
    const bool alone = header == "echelon/echelon.hpp" || header == "echelon/main.hpp" ||
                       header == "echelon/testing.hpp";
    if (is_installed(header) && header.rfind("echelon/", 0) == 0 && !alone) expected.insert(header);
  }
  EXPECT_EQ(includes_of("echelon/echelon.hpp"), expected);
}

}  // namespace

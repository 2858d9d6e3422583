#pragma once
/// For test suites that run once per entry of a catalog.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace echelon::testing_support {

template <class Catalog>
auto every_name(const Catalog& catalog) {
  std::vector<std::string> names;
  for (const auto& entry : catalog) names.push_back(entry.name);
  return testing::ValuesIn(names);
}

/// GoogleTest wants names of letters, digits and underscores.
inline std::string suffix(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace echelon::testing_support

#pragma once
/// Explicit lists of what can be chosen by name.

#include <string>
#include <string_view>
#include <vector>

#include "echelon/core/error.hpp"

namespace echelon {

/// The candidate with the smallest edit distance to `name`; empty if there are none.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

namespace detail {
bool equal_but_for_case(std::string_view a, std::string_view b);
}  // namespace detail

/// Finds the entry called `name`, without regard to case, in a list of entries with a `name`
/// member.
template <class Entries>
const auto& find_entry(const Entries& entries, std::string_view name, std::string_view what) {
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    if (detail::equal_but_for_case(entry.name, name)) return entry;
    names.emplace_back(entry.name);
  }
  fail(ErrorKind::usage, "there is no ", what, " called `", name, "`; the nearest is `",
       nearest_name(name, names), "`");
}

}  // namespace echelon

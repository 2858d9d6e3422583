#include "echelon/problem/catalog.hpp"

namespace echelon {

namespace detail {

std::vector<ProblemEntry> built_in_problems();

}  // namespace detail

PartList<ProblemEntry>& problem_catalog() {
  static PartList<ProblemEntry> problems("problem", detail::built_in_problems());
  return problems;
}

}  // namespace echelon

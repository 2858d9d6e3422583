#pragma once
/// Requested rows are met in the order of the file and handed out in the order of the request.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/error.hpp"

namespace echelon::detail {

/// Positions in `rows`, by ascending row. Throws a usage error if a row is named twice.
inline std::vector<std::size_t> file_order(const std::string& path,
                                           std::span<const std::int64_t> rows) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    require(rows[order[i - 1]] != rows[order[i]], ErrorKind::usage, path, ": row ", rows[order[i]],
            " is asked for twice; name each row once");
  }
  return order;
}

}  // namespace echelon::detail

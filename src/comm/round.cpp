#include "echelon/comm/round.hpp"

#include <array>
#include <cmath>

#include "echelon/comm/multiply_add.hpp"

namespace echelon::detail {

namespace {

constexpr std::size_t most_at_once = 8;
using Pointers = std::array<const double*, most_at_once>;
using Factors = std::array<double, most_at_once>;

template <std::size_t Count, bool Onto>
void mix_columns(const Pointers& columns, const Factors& weights, Index rows,
                 double* __restrict out) {
  for (Index r = 0; r < rows; ++r) {
    double value =
        Onto ? multiply_add(weights[0], columns[0][r], out[r]) : weights[0] * columns[0][r];
    if constexpr (Count > 1) value = multiply_add(weights[1], columns[1][r], value);
    if constexpr (Count > 2) value = multiply_add(weights[2], columns[2][r], value);
    if constexpr (Count > 3) value = multiply_add(weights[3], columns[3][r], value);
    if constexpr (Count > 4) value = multiply_add(weights[4], columns[4][r], value);
    if constexpr (Count > 5) value = multiply_add(weights[5], columns[5][r], value);
    if constexpr (Count > 6) value = multiply_add(weights[6], columns[6][r], value);
    if constexpr (Count > 7) value = multiply_add(weights[7], columns[7][r], value);
    out[r] = value;
  }
}

template <bool Onto>
void mix_some(std::size_t count, const Pointers& columns, const Factors& weights, Index rows,
              double* out) {
  switch (count) {
    case 1:
      return mix_columns<1, Onto>(columns, weights, rows, out);
    case 2:
      return mix_columns<2, Onto>(columns, weights, rows, out);
    case 3:
      return mix_columns<3, Onto>(columns, weights, rows, out);
    case 4:
      return mix_columns<4, Onto>(columns, weights, rows, out);
    case 5:
      return mix_columns<5, Onto>(columns, weights, rows, out);
    case 6:
      return mix_columns<6, Onto>(columns, weights, rows, out);
    case 7:
      return mix_columns<7, Onto>(columns, weights, rows, out);
    default:
      return mix_columns<8, Onto>(columns, weights, rows, out);
  }
}

}  // namespace

Columns::Columns(Exchange& exchange)
    : exchange_(exchange),
      plan_(exchange.plan()),
      unpublished_(exchange.unpublished().data()),
      unpublished_stride_(exchange.unpublished().outerStride()) {}

Columns::Columns(Exchange& exchange, const double* ring, Index stride, Index from)
    : exchange_(exchange), plan_(exchange.plan()), ring_(ring), stride_(stride), ring_from_(from) {}

void Columns::mix(int agent, Index from, Index rows, bool onto, double* out) const {
  const auto begin = plan_.offsets[static_cast<std::size_t>(agent)];
  const auto end = plan_.offsets[static_cast<std::size_t>(agent) + 1];
  if (begin == end && !onto) std::fill_n(out, rows, 0.0);
  Pointers columns{};
  Factors weights{};
  for (auto done = begin; done < end; done += most_at_once) {
    const auto count = std::min(most_at_once, end - done);
    for (std::size_t k = 0; k < count; ++k) {
      columns[k] = at(plan_.terms[done + k].slot, from);
      weights[k] = plan_.terms[done + k].weight;
    }
    if (onto || done > begin) {
      mix_some<true>(count, columns, weights, rows, out);
    } else {
      mix_some<false>(count, columns, weights, rows, out);
    }
  }
}

void Columns::add_differences(int agent, Index from, Index rows, double* out) const {
  const double* own = at(agent, from);
  for (auto t = plan_.offsets[static_cast<std::size_t>(agent)];
       t < plan_.offsets[static_cast<std::size_t>(agent) + 1]; ++t) {
    const auto& term = plan_.terms[t];
    if (term.slot == agent) continue;
    const double* other = at(term.slot, from);
    for (Index r = 0; r < rows; ++r) {
      out[r] = multiply_add(term.weight, other[r] - own[r], out[r]);
    }
  }
}

}  // namespace echelon::detail

#include "echelon/comm/mixer.hpp"

#include <array>
#include <cmath>

namespace echelon::detail {

namespace {

/// a * b + c; fused where the target has the instruction, so that the chain is the same at every
/// optimization level.
inline double multiply_add(double a, double b, double c) {
#ifdef __FMA__
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

template <int Count, bool First>
void chain(const std::array<const double*, 4>& columns, const std::array<double, 4>& weights,
           Index rows, double* out) {
  for (Index r = 0; r < rows; ++r) {
    double value =
        First ? weights[0] * columns[0][r] : multiply_add(weights[0], columns[0][r], out[r]);
    if constexpr (Count > 1) value = multiply_add(weights[1], columns[1][r], value);
    if constexpr (Count > 2) value = multiply_add(weights[2], columns[2][r], value);
    if constexpr (Count > 3) value = multiply_add(weights[3], columns[3][r], value);
    out[r] = value;
  }
}

template <bool First>
void chain_of(int count, const std::array<const double*, 4>& columns,
              const std::array<double, 4>& weights, Index rows, double* out) {
  switch (count) {
    case 1:
      return chain<1, First>(columns, weights, rows, out);
    case 2:
      return chain<2, First>(columns, weights, rows, out);
    case 3:
      return chain<3, First>(columns, weights, rows, out);
    default:
      return chain<4, First>(columns, weights, rows, out);
  }
}

}  // namespace

void mix_rows(const Exchange& exchange, const ExchangePlan::Term* terms, std::size_t count,
              Index from, Index rows, double* out) {
  if (count == 0) std::fill_n(out, rows, 0.0);
  for (std::size_t done = 0; done < count; done += 4) {
    std::array<const double*, 4> columns{};
    std::array<double, 4> weights{};
    const int now = static_cast<int>(std::min<std::size_t>(4, count - done));
    for (int k = 0; k < now; ++k) {
      const auto& term = terms[done + static_cast<std::size_t>(k)];
      columns[static_cast<std::size_t>(k)] = exchange.column(term) + from;
      weights[static_cast<std::size_t>(k)] = term.weight;
    }
    if (done == 0) {
      chain_of<true>(now, columns, weights, rows, out);
    } else {
      chain_of<false>(now, columns, weights, rows, out);
    }
  }
}

}  // namespace echelon::detail

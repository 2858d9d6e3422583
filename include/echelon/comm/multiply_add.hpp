#pragma once
/// The product-sum that mixing is made of.

#include <cmath>

namespace echelon::detail {

/// a * b + c; fused where the target has the instruction, so that chains of them are the same at
/// every optimization level.
template <class Scalar>
inline Scalar multiply_add(Scalar a, Scalar b, Scalar c) {
#ifdef __FMA__
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

}  // namespace echelon::detail

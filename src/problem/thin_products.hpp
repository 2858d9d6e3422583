#pragma once
/// The two thin products of linear models: a block of rows times a few heads, and back.
///
/// Written in Eigen's packets, which are a machine's widest vectors everywhere Eigen runs (its
/// internal interface, stable in 3.4). Against Eigen's matrix products they need no packing, and a
/// result does not depend on how many rows or heads are computed together: several points in one
/// pass agree with one point at a time to the bit.

#include <Eigen/Core>

#include "echelon/core/agent_matrix.hpp"

namespace echelon::detail {

template <class Scalar>
using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
template <class Scalar>
inline constexpr Index packet_size = Eigen::internal::packet_traits<Scalar>::size;

/// Heads come in groups of this size; the last group is filled up with zero heads.
inline constexpr int head_group = 5;
/// Rows of a forward tile and packets of a backward tile: 4 x 5 sums need 32 registers, 2 x 5
/// need 16.
inline constexpr int tile_height = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 4 : 2;
/// Allocated rows are a multiple of this, whatever the tile height.
inline constexpr Index row_group = 4;

template <class Scalar>
void forward_tile(const Scalar* x, const Scalar* heads, Index stride, Scalar* z, Index z_stride) {
  namespace packets = Eigen::internal;
  Packet<Scalar> sums[tile_height][head_group];
  for (auto& row : sums) {
    for (auto& sum : row) sum = packets::pset1<Packet<Scalar>>(Scalar(0));
  }
  for (Index i = 0; i < stride; i += packet_size<Scalar>) {
    Packet<Scalar> head[head_group];
    for (int h = 0; h < head_group; ++h) {
      head[h] = packets::ploadu<Packet<Scalar>>(heads + h * stride + i);
    }
    for (int r = 0; r < tile_height; ++r) {
      const auto value = packets::ploadu<Packet<Scalar>>(x + r * stride + i);
      for (int h = 0; h < head_group; ++h) {
        sums[r][h] = packets::pmadd(value, head[h], sums[r][h]);
      }
    }
  }
  for (int r = 0; r < tile_height; ++r) {
    for (int h = 0; h < head_group; ++h) z[h * z_stride + r] = packets::predux(sums[r][h]);
  }
}

/// z(b, h) = <x_b, head_h>. Rows and heads are `stride` apart, a multiple of the packet size,
/// padded with zeros; z holds one head after the other, `z_stride` apart. Reads and writes rows up
/// to the next multiple of row_group.
template <class Scalar>
void thin_forward(const Scalar* x, Index rows, const Scalar* heads, Index head_count, Index stride,
                  Scalar* z, Index z_stride) {
  for (Index b = 0; b < rows; b += tile_height) {
    for (Index h = 0; h < head_count; h += head_group) {
      forward_tile(x + b * stride, heads + h * stride, stride, z + h * z_stride + b, z_stride);
    }
  }
}

template <class Scalar, int width>
void backward_tile(const Scalar* x, Index rows, const Scalar* s, Index s_stride, double* totals,
                   Index stride) {
  namespace packets = Eigen::internal;
  constexpr Index size = packet_size<Scalar>;
  Packet<Scalar> sums[width][head_group];
  for (auto& column : sums) {
    for (auto& sum : column) sum = packets::pset1<Packet<Scalar>>(Scalar(0));
  }
  for (Index b = 0; b < rows; ++b) {
    Packet<Scalar> value[width];
    for (int w = 0; w < width; ++w) {
      value[w] = packets::ploadu<Packet<Scalar>>(x + b * stride + w * size);
    }
    for (int h = 0; h < head_group; ++h) {
      const auto factor = packets::pset1<Packet<Scalar>>(s[h * s_stride + b]);
      for (int w = 0; w < width; ++w) sums[w][h] = packets::pmadd(value[w], factor, sums[w][h]);
    }
  }
  for (int h = 0; h < head_group; ++h) {
    for (int w = 0; w < width; ++w) {
      Scalar block[size];
      packets::pstoreu(block, sums[w][h]);
      double* total = totals + h * stride + w * size;
      for (Index i = 0; i < size; ++i) total[i] += static_cast<double>(block[i]);
    }
  }
}

/// totals_h += sum_b s(b, h) x_b: summed over the block in Scalar, added to the totals in double.
template <class Scalar>
void thin_backward(const Scalar* x, Index rows, const Scalar* s, Index s_stride, Index head_count,
                   double* totals, Index stride) {
  constexpr Index size = packet_size<Scalar>;
  Index i = 0;
  for (; i + tile_height * size <= stride; i += tile_height * size) {
    for (Index h = 0; h < head_count; h += head_group) {
      backward_tile<Scalar, tile_height>(x + i, rows, s + h * s_stride, s_stride,
                                         totals + h * stride + i, stride);
    }
  }
  for (; i < stride; i += size) {
    for (Index h = 0; h < head_count; h += head_group) {
      backward_tile<Scalar, 1>(x + i, rows, s + h * s_stride, s_stride, totals + h * stride + i,
                               stride);
    }
  }
}

}  // namespace echelon::detail

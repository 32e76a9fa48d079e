#pragma once

#include "kernels/conv2d/kernel.h"
#include "kernels/lanes/lanes.h"
#if defined(__AVX2__) && !defined(__AVX512F__)
#include "kernels/lanes/interleave_avx2.h"
#endif

namespace consort::CONSORT_LANES {

// Rows and tiles of a block of accumulators. 14 x 2: 28 of the 32 registers, two loads of weights for 28
// products, and 7, 14, 28, 56, 112 pixels a row divide well. 6 x 1 fills the 16 registers of AVX2.
#if defined(__AVX512F__)
inline constexpr int kBlockRows = 14, kBlockTiles = 2, kUnroll = 1;
#elif defined(__AVX2__)
inline constexpr int kBlockRows = 6, kBlockTiles = 1, kUnroll = 4;
#else
inline constexpr int kBlockRows = 2, kBlockTiles = 1, kUnroll = 1;
#endif

CONSORT_LANE_FN Lanes activated(ConvActivation activation, Lanes v) {
  return activation == ConvActivation::kRelu6 ? min(set1(6.0f), max(zero(), v))
                                              : v;  // in this order a NaN stays a NaN
}

CONSORT_LANE_FN void finish_lanes(const ConvRows& a, std::size_t row, std::size_t tile, Lanes sum) {
  const std::size_t first = tile * kLanes, live = a.outputs - first;
  const std::size_t at = row * a.out_stride + first;
  Lanes v = add(sum, load(a.bias + first));
  if (live >= kLanes) {
    if (a.residual != nullptr) v = add(v, load(a.residual + at));
    store(a.out + at, activated(a.activation, v));
  } else {
    if (a.residual != nullptr) v = add(v, load_part(a.residual + at, live));
    store_part(a.out + at, activated(a.activation, v), live);
  }
}

// With Panels the rows stand beside each other in a.room: entry k Rows + m is element k of row m of the
// block.
template <int Rows, int Tiles, bool Panels>
CONSORT_LANE_FN void conv_block(const ConvRows& a, std::size_t row, std::size_t tile) {
  Lanes acc[Rows][Tiles];
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
    for (int t = 0; t < Tiles; ++t) acc[m][t] = zero();
  const float* x = Panels ? a.room + row * a.k : a.x + row * a.x_stride;
  const float* w = a.weights + tile * a.k * kLanes;
  const std::size_t stride = a.x_stride, tile_floats = a.k * kLanes;
#pragma GCC unroll kUnroll
  for (std::size_t k = 0; k < a.k; ++k) {
    Lanes wk[Tiles];
#pragma GCC unroll 4
    for (int t = 0; t < Tiles; ++t) wk[t] = load(w + static_cast<std::size_t>(t) * tile_floats + k * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m) {
      const auto at = static_cast<std::size_t>(m);
      const Lanes xk = set1(Panels ? x[k * Rows + at] : x[at * stride + k]);
#pragma GCC unroll 4
      for (int t = 0; t < Tiles; ++t) acc[m][t] = fma(wk[t], xk, acc[m][t]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
    for (int t = 0; t < Tiles; ++t)
      finish_lanes(a, row + static_cast<std::size_t>(m), tile + static_cast<std::size_t>(t), acc[m][t]);
}

template <int Rows, int Tiles, bool Panels>
inline void conv_blocks(const ConvRows& a, std::size_t& row, std::size_t tile) {
  for (; row + Rows <= a.rows; row += Rows) conv_block<Rows, Tiles, Panels>(a, row, tile);
}

// The last rows, at most `Rows`, as one block: a block of one row waits for its own sums.
template <int Rows, int Tiles, bool Panels>
inline void conv_rest(const ConvRows& a, std::size_t row, std::size_t tile) {
  if (a.rows - row == Rows) return conv_block<Rows, Tiles, Panels>(a, row, tile);
  if constexpr (Rows > 1) conv_rest<Rows - 1, Tiles, Panels>(a, row, tile);
}

template <int Tiles, bool Panels>
inline void conv_tile_column(const ConvRows& a, std::size_t tile) {
  std::size_t row = 0;
  conv_blocks<kBlockRows, Tiles, Panels>(a, row, tile);
  if constexpr (kBlockRows > 7) conv_blocks<7, Tiles, Panels>(a, row, tile);
  if (row < a.rows) conv_rest<(kBlockRows > 7 ? 6 : kBlockRows - 1), Tiles, Panels>(a, row, tile);
}

template <bool Panels>
inline void conv_tile_columns(const ConvRows& a) {
  std::size_t tile = 0;
  for (; tile + kBlockTiles <= a.tiles; tile += kBlockTiles) conv_tile_column<kBlockTiles, Panels>(a, tile);
  if constexpr (kBlockTiles > 1)
    for (; tile < a.tiles; ++tile) conv_tile_column<1, Panels>(a, tile);
}

void conv_rows(const ConvRows& a) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  constexpr std::size_t kPanelTiles = 4;  // from so many on, the rows are worth being put beside each other
  if (a.room != nullptr && a.tiles >= kPanelTiles) {
    for (std::size_t row = 0; row < a.rows; row += kBlockRows) {
      const std::size_t rows = a.rows - row < kBlockRows ? a.rows - row : kBlockRows;
      interleave_rows(a.x + row * a.x_stride, static_cast<std::int64_t>(a.x_stride),
                      static_cast<std::int64_t>(a.k), static_cast<int>(rows), a.room + row * a.k);
    }
    return conv_tile_columns<true>(a);
  }
#endif
  conv_tile_columns<false>(a);
}

}  // namespace consort::CONSORT_LANES

// What one instruction set provides to int16_matmul.cpp. Internal to kernels/int16_matmul.
//
// Weights: a tile holds 16 outputs; pair c (64 bytes) of a tile has at place 2 r + i the code of output r at
// k = 2 c + i. Activations: rows of codes. vpmaddwd and vpdpwssd multiply a pair of inputs of one row,
// broadcast, with the pairs of 8 or 16 outputs. Both have K rounded up to four; behind the last row there are
// kPanelRows - 1 more that may be read, whose sums nobody sees.
//
// No sum overflows: a piece has kPiece inputs, |x| <= kActivationMax, and the magnitudes of an output's codes
// in a piece add up to at most kPieceWeight (of int8 codes to 128 * 128).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/lanes/dispatch.h"

namespace consort::int16_matmul_detail {

static constexpr int kTile = 16;
static constexpr int kPanelRows = 6;  // with a tile of two vectors: 12 accumulators of AVX2's 16 registers
static constexpr std::int64_t kPiece = 128;
static constexpr float kActivationMax = 16383.0f;
static constexpr std::int64_t kPieceWeight = 131071;  // 16383 * 131071 < 2^31
static constexpr float kTiny = 0x1p-100f;             // pieces below are zero

static inline std::int64_t pairs_of(std::int64_t inputs) {
  return (inputs + 3) / 4 * 2;
}

struct Rows {
  const std::int16_t* codes = nullptr;
  std::int64_t stride = 0;        // codes between rows
  const float* scales = nullptr;  // of the rows' pieces
  std::int64_t scale_stride = 0;  // scales between rows
  std::int64_t rows = 0;
};

struct Tile {
  const std::int16_t* codes = nullptr;
  std::int64_t pairs = 0;         // pairs_of(K)
  const float* scales = nullptr;  // kTile entries
  const float* bias = nullptr;    // or none
  int live = 0;                   // outputs that exist
  float* out = nullptr;           // the first row, the tile's first column
  std::int64_t out_stride = 0;
  const std::int16_t* next = nullptr;  // the tile that comes after this one, or none
};

// Asks for the share of the next tile that belongs to rows [row, row + panel) of `rows`, so that weights which
// lie in the third cache or in memory arrive while this tile is worked on. A pair of inputs is a cache line.
static inline void prefetch_next(const Tile& w, std::int64_t row, std::int64_t panel, std::int64_t rows) {
  if (w.next == nullptr) return;
  const std::int64_t last = row + panel < rows ? row + panel : rows;
  for (std::int64_t c = row * w.pairs / rows; c < last * w.pairs / rows; ++c)
    __builtin_prefetch(w.next + c * 2 * kTile, 0, 2);
}

struct QuantiseArgs {
  const float* x = nullptr;
  std::int64_t cols = 0;
  std::int16_t* codes = nullptr;  // 2 pairs_of(cols)
  float* scales = nullptr;        // one a piece
};

// The factors of a piece whose largest magnitude has these bits.
struct PieceFactors {
  float scale, inverse;
};
static inline PieceFactors piece_factors(std::uint32_t largest) {
  if (largest >= 0x7f800000u) return {__builtin_nanf(""), 0.0f};
  const float amax = __builtin_bit_cast(float, largest);
  if (amax < kTiny) return {0.0f, 0.0f};
  return {amax / kActivationMax, kActivationMax / amax};
}
static inline std::uint32_t magnitude_bits(float x) {
  return __builtin_bit_cast(std::uint32_t, x) & 0x7fffffffu;
}
// `inverse` is 0 for pieces of zeros and pieces with a NaN: all codes 0.
static inline std::int16_t quantise_one(float x, float inverse) {
  return inverse == 0.0f ? std::int16_t{0} : static_cast<std::int16_t>(__builtin_lrintf(x * inverse));
}

static inline void clear_rest(const QuantiseArgs& args) {
  for (std::int64_t k = args.cols; k < 2 * pairs_of(args.cols); ++k) args.codes[k] = 0;
}

}  // namespace consort::int16_matmul_detail

namespace consort {

CONSORT_FOR_EACH_ISA(void int16_quantise_row(const int16_matmul_detail::QuantiseArgs& args))
CONSORT_FOR_EACH_ISA(void int16_rows_by_tile(const int16_matmul_detail::Rows& x,
                                             const int16_matmul_detail::Tile& w))

}  // namespace consort

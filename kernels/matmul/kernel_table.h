// What one instruction set provides to matmul.cpp. Internal to kernels/matmul; no standard-library types,
// since the definitions are compiled with instruction sets that the rest of the program may not have.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/matmul/layout.h"

namespace consort::matmul_detail {

// Rows of x, quantised in blocks of 32: x = scale (256 high + low), |x / scale| <= kActivationMax. A block
// whose largest magnitude is below kTiny is zero; one with a NaN or infinity has scale NaN.
inline constexpr float kActivationMax = 32639.0f;  // 127 * 256 + 127: both halves fit signed bytes
inline constexpr float kActivationMax8 = 127.0f;  // where they become 8-bit integers
inline constexpr float kTiny = 0x1p-100f;

// 64 bytes that only the route which quantised them reads: as declared, or (AVX2) as words, see codes_avx2.h, or
// as 32 bytes (bytes_avx2.cpp).
struct ActivationBlock {
  std::int8_t high[32];
  std::int8_t low[32];
};

// The M rows stand in panels of KernelTable::panel (the last may be smaller): block b of row r of a panel of
// R rows is entry b R + r behind the panel's first. Panels of one are plain rows. With larger panels the
// bytes of the R blocks lie as the kernel wants them.
struct Activations {
  ActivationBlock* blocks = nullptr;  // [M x cols / 32]
  float* scales = nullptr;            // [M x cols / 32]
  std::int32_t* sums = nullptr;       // [M x cols / 32][2]: sums of the integers of each half block
  std::int64_t row_blocks = 0;        // cols / 32
};

// The rows of x of one panel and its first entries.
struct PanelToQuantise {
  const float* x;
  std::int64_t x_stride;  // floats between rows
  int rows;
  ActivationBlock* blocks;
  float* scales;
  std::int32_t* sums;  // two an entry
  float most = kActivationMax;  // of |x / scale|
};

// For each row, block and group: symmetric formats int32 -(offset x sum), affine formats float scale x sum.
struct Corrections {
  const std::uint32_t* bits = nullptr;  // [M x cols / 32][groups], int32 or float32
};

// A tile unpacked for use by many rows of x (and by the routes without an own packed kernel).
struct UnpackedTile {
  // [cols / 32][8][64], as in layout.h; for the words of AVX2 [cols / 2][16][2] (codes_avx2.h)
  std::uint8_t* codes = nullptr;
  float* scales = nullptr;    // [cols / 32][groups][16]
  float* minimums = nullptr;  // the same; affine formats only
};

// One tile's (or `tiles` neighbouring tiles') share of out for some rows.
struct OutTile {
  float* out = nullptr;         // row 0, first column of the first tile
  std::int64_t out_stride = 0;  // floats between rows
  int live = 0;                 // valid columns from `out` on, at most 16 x tiles
  const float* bias = nullptr;  // at the same column, or none
};

inline constexpr int kPlainTiles = 4;
static constexpr std::size_t kPrefetchAhead = 2048;  // bytes; a block's arithmetic hides about 100 ns of memory

// The rows of x for the plain formats: `stride` floats apart, or in panels of KernelTable::plain_panel (the
// last may be smaller) in which element k of row r of R is entry k R + r, so that a step of k reads one cache
// line.
struct PlainRows {
  const float* x = nullptr;
  std::int64_t stride = 0;  // of plain rows
};

// Block formats times integers.
struct IntegerRoute {
  float most = kActivationMax;  // of |x / scale|
  int panel = 1;                // rows of x that stand beside each other
  int packed_up_to = 0;         // rows that packed_rows takes; 0 where the set has none
  int unpacked_block = 512;     // bytes of an unpacked block's codes
  // Quantises blocks [first, last) of every row of a panel.
  void (*quantise)(const PanelToQuantise& panel, std::int64_t first, std::int64_t last) = nullptr;
  // out rows [0, rows) = one packed tile times rows [0, rows) of x, for few rows.
  void (*packed_rows)(DType type, const std::uint8_t* tile, const Activations& x,
                      const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) = nullptr;
  void (*unpack)(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) = nullptr;
  // out rows [0, rows) = `tiles` (1 or 2) unpacked tiles times rows [0, rows) of x.
  void (*unpacked_rows)(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                        const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) = nullptr;
};

struct KernelTable {
  IntegerRoute int16, int8;
  int plain_tiles = kPlainTiles;  // neighbouring tiles of plain formats in a step, at most kPlainTiles
  int plain_panel = 1;            // rows of a panel of PlainRows; 1: rows as they are. A single row always is
  int float_up_to = 0;            // rows that float_rows takes; 0 where the set has none
  // A packed tile of a block format as a plain tile of floats, [cols][16]: scale (code - offset), or for the
  // affine formats fma(scale, code, minimum).
  void (*decode)(DType type, const std::uint8_t* tile, std::int64_t cols, float* out) = nullptr;
  // out rows [0, rows) = one packed tile, decoded, times rows [0, rows) of x, for few rows. As decode() and
  // plain_rows() do it.
  void (*float_rows)(DType type, const std::uint8_t* tile, const PlainRows& x, std::int64_t cols,
                     std::int64_t rows, const OutTile& out) = nullptr;
  // Plain formats: `tiles` (at most kPlainTiles) neighbouring packed tiles times rows [0, rows) of x.
  void (*plain_rows)(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                     std::int64_t rows, const OutTile& out) = nullptr;
  // Makes a panel of at most plain_panel rows; null with panels of one.
  void (*interleave)(const PlainRows& x, std::int64_t cols, int rows, float* panel) = nullptr;
};

void decode_scalar(DType type, const std::uint8_t* tile, std::int64_t cols, float* out);
const KernelTable& scalar_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();

}  // namespace consort::matmul_detail

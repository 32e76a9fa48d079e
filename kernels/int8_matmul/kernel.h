// What one instruction set provides to int8_matmul.cpp. Internal to kernels/int8_matmul.
//
// Weights: a tile holds 16 outputs; vector c (64 bytes) of a tile has at byte 4 r + i the code (weight + 128)
// of output r at k = 4 c + i, which is what vpdpbusd wants. Activations: a panel holds 6 rows; group c (48
// bytes) has for each row four high bytes, then four low bytes of k = 4 c .. 4 c + 3. Missing rows and inputs
// are zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/lanes/dispatch.h"

namespace consort::int8_matmul_detail {

static constexpr int kTile = 16;
static constexpr int kPanelRows = 6;  // with 2 tiles: 24 accumulators of the 32 registers
static constexpr int kStepTiles = 2;
static constexpr int kGroupBytes = 8 * kPanelRows;
static constexpr float kActivationMax = 32639.0f;  // 127 * 256 + 127: both halves fit signed bytes
static constexpr float kTiny = 0x1p-100f;          // rows below are zero

// Of one row: x = scale (256 high + low).
struct RowScale {
  float scale = 0;
  std::int32_t high_sum = 0, low_sum = 0;
};

struct Panel {
  const std::int8_t* groups = nullptr;
  const RowScale* scales = nullptr;  // kPanelRows entries
  int rows = 0;                      // live ones
};

// `tiles` (1 or 2) neighbouring tiles.
struct Tiles {
  const std::uint8_t* codes = nullptr;
  std::int64_t groups = 0;        // K / 4, rounded up
  const float* scales = nullptr;  // kTile entries a tile
  const float* bias = nullptr;    // or none
  int tiles = 0, live = 0;        // live: outputs that exist
  float* out = nullptr;           // the panel's first row, the first tile's first column
  std::int64_t out_stride = 0;
};

struct QuantiseArgs {
  const float* x = nullptr;
  std::int64_t cols = 0;
  std::int8_t* groups = nullptr;  // of the row's panel, at the row's first eight bytes
  RowScale* scale = nullptr;
};

// The factors of a row whose largest magnitude has these bits.
struct RowFactors {
  float scale, inverse;
};
static inline RowFactors row_factors(std::uint32_t largest) {
  if (largest >= 0x7f800000u) return {__builtin_nanf(""), 0.0f};
  const float amax = __builtin_bit_cast(float, largest);
  if (amax < kTiny) return {0.0f, 0.0f};
  return {amax / kActivationMax, kActivationMax / amax};
}

// Values [from, cols) of a row, one by one. `inverse` is 0 for rows of zeros and rows with a NaN: all codes
// 0.
static inline void quantise_tail(const QuantiseArgs& args, float inverse, std::int64_t from) {
  for (std::int64_t k = from; k < args.cols; ++k) {
    const auto q = inverse == 0.0f ? 0 : static_cast<std::int32_t>(__builtin_lrintf(args.x[k] * inverse));
    const std::int32_t high = (q + 128) >> 8, low = q - 256 * high;
    std::int8_t* group = args.groups + k / 4 * kGroupBytes;
    group[k % 4] = static_cast<std::int8_t>(high);
    group[4 + k % 4] = static_cast<std::int8_t>(low);
    args.scale->high_sum += high;
    args.scale->low_sum += low;
  }
  for (std::int64_t k = args.cols; k % 4 != 0; ++k) {
    std::int8_t* group = args.groups + k / 4 * kGroupBytes;
    group[k % 4] = group[4 + k % 4] = 0;
  }
}

}  // namespace consort::int8_matmul_detail

namespace consort {

CONSORT_FOR_EACH_ISA(void int8_quantise_row(const int8_matmul_detail::QuantiseArgs& args))
CONSORT_FOR_EACH_ISA(void int8_panel_by_tiles(const int8_matmul_detail::Panel& x,
                                              const int8_matmul_detail::Tiles& w))

}  // namespace consort

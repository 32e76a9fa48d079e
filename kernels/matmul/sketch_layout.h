// The layout of a RowSketch and what one instruction set provides to it. Internal to kernels/matmul; no
// standard-library types (kernel_table.h says why).
//
// A tile holds 16 rows: for each block of 32 columns 320 bytes of codes of 5 bits (layout.h; weight = scale
// (code - 16)), then for all blocks f16 scales [16], then for all blocks a byte [16]: an upper bound of the
// norm of what the codes leave out, in units of scale / kRestUnits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/matmul/layout.h"

namespace consort::matmul_detail {

static constexpr PackFormat kSketchFormat{.bits = 5, .log2_offset = 4};
static constexpr int kSketchCodes = 320;
static constexpr int kRestUnits = 85;  // half a step in 32 columns is 2.83 scales: 241 units

static constexpr std::size_t sketch_tile_bytes(std::int64_t blocks) {
  return static_cast<std::size_t>(blocks) * (kSketchCodes + 2 * kTile + kTile);
}

// One row of x: in blocks of 32 as bytes, x' = scale byte.
struct SketchRow {
  const std::int8_t* bytes = nullptr;     // [blocks][32]
  const float* scales = nullptr;          // [blocks]
  const std::int32_t* offsets = nullptr;  // [blocks]: -16 times the sum of the bytes
  const float* norms = nullptr;           // [blocks]: of x, in units of kRestUnits, rounded up
  float slack = 0;                        // for every unit of a row's norm
};

// For each of `count` rows of x and the 16 rows of a tile: the product by the sketch, and how far matmul()'s
// may lie from it. upper: the largest product plus bound of the live rows; lower: the largest product minus
// bound.
using SketchTile = void (*)(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                            const SketchRow* x, int count, float* upper, float* lower);

SketchTile sketch_tile_of(Isa isa);
void sketch_tile_scalar(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                        const SketchRow* x, int count, float* upper, float* lower);
void sketch_tile_avx2(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                      const SketchRow* x, int count, float* upper, float* lower);
void sketch_tile_avx512(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                        const SketchRow* x, int count, float* upper, float* lower);

}  // namespace consort::matmul_detail

// Decoding of a file's quantised blocks into codes and scales, without rounding. Internal to kernels/matmul.
// Source of the block layouts: the GGUF specification and ggml's published block structures.
#pragma once

#include <cstdint>

#include "memory/tensor/dtype.h"

namespace consort::matmul_detail {

// One unit of one row: a block of 32 or, for the K formats, a super-block of 256.
struct RowUnit {
  std::uint8_t codes[256];      // unsigned codes in the order of k
  std::uint16_t d = 0;          // f16 bits of the scale
  std::uint16_t dmin = 0;       // f16 bits: minimum (Q4_1, Q5_1) or the scale of the minimums (K formats)
  std::int8_t factors[16];      // K formats: factor of d for each group (of 32 or 16)
  std::int8_t min_factors[16];  // K formats: factor of dmin for each group
};

// Decodes one unit of block format `type` at `src`. REQUIRES: src holds the unit's bytes;
// is_block_format(type).
void decode_unit(DType type, const std::uint8_t* src, RowUnit& out);

float f16_to_f32(std::uint16_t bits);
inline float bf16_to_f32(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace consort::matmul_detail

// The pieces of the AVX2 route, one file each. Internal to kernels/matmul.
#pragma once

#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {

static constexpr int kPackedAvx2 = 3;      // rows that are multiplied straight from the packed tile
static constexpr int kPlainPanelAvx2 = 6;  // with two vectors a row, twelve sums of the sixteen registers
static constexpr int kUnpackedWords = 2 * 512;  // bytes of an unpacked block's codes

void quantise_avx2(const PanelToQuantise& panel, std::int64_t first, std::int64_t last);
void packed_rows_avx2(DType type, const std::uint8_t* tile, const Activations& x,
                      const std::uint32_t* corrections, std::int64_t rows, const OutTile& out);
void unpack_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to);
void quantise_bytes_avx2(const PanelToQuantise& panel, std::int64_t first, std::int64_t last);
void packed_bytes_avx2(DType type, const std::uint8_t* tile, const Activations& x,
                       const std::uint32_t* corrections, std::int64_t rows, const OutTile& out);
void unpack_bytes_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to);
void unpacked_bytes_avx2(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                         const std::uint32_t* corrections, std::int64_t rows, const OutTile& out);
void decode_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, float* out);
void float_rows_avx2(DType type, const std::uint8_t* tile, const PlainRows& x, std::int64_t cols,
                     std::int64_t rows, const OutTile& out);
void plain_rows_avx2(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                     std::int64_t rows, const OutTile& out);
void interleave_avx2(const PlainRows& x, std::int64_t cols, int rows, float* panel);

}  // namespace consort::matmul_detail

// The pieces of the AVX-512 route, one file each. Internal to kernels/matmul.
#pragma once

#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {

void packed_rows_avx512(DType type, const std::uint8_t* tile, const Activations& x,
                        const std::uint32_t* corrections, std::int64_t rows, const OutTile& out);
void unpack_avx512(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to);
void unpacked_rows_avx512(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                          const std::uint32_t* corrections, std::int64_t rows, const OutTile& out);
void plain_rows_avx512(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                       std::int64_t rows, const OutTile& out);

}  // namespace consort::matmul_detail

// The pieces of the AVX-512 route, one file each. Internal to kernels/matmul.
#pragma once

#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {

void plain_rows_avx512(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                       std::int64_t rows, const OutTile& out);

}  // namespace consort::matmul_detail

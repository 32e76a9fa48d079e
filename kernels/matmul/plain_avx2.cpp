// AVX2: float32, float16 and bfloat16 weights, float32 fused multiply-add over k in increasing order.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"

namespace consort::matmul_detail {
namespace {

template <DType Type>
inline __attribute__((always_inline)) __m256 load8(const std::uint8_t* p) {
  if constexpr (Type == DType::kF32) return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if constexpr (Type == DType::kF16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

// Rows rows times one tile (two vectors a row): 12 accumulators of the 16 registers with 6 rows.
template <DType Type, int Rows>
void rows_by_tile(const std::uint8_t* w, const float* x, std::int64_t x_stride, std::int64_t cols,
                  const OutTile& out, int first, std::int64_t row) {
  __m256 acc[Rows][2];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
  x += row * x_stride;
  constexpr std::int64_t kStep = kTile * plain_bytes(Type);
  for (std::int64_t k = 0; k < cols; ++k) {
    const __m256 low = load8<Type>(w + k * kStep), high = load8<Type>(w + k * kStep + kStep / 2);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const __m256 xk = _mm256_broadcast_ss(x + m * x_stride + k);
      acc[m][0] = _mm256_fmadd_ps(low, xk, acc[m][0]);
      acc[m][1] = _mm256_fmadd_ps(high, xk, acc[m][1]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) {
    alignas(32) float values[kTile];
    _mm256_store_ps(values, acc[m][0]);
    _mm256_store_ps(values + 8, acc[m][1]);
    float* to = out.out + (row + m) * out.out_stride + first;
    for (int r = 0; r < kTile && first + r < out.live; ++r)
      to[r] = out.bias ? values[r] + out.bias[first + r] : values[r];
  }
}

template <DType Type>
void all_rows(const std::uint8_t* w, int tiles, const float* x, std::int64_t x_stride, std::int64_t cols,
              std::int64_t rows, const OutTile& out) {
  for (int t = 0; t < tiles; ++t, w += tile_bytes(Type, static_cast<std::size_t>(cols))) {
    std::int64_t m = 0;
    for (; m + 6 <= rows; m += 6) rows_by_tile<Type, 6>(w, x, x_stride, cols, out, kTile * t, m);
    for (; m + 2 <= rows; m += 2) rows_by_tile<Type, 2>(w, x, x_stride, cols, out, kTile * t, m);
    if (m < rows) rows_by_tile<Type, 1>(w, x, x_stride, cols, out, kTile * t, m);
  }
}

}  // namespace

void plain_rows_avx2(DType type, const std::uint8_t* tile, int tiles, const float* x, std::int64_t x_stride,
                     std::int64_t cols, std::int64_t rows, const OutTile& out) {
  if (type == DType::kF32) return all_rows<DType::kF32>(tile, tiles, x, x_stride, cols, rows, out);
  if (type == DType::kF16) return all_rows<DType::kF16>(tile, tiles, x, x_stride, cols, rows, out);
  all_rows<DType::kBF16>(tile, tiles, x, x_stride, cols, rows, out);
}

}  // namespace consort::matmul_detail

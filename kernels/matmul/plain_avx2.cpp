// AVX2: float32, float16 and bfloat16 weights, float32 fused multiply-add over k in increasing order.
#include <immintrin.h>

#include "kernels/lanes/interleave_avx2.h"
#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

template <DType Type>
inline __attribute__((always_inline)) __m256 load8(const std::uint8_t* p) {
  if constexpr (Type == DType::kF32) return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if constexpr (Type == DType::kF16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

// A panel of Rows rows times one tile.
template <DType Type, int Rows>
void panel_by_tile(const std::uint8_t* w, const float* x, std::int64_t cols, const OutTile& out, int first,
                   std::int64_t row) {
  __m256 acc[Rows][2];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
  constexpr std::int64_t kStep = kTile * plain_bytes(Type);
#pragma GCC unroll 4
  for (std::int64_t k = 0; k < cols; ++k) {
    const __m256 low = load8<Type>(w + k * kStep), high = load8<Type>(w + k * kStep + kStep / 2);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const __m256 xk = _mm256_broadcast_ss(x + k * Rows + m);
      acc[m][0] = _mm256_fmadd_ps(low, xk, acc[m][0]);
      acc[m][1] = _mm256_fmadd_ps(high, xk, acc[m][1]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) store_row(acc[m], row + m, first, out);
}

// The last panel, of at most Rows rows.
template <DType Type, int Rows>
inline void last_panel(const std::uint8_t* w, const float* x, std::int64_t cols, const OutTile& out,
                       int first, std::int64_t row, std::int64_t rows) {
  if (rows == Rows) return panel_by_tile<Type, Rows>(w, x, cols, out, first, row);
  if constexpr (Rows > 1) last_panel<Type, Rows - 1>(w, x, cols, out, first, row, rows);
}

template <DType Type>
void all_rows(const std::uint8_t* w, int tiles, const float* x, std::int64_t cols, std::int64_t rows,
              const OutTile& out) {
  constexpr int kPanel = kPlainPanelAvx2;
  for (int t = 0; t < tiles; ++t, w += tile_bytes(Type, static_cast<std::size_t>(cols))) {
    std::int64_t m = 0;
    for (; m + kPanel <= rows; m += kPanel)
      panel_by_tile<Type, kPanel>(w, x + m * cols, cols, out, kTile * t, m);
    if (m < rows) last_panel<Type, kPanel - 1>(w, x + m * cols, cols, out, kTile * t, m, rows - m);
  }
}

}  // namespace

void interleave_avx2(const PlainRows& x, std::int64_t cols, int rows, float* panel) {
  avx2::interleave_rows(x.x, x.stride, cols, rows, panel);
}

void plain_rows_avx2(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                     std::int64_t rows, const OutTile& out) {
  if (type == DType::kF32) return all_rows<DType::kF32>(tile, tiles, x.x, cols, rows, out);
  if (type == DType::kF16) return all_rows<DType::kF16>(tile, tiles, x.x, cols, rows, out);
  all_rows<DType::kBF16>(tile, tiles, x.x, cols, rows, out);
}

}  // namespace consort::matmul_detail

// AVX-512: float32, float16 and bfloat16 weights, float32 fused multiply-add over k in increasing order.
#include <immintrin.h>

#include "kernels/matmul/avx512_parts.h"

namespace consort::matmul_detail {
namespace {

template <DType Type>
inline __attribute__((always_inline)) __m512 load16(const std::uint8_t* p) {
  if constexpr (Type == DType::kF32) return _mm512_loadu_ps(p);
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  if constexpr (Type == DType::kF16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

template <DType Type, int Rows, int Tiles>
void rows_by_tiles(const std::uint8_t* w, std::int64_t tile_size, const float* x, std::int64_t x_stride,
                   std::int64_t cols, const OutTile& out, std::int64_t row) {
  __m512 acc[Rows][Tiles];
  for (int m = 0; m < Rows; ++m)
    for (int t = 0; t < Tiles; ++t) acc[m][t] = _mm512_setzero_ps();
  x += row * x_stride;
  constexpr std::int64_t kStep = kTile * plain_bytes(Type);
  for (std::int64_t k = 0; k < cols; ++k) {
    __m512 wk[Tiles];
    for (int t = 0; t < Tiles; ++t) wk[t] = load16<Type>(w + t * tile_size + k * kStep);
    for (int m = 0; m < Rows; ++m) {
      const __m512 xk = _mm512_set1_ps(x[m * x_stride + k]);
      for (int t = 0; t < Tiles; ++t) acc[m][t] = _mm512_fmadd_ps(wk[t], xk, acc[m][t]);
    }
  }
  for (int t = 0; t < Tiles; ++t) {
    const int live = out.live - kTile * t;
    const auto mask = static_cast<__mmask16>(live >= kTile ? 0xffff : (1 << live) - 1);
    const __m512 bias = out.bias ? _mm512_maskz_loadu_ps(mask, out.bias + kTile * t) : _mm512_setzero_ps();
    for (int m = 0; m < Rows; ++m) {
      const __m512 sum = out.bias ? _mm512_add_ps(acc[m][t], bias) : acc[m][t];
      _mm512_mask_storeu_ps(out.out + (row + m) * out.out_stride + kTile * t, mask, sum);
    }
  }
}

template <DType Type, int Tiles>
void all_rows(const std::uint8_t* w, const float* x, std::int64_t x_stride, std::int64_t cols,
              std::int64_t rows, const OutTile& out) {
  // 24 accumulators of the 32 registers. Two tiles and 12 rows for the 16-bit types, so that a widened vector
  // of weights serves 12 products.
  constexpr int kRows = 24 / (Tiles < 2 ? 2 : Tiles);
  const auto tile_size = static_cast<std::int64_t>(tile_bytes(Type, static_cast<std::size_t>(cols)));
  std::int64_t m = 0;
  for (; m + kRows <= rows; m += kRows)
    rows_by_tiles<Type, kRows, Tiles>(w, tile_size, x, x_stride, cols, out, m);
  constexpr int kHalf = kRows / 2;
  for (; m + kHalf <= rows; m += kHalf)
    rows_by_tiles<Type, kHalf, Tiles>(w, tile_size, x, x_stride, cols, out, m);
  for (; m + 2 <= rows; m += 2) rows_by_tiles<Type, 2, Tiles>(w, tile_size, x, x_stride, cols, out, m);
  if (m < rows) rows_by_tiles<Type, 1, Tiles>(w, tile_size, x, x_stride, cols, out, m);
}

template <DType Type>
void by_tiles(const std::uint8_t* w, int tiles, const float* x, std::int64_t x_stride, std::int64_t cols,
              std::int64_t rows, const OutTile& out) {
  constexpr int kWiden = 12;  // rows from which pairs of tiles are better for the 16-bit types
  if (Type != DType::kF32 && rows >= kWiden && tiles > 2) {
    OutTile second = out;
    second.out += 2 * kTile;
    second.live -= 2 * kTile;
    second.bias += out.bias ? 2 * kTile : 0;
    by_tiles<Type>(w, 2, x, x_stride, cols, rows, out);
    return by_tiles<Type>(w + 2 * tile_bytes(Type, static_cast<std::size_t>(cols)), tiles - 2, x, x_stride,
                          cols, rows, second);
  }
  switch (tiles) {
    case 4:
      return all_rows<Type, 4>(w, x, x_stride, cols, rows, out);
    case 3:
      return all_rows<Type, 3>(w, x, x_stride, cols, rows, out);
    case 2:
      return all_rows<Type, 2>(w, x, x_stride, cols, rows, out);
    default:
      return all_rows<Type, 1>(w, x, x_stride, cols, rows, out);
  }
}

}  // namespace

void plain_rows_avx512(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                       std::int64_t rows, const OutTile& out) {
  if (type == DType::kF32) return by_tiles<DType::kF32>(tile, tiles, x.x, x.stride, cols, rows, out);
  if (type == DType::kF16) return by_tiles<DType::kF16>(tile, tiles, x.x, x.stride, cols, rows, out);
  by_tiles<DType::kBF16>(tile, tiles, x.x, x.stride, cols, rows, out);
}

}  // namespace consort::matmul_detail

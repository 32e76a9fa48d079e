// AVX2: tiles of a sketch against a few rows of x, products of bytes (vpmaddubsw).
#include <immintrin.h>

#include "kernels/matmul/codes_avx2.h"
#include "kernels/matmul/sketch_layout.h"

namespace consort::matmul_detail {
namespace {

// Four columns of a block of x in every lane.
inline __m256i four_of(const std::int8_t* x) {
  std::int32_t four;
  __builtin_memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}

// Code vectors [First, First + 4) of a block: their sums stay within 16 bits (4 x 2 x 31 x 127 = 31,496).
template <int First, int Rows, int C = 0>
inline __attribute__((always_inline)) void add_four(const std::uint8_t* codes, int half,
                                                    const std::int8_t* const (&x)[Rows],
                                                    __m256i (&sums)[Rows]) {
  if constexpr (C < 4) {
    const __m256i w = code_bytes_of<kSketchFormat, First + C>(codes, half);
#pragma GCC unroll 4
    for (int m = 0; m < Rows; ++m)
      sums[m] = _mm256_add_epi16(sums[m], _mm256_maddubs_epi16(w, four_of(x[m] + 4 * (First + C))));
    add_four<First, Rows, C + 1>(codes, half, x, sums);
  }
}

template <int Rows>
void tile_rows(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
               const SketchRow* x, float* upper, float* lower) {
  __m256 product[Rows][2], rest[Rows][2];
  for (int m = 0; m < Rows; ++m)
    product[m][0] = product[m][1] = rest[m][0] = rest[m][1] = _mm256_setzero_ps();
  const std::uint8_t* scales = tile + kSketchCodes * blocks;
  const std::uint8_t* rests = scales + 2 * kTile * blocks;
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::uint8_t* codes = tile + kSketchCodes * b;
    for (int i = 0; i < kSketchCodes; i += 64)
      _mm_prefetch(reinterpret_cast<const char*>(codes) + 4096 + i, _MM_HINT_T0);
    const std::int8_t* xs[Rows];
    for (int m = 0; m < Rows; ++m) xs[m] = x[m].bytes + kBlock * b;
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      __m256i first[Rows], second[Rows];
      for (int m = 0; m < Rows; ++m) first[m] = second[m] = _mm256_setzero_si256();
      add_four<0, Rows>(codes, 32 * h, xs, first);
      add_four<4, Rows>(codes, 32 * h, xs, second);
      const __m256 scale = load_f16(scales + 2 * kTile * b + 16 * h);
      const __m256 units = _mm256_cvtepi32_ps(
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(rests + kTile * b + 8 * h))));
#pragma GCC unroll 4
      for (int m = 0; m < Rows; ++m) {
        const __m256i sum = _mm256_add_epi32(
            _mm256_set1_epi32(x[m].offsets[b]),
            _mm256_add_epi32(_mm256_madd_epi16(first[m], ones), _mm256_madd_epi16(second[m], ones)));
        product[m][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum),
                                        _mm256_mul_ps(scale, _mm256_set1_ps(x[m].scales[b])), product[m][h]);
        rest[m][h] = _mm256_fmadd_ps(units, _mm256_mul_ps(scale, _mm256_set1_ps(x[m].norms[b])), rest[m][h]);
      }
    }
  }
  for (int m = 0; m < Rows; ++m) {
    alignas(32) float high[kTile], low[kTile];
    for (int h = 0; h < 2; ++h) {
      const __m256 bound =
          _mm256_fmadd_ps(_mm256_loadu_ps(row_norms + 8 * h), _mm256_set1_ps(x[m].slack), rest[m][h]);
      _mm256_store_ps(high + 8 * h, _mm256_add_ps(product[m][h], bound));
      _mm256_store_ps(low + 8 * h, _mm256_sub_ps(product[m][h], bound));
    }
    upper[m] = high[0];
    lower[m] = low[0];
    for (int r = 1; r < live; ++r) {
      upper[m] = high[r] > upper[m] ? high[r] : upper[m];
      lower[m] = low[r] > lower[m] ? low[r] : lower[m];
    }
  }
}

}  // namespace

void sketch_tile_avx2(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                      const SketchRow* x, int count, float* upper, float* lower) {
  int m = 0;
  for (; count - m >= 3; m += 3) tile_rows<3>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
  if (count - m == 2) return tile_rows<2>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
  if (count - m == 1) tile_rows<1>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
}

}  // namespace consort::matmul_detail

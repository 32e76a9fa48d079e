// AVX-512 VNNI: tiles of a sketch against a few rows of x.
#include <immintrin.h>

#include "kernels/matmul/codes_avx512.h"
#include "kernels/matmul/sketch_layout.h"

namespace consort::matmul_detail {
namespace {

inline __m512i four_of(const std::int8_t* x) {
  std::int32_t four;
  __builtin_memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}

template <int Rows>
void tile_rows(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
               const SketchRow* x, float* upper, float* lower) {
  __m512 product[Rows], rest[Rows];
  for (int m = 0; m < Rows; ++m) product[m] = rest[m] = _mm512_setzero_ps();
  const std::uint8_t* scales = tile + kSketchCodes * blocks;
  const std::uint8_t* rests = scales + 2 * kTile * blocks;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::uint8_t* codes = tile + kSketchCodes * b;
    for (int i = 0; i < kSketchCodes; i += 64) _mm_prefetch(codes + 4096 + i, _MM_HINT_T0);
    __m512i first[Rows], second[Rows];
    for (int m = 0; m < Rows; ++m) {
      first[m] = _mm512_set1_epi32(x[m].offsets[b]);
      second[m] = _mm512_setzero_si512();
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      const __m512i w0 = code_vector<kSketchFormat>(codes, c), w1 = code_vector<kSketchFormat>(codes, c + 4);
#pragma GCC unroll 4
      for (int m = 0; m < Rows; ++m) {
        first[m] = _mm512_dpbusd_epi32(first[m], w0, four_of(x[m].bytes + kBlock * b + 4 * c));
        second[m] = _mm512_dpbusd_epi32(second[m], w1, four_of(x[m].bytes + kBlock * b + 4 * (c + 4)));
      }
    }
    const __m512 scale = load_f16(scales + 2 * kTile * b);
    const __m512 units = _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rests + kTile * b))));
    for (int m = 0; m < Rows; ++m) {
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(first[m], second[m]));
      product[m] = _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, _mm512_set1_ps(x[m].scales[b])), product[m]);
      rest[m] = _mm512_fmadd_ps(units, _mm512_mul_ps(scale, _mm512_set1_ps(x[m].norms[b])), rest[m]);
    }
  }
  const auto mask = static_cast<__mmask16>((1u << live) - 1);
  for (int m = 0; m < Rows; ++m) {
    const __m512 bound = _mm512_fmadd_ps(_mm512_loadu_ps(row_norms), _mm512_set1_ps(x[m].slack), rest[m]);
    upper[m] = _mm512_mask_reduce_max_ps(mask, _mm512_add_ps(product[m], bound));
    lower[m] = _mm512_mask_reduce_max_ps(mask, _mm512_sub_ps(product[m], bound));
  }
}

}  // namespace

void sketch_tile_avx512(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                        const SketchRow* x, int count, float* upper, float* lower) {
  int m = 0;
  for (; count - m >= 4; m += 4) tile_rows<4>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
  if (count - m == 3) return tile_rows<3>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
  if (count - m == 2) return tile_rows<2>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
  if (count - m == 1) tile_rows<1>(tile, blocks, row_norms, live, x + m, upper + m, lower + m);
}

}  // namespace consort::matmul_detail

// AVX-512 VNNI: several rows of x against unpacked tiles (prefill, batches). The same order of additions for
// every output as in packed_avx512.cpp.
#include <immintrin.h>

#include <cstring>

#include "kernels/matmul/avx512_parts.h"

namespace consort::matmul_detail {
namespace {

constexpr int kRows = 4;  // with 2 tiles: 16 integer and 8 float accumulators of the 32 registers

inline __m512i dot4(__m512i sum, __m512i codes, __m512i x) {
  return _mm512_dpbusd_epi32(sum, codes, x);
}
inline __m512i broadcast4(const std::int8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}

// Rows [row, row + Rows) times Tiles tiles.
template <int Groups, bool Affine, int Rows, int Tiles>
void rows_by_tiles(const UnpackedTile* w, const Activations& x, const std::uint32_t* corrections,
                   std::int64_t row, const OutTile& out) {
  __m512 acc[Rows][Tiles];
  for (int m = 0; m < Rows; ++m)
    for (int t = 0; t < Tiles; ++t) acc[m][t] = _mm512_setzero_ps();
  const std::int64_t stride = x.row_blocks;
  const ActivationBlock* blocks = x.blocks + row * stride;
  const float* x_scales = x.scales + row * stride;
  corrections += row * stride * Groups;
  for (std::int64_t b = 0; b < stride; ++b) {
    for (int g = 0; g < Groups; ++g) {
      __m512i high[Rows][Tiles], low[Rows][Tiles];
      for (int m = 0; m < Rows; ++m)
        for (int t = 0; t < Tiles; ++t) {
          high[m][t] = _mm512_setzero_si512();
          low[m][t] =
              Affine
                  ? _mm512_setzero_si512()
                  : _mm512_set1_epi32(static_cast<std::int32_t>(corrections[(m * stride + b) * Groups + g]));
        }
#pragma GCC unroll 8
      for (int c = 8 / Groups * g; c < 8 / Groups * (g + 1); ++c) {
        __m512i codes[Tiles];
        for (int t = 0; t < Tiles; ++t) codes[t] = _mm512_load_si512(w[t].codes + 512 * b + 64 * c);
        for (int m = 0; m < Rows; ++m) {
          const ActivationBlock& xb = blocks[m * stride + b];
          const __m512i xh = broadcast4(xb.high + 4 * c), xl = broadcast4(xb.low + 4 * c);
          for (int t = 0; t < Tiles; ++t) high[m][t] = dot4(high[m][t], codes[t], xh);
          for (int t = 0; t < Tiles; ++t) low[m][t] = dot4(low[m][t], codes[t], xl);
        }
      }
      const std::int64_t at = (b * Groups + g) * kTile;
      for (int t = 0; t < Tiles; ++t) {
        const __m512 scale = _mm512_load_ps(w[t].scales + at);
        for (int m = 0; m < Rows; ++m) {
          const __m512 sum =
              _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high[m][t], 8), low[m][t]));
          acc[m][t] =
              _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, _mm512_set1_ps(x_scales[m * stride + b])), acc[m][t]);
          if constexpr (Affine) {
            const float correction = __builtin_bit_cast(float, corrections[(m * stride + b) * Groups + g]);
            acc[m][t] =
                _mm512_fmadd_ps(_mm512_load_ps(w[t].minimums + at), _mm512_set1_ps(correction), acc[m][t]);
          }
        }
      }
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

template <int Groups, bool Affine, int Tiles>
void all_rows(const UnpackedTile* w, const Activations& x, const std::uint32_t* corrections,
              std::int64_t rows, const OutTile& out) {
  std::int64_t m = 0;
  for (; m + kRows <= rows; m += kRows)
    rows_by_tiles<Groups, Affine, kRows, Tiles>(w, x, corrections, m, out);
  switch (rows - m) {
    case 3:
      return rows_by_tiles<Groups, Affine, 3, Tiles>(w, x, corrections, m, out);
    case 2:
      return rows_by_tiles<Groups, Affine, 2, Tiles>(w, x, corrections, m, out);
    case 1:
      return rows_by_tiles<Groups, Affine, 1, Tiles>(w, x, corrections, m, out);
    default:
      return;
  }
}

template <int Groups, bool Affine>
void by_tiles(const UnpackedTile* w, int tiles, const Activations& x, const std::uint32_t* corrections,
              std::int64_t rows, const OutTile& out) {
  if (tiles == 2)
    all_rows<Groups, Affine, 2>(w, x, corrections, rows, out);
  else
    all_rows<Groups, Affine, 1>(w, x, corrections, rows, out);
}

}  // namespace

void unpacked_rows_avx512(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                          const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  const PackFormat f = pack_format(type);
  if (f.groups == 1)
    f.affine ? by_tiles<1, true>(w, tiles, x, corrections, rows, out)
             : by_tiles<1, false>(w, tiles, x, corrections, rows, out);
  else
    f.affine ? by_tiles<2, true>(w, tiles, x, corrections, rows, out)
             : by_tiles<2, false>(w, tiles, x, corrections, rows, out);
}

}  // namespace consort::matmul_detail

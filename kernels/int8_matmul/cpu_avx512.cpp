// AVX-512 VNNI.
#include <immintrin.h>

#include "kernels/int8_matmul/kernel.h"

namespace consort::avx512 {

using namespace int8_matmul_detail;

void int8_quantise_row(const QuantiseArgs& args) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i largest = _mm512_setzero_si512();
  std::int64_t k = 0;
  for (; k + 16 <= args.cols; k += 16)
    largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_loadu_si512(args.x + k), magnitude));
  if (k < args.cols) {
    const auto mask = static_cast<__mmask16>((1u << (args.cols - k)) - 1);
    largest =
        _mm512_max_epu32(largest, _mm512_and_si512(_mm512_maskz_loadu_epi32(mask, args.x + k), magnitude));
  }
  const RowFactors factors = row_factors(_mm512_reduce_max_epu32(largest));
  const __m512 inverse = _mm512_set1_ps(factors.inverse);
  const __mmask16 live = factors.inverse == 0.0f ? 0 : 0xffff;
  __m512i high_sum = _mm512_setzero_si512(), low_sum = _mm512_setzero_si512();
  for (k = 0; k + 16 <= args.cols; k += 16) {
    const __m512i q = _mm512_maskz_cvtps_epi32(live, _mm512_mul_ps(_mm512_loadu_ps(args.x + k), inverse));
    const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(128)), 8);
    const __m512i low = _mm512_sub_epi32(q, _mm512_slli_epi32(high, 8));
    high_sum = _mm512_add_epi32(high_sum, high);
    low_sum = _mm512_add_epi32(low_sum, low);
    const __m128i h = _mm512_cvtepi32_epi8(high), l = _mm512_cvtepi32_epi8(low);
    const __m128i first = _mm_unpacklo_epi32(h, l), second = _mm_unpackhi_epi32(h, l);
    std::int8_t* group = args.groups + k / 4 * kGroupBytes;
    _mm_storel_epi64(reinterpret_cast<__m128i*>(group), first);
    _mm_storeh_pd(reinterpret_cast<double*>(group + kGroupBytes), _mm_castsi128_pd(first));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(group + 2 * kGroupBytes), second);
    _mm_storeh_pd(reinterpret_cast<double*>(group + 3 * kGroupBytes), _mm_castsi128_pd(second));
  }
  *args.scale = RowScale{factors.scale, _mm512_reduce_add_epi32(high_sum), _mm512_reduce_add_epi32(low_sum)};
  quantise_tail(args, factors.inverse, k);
}

namespace {

inline __m512i four(const std::int8_t* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, 4);
  return _mm512_set1_epi32(bits);
}

template <int Rows, int Count>
void block(const Panel& x, const Tiles& w) {
  __m512i high[Rows][Count], low[Rows][Count];
  for (int m = 0; m < Rows; ++m)
    for (int t = 0; t < Count; ++t) {
      high[m][t] = _mm512_set1_epi32(static_cast<int>(-128u * static_cast<unsigned>(x.scales[m].high_sum)));
      low[m][t] = _mm512_set1_epi32(static_cast<int>(-128u * static_cast<unsigned>(x.scales[m].low_sum)));
    }
  const std::uint8_t* codes = w.codes;
  const std::int8_t* group = x.groups;
  for (std::int64_t c = 0; c < w.groups; ++c, codes += 64, group += kGroupBytes) {
    __m512i weights[Count];
    for (int t = 0; t < Count; ++t) weights[t] = _mm512_load_si512(codes + t * w.groups * 64);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const __m512i h = four(group + 8 * m), l = four(group + 8 * m + 4);
      for (int t = 0; t < Count; ++t) {
        high[m][t] = _mm512_dpbusd_epi32(high[m][t], weights[t], h);
        low[m][t] = _mm512_dpbusd_epi32(low[m][t], weights[t], l);
      }
    }
  }
  for (int t = 0; t < Count; ++t) {
    const int live = w.live - kTile * t;
    const auto mask = static_cast<__mmask16>(live >= kTile ? 0xffff : (1 << live) - 1);
    const __m512 bias = w.bias ? _mm512_maskz_loadu_ps(mask, w.bias + kTile * t) : _mm512_setzero_ps();
    const __m512 scale = _mm512_load_ps(w.scales + kTile * t);
    for (int m = 0; m < Rows; ++m) {
      const __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(high[m][t]), _mm512_set1_ps(256.0f),
                                         _mm512_cvtepi32_ps(low[m][t]));
      _mm512_mask_storeu_ps(
          w.out + m * w.out_stride + kTile * t, mask,
          _mm512_fmadd_ps(sum, _mm512_mul_ps(_mm512_set1_ps(x.scales[m].scale), scale), bias));
    }
  }
}

template <int Count>
void panel(const Panel& x, const Tiles& w) {
  switch (x.rows) {
    case 1:
      return block<1, Count>(x, w);
    case 2:
      return block<2, Count>(x, w);
    case 3:
      return block<3, Count>(x, w);
    case 4:
      return block<4, Count>(x, w);
    case 5:
      return block<5, Count>(x, w);
    default:
      return block<6, Count>(x, w);
  }
}

}  // namespace

void int8_panel_by_tiles(const Panel& x, const Tiles& w) {
  w.tiles == 2 ? panel<2>(x, w) : panel<1>(x, w);
}

}  // namespace consort::avx512

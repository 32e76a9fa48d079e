// AVX2: codes and halves widened to 16 bits for vpmaddwd (vpmaddubsw would saturate: 2 x 255 x 127 > 32,767).
#include <immintrin.h>

#include "kernels/int8_matmul/kernel.h"

namespace consort::avx2 {

using namespace int8_matmul_detail;

namespace {

int sum_of(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
unsigned largest_of(__m256i v) {
  __m128i s = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_max_epu32(s, _mm_shuffle_epi32(s, 0x4e));
  return static_cast<unsigned>(_mm_cvtsi128_si32(_mm_max_epu32(s, _mm_shuffle_epi32(s, 0xb1))));
}

inline __m256i wide4(const std::int8_t* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, 4);
  return _mm256_cvtepi8_epi16(_mm_set1_epi32(bits));
}

// Sums of 16 outputs: four accumulators of 4 outputs, each in two neighbouring lanes, become two of eight.
inline void gather(const __m256i* acc, __m256i* out) {
  out[0] = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[0], acc[1]), 0xd8);
  out[1] = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[2], acc[3]), 0xd8);
}

void row_by_tile(const Panel& x, const Tiles& w, int m, int t) {
  __m256i high[4], low[4];
  for (int j = 0; j < 4; ++j) high[j] = low[j] = _mm256_setzero_si256();
  const std::uint8_t* codes = w.codes + t * w.groups * 64;
  const std::int8_t* group = x.groups + 8 * m;
  for (std::int64_t c = 0; c < w.groups; ++c, codes += 64, group += kGroupBytes) {
    const __m256i h = wide4(group), l = wide4(group + 4);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m256i four =
          _mm256_cvtepu8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(codes + 16 * j)));
      high[j] = _mm256_add_epi32(high[j], _mm256_madd_epi16(four, h));
      low[j] = _mm256_add_epi32(low[j], _mm256_madd_epi16(four, l));
    }
  }
  __m256i h[2], l[2];
  gather(high, h);
  gather(low, l);
  const RowScale& row = x.scales[m];
  const __m256i h_shift = _mm256_set1_epi32(static_cast<int>(128u * static_cast<unsigned>(row.high_sum)));
  const __m256i l_shift = _mm256_set1_epi32(static_cast<int>(128u * static_cast<unsigned>(row.low_sum)));
  float* out = w.out + m * w.out_stride + kTile * t;
  for (int j = 0; j < 2; ++j) {
    const int live = w.live - kTile * t - 8 * j;
    const __m256i mask =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(live), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256 bias = w.bias ? _mm256_maskload_ps(w.bias + kTile * t + 8 * j, mask) : _mm256_setzero_ps();
    const __m256 sum =
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(h[j], h_shift)), _mm256_set1_ps(256.0f),
                        _mm256_cvtepi32_ps(_mm256_sub_epi32(l[j], l_shift)));
    const __m256 scale =
        _mm256_mul_ps(_mm256_set1_ps(row.scale), _mm256_load_ps(w.scales + kTile * t + 8 * j));
    _mm256_maskstore_ps(out + 8 * j, mask, _mm256_fmadd_ps(sum, scale, bias));
  }
}

}  // namespace

void int8_quantise_row(const QuantiseArgs& args) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i largest = _mm256_setzero_si256();
  std::int64_t k = 0;
  for (; k + 8 <= args.cols; k += 8)
    largest = _mm256_max_epu32(
        largest,
        _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(args.x + k)), magnitude));
  std::uint32_t most = largest_of(largest);
  for (; k < args.cols; ++k) {
    const std::uint32_t one = __builtin_bit_cast(std::uint32_t, args.x[k]) & 0x7fffffffu;
    most = one > most ? one : most;
  }
  const RowFactors factors = row_factors(most);
  const __m256 inverse = _mm256_set1_ps(factors.inverse);
  __m256i high_sum = _mm256_setzero_si256(), low_sum = _mm256_setzero_si256();
  for (k = 0; factors.inverse != 0.0f && k + 8 <= args.cols; k += 8) {
    const __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(args.x + k), inverse));
    const __m256i high = _mm256_srai_epi32(_mm256_add_epi32(q, _mm256_set1_epi32(128)), 8);
    const __m256i low = _mm256_sub_epi32(q, _mm256_slli_epi32(high, 8));
    high_sum = _mm256_add_epi32(high_sum, high);
    low_sum = _mm256_add_epi32(low_sum, low);
    // Each 128-bit half is one group: its high bytes, then its low bytes.
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(high, low), _mm256_setzero_si256());
    std::int8_t* group = args.groups + k / 4 * kGroupBytes;
    _mm_storel_epi64(reinterpret_cast<__m128i*>(group), _mm256_castsi256_si128(bytes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(group + kGroupBytes), _mm256_extracti128_si256(bytes, 1));
  }
  *args.scale = RowScale{factors.scale, sum_of(high_sum), sum_of(low_sum)};
  quantise_tail(args, factors.inverse, k);
}

void int8_panel_by_tiles(const Panel& x, const Tiles& w) {
  for (int t = 0; t < w.tiles; ++t)
    for (int m = 0; m < x.rows; ++m) row_by_tile(x, w, m, t);
}

}  // namespace consort::avx2

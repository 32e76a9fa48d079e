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

// Through the intrinsic GCC 12 copies accumulators before almost every use: half the speed.
[[gnu::always_inline]] inline void dot4(__m512i& sum, __m512i codes, __m512i x) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(x));
}

// The sums of one row with one or two tiles. Named members, not arrays: arrays of accumulators go to memory.
template <int Count>
struct RowSums {
  __m512i high0, low0, high1, low1;

  [[gnu::always_inline]] explicit RowSums(const RowScale& row) {
    high0 = high1 = _mm512_set1_epi32(static_cast<int>(-128u * static_cast<unsigned>(row.high_sum)));
    low0 = low1 = _mm512_set1_epi32(static_cast<int>(-128u * static_cast<unsigned>(row.low_sum)));
  }
  [[gnu::always_inline]] void add(const std::int8_t* group, __m512i weights0, __m512i weights1) {
    const __m512i h = four(group), l = four(group + 4);
    dot4(high0, weights0, h);
    dot4(low0, weights0, l);
    if constexpr (Count == 2) {
      dot4(high1, weights1, h);
      dot4(low1, weights1, l);
    }
  }
  static void store_tile(__m512i high, __m512i low, float row_scale, const Tiles& w, int t, float* out) {
    const int live = w.live - kTile * t;
    const auto mask = static_cast<__mmask16>(live >= kTile ? 0xffff : (1 << live) - 1);
    const __m512 bias = w.bias ? _mm512_maskz_loadu_ps(mask, w.bias + kTile * t) : _mm512_setzero_ps();
    const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(row_scale), _mm512_load_ps(w.scales + kTile * t));
    const __m512 sum =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(high), _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(low));
    _mm512_mask_storeu_ps(out + kTile * t, mask, _mm512_fmadd_ps(sum, scale, bias));
  }
  void store(float row_scale, const Tiles& w, float* out) const {
    store_tile(high0, low0, row_scale, w, 0, out);
    if constexpr (Count == 2) store_tile(high1, low1, row_scale, w, 1, out);
  }
};

// 6 rows with 2 tiles: 24 accumulators, 2 vectors of weights and 2 of x in 32 registers.
template <int Rows, int Count>
void block(const Panel& x, const Tiles& w) {
  const RowScale* s = x.scales;
  RowSums<Count> r0(s[0]), r1(s[Rows > 1 ? 1 : 0]), r2(s[Rows > 2 ? 2 : 0]), r3(s[Rows > 3 ? 3 : 0]),
      r4(s[Rows > 4 ? 4 : 0]), r5(s[Rows > 5 ? 5 : 0]);
  const std::uint8_t* codes = w.codes;
  const std::uint8_t* codes1 = w.codes + (Count == 2 ? w.groups * 64 : 0);
  const std::int8_t* group = x.groups;
  for (std::int64_t c = 0; c < w.groups; ++c, codes += 64, codes1 += 64, group += kGroupBytes) {
    const __m512i weights0 = _mm512_load_si512(codes), weights1 = _mm512_load_si512(codes1);
    r0.add(group, weights0, weights1);
    if constexpr (Rows > 1) r1.add(group + 8, weights0, weights1);
    if constexpr (Rows > 2) r2.add(group + 16, weights0, weights1);
    if constexpr (Rows > 3) r3.add(group + 24, weights0, weights1);
    if constexpr (Rows > 4) r4.add(group + 32, weights0, weights1);
    if constexpr (Rows > 5) r5.add(group + 40, weights0, weights1);
  }
  r0.store(s[0].scale, w, w.out);
  if constexpr (Rows > 1) r1.store(s[1].scale, w, w.out + w.out_stride);
  if constexpr (Rows > 2) r2.store(s[2].scale, w, w.out + 2 * w.out_stride);
  if constexpr (Rows > 3) r3.store(s[3].scale, w, w.out + 3 * w.out_stride);
  if constexpr (Rows > 4) r4.store(s[4].scale, w, w.out + 4 * w.out_stride);
  if constexpr (Rows > 5) r5.store(s[5].scale, w, w.out + 5 * w.out_stride);
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

// AVX-512 VNNI: vpdpwssd.
#include <immintrin.h>

#include "kernels/int16_matmul/kernel.h"

namespace consort::avx512 {

using namespace int16_matmul_detail;

namespace {

inline __mmask16 first_lanes(std::int64_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffff : (1 << n) - 1);
}

void quantise_piece(const float* x, std::int64_t n, std::int16_t* codes, float* scale) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i largest = _mm512_setzero_si512();
  for (std::int64_t k = 0; k < n; k += 16)
    largest = _mm512_max_epu32(
        largest, _mm512_and_si512(_mm512_maskz_loadu_epi32(first_lanes(n - k), x + k), magnitude));
  const PieceFactors factors = piece_factors(_mm512_reduce_max_epu32(largest));
  *scale = factors.scale;
  const __m512 inverse = _mm512_set1_ps(factors.inverse);
  const __mmask16 live = factors.inverse == 0.0f ? 0 : 0xffff;
  for (std::int64_t k = 0; k < n; k += 16) {
    const __mmask16 mask = first_lanes(n - k);
    const __m512i q =
        _mm512_maskz_cvtps_epi32(live, _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + k), inverse));
    _mm256_mask_storeu_epi16(codes + k, mask, _mm512_cvtepi32_epi16(q));
  }
}

inline __m512i pair_of(const std::int16_t* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, 4);
  return _mm512_set1_epi32(bits);
}

// Through the intrinsic GCC 12 copies accumulators before almost every use: half the speed.
[[gnu::always_inline]] inline void dot2(__m512i& sum, __m512i codes, __m512i x) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(x));
}

// The sums of one row. Named members, not arrays: arrays of accumulators go to memory.
struct RowSum {
  __m512i sum = _mm512_setzero_si512();
  __m512 total = _mm512_setzero_ps();

  [[gnu::always_inline]] void add(__m512i weights, const std::int16_t* pair) {
    dot2(sum, weights, pair_of(pair));
  }
  [[gnu::always_inline]] void end_piece(float scale) {
    total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(scale), total);
    sum = _mm512_setzero_si512();
  }
};

constexpr int kMostRows = 12;  // 12 sums and 12 totals in 32 registers

template <int Rows>
void block(const int16_matmul_detail::Rows& x, std::int64_t row, const Tile& w) {
  RowSum r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11;
#define CONSORT_EACH_ROW(F)                                                                            \
  F(0, r0) F(1, r1) F(2, r2) F(3, r3) F(4, r4) F(5, r5) F(6, r6) F(7, r7) F(8, r8) F(9, r9) F(10, r10) \
      F(11, r11)
  const std::int16_t* codes = w.codes;
  const std::int16_t* xs = x.codes + row * x.stride;
  const float* scales = x.scales + row * x.scale_stride;
  const std::int64_t pieces = (w.pairs + kPiece / 2 - 1) / (kPiece / 2);
  for (std::int64_t piece = 0; piece < pieces; ++piece, ++scales) {
    const std::int64_t left = w.pairs - piece * (kPiece / 2);
    const std::int16_t* end = xs + 2 * (left < kPiece / 2 ? left : kPiece / 2);
    for (; xs < end; xs += 2, codes += 2 * kTile) {
      const __m512i weights = _mm512_loadu_si512(codes);
#define CONSORT_ADD(m, r) \
  if constexpr (Rows > m) r.add(weights, xs + m * x.stride);
      CONSORT_EACH_ROW(CONSORT_ADD)
#undef CONSORT_ADD
    }
#define CONSORT_END(m, r) \
  if constexpr (Rows > m) r.end_piece(scales[m * x.scale_stride]);
    CONSORT_EACH_ROW(CONSORT_END)
#undef CONSORT_END
  }
  const __mmask16 mask = first_lanes(w.live);
  const __m512 bias = w.bias ? _mm512_maskz_loadu_ps(mask, w.bias) : _mm512_setzero_ps();
  const __m512 scale = _mm512_loadu_ps(w.scales);
  float* out = w.out + row * w.out_stride;
#define CONSORT_STORE(m, r) \
  if constexpr (Rows > m)   \
    _mm512_mask_storeu_ps(out + m * w.out_stride, mask, _mm512_fmadd_ps(r.total, scale, bias));
  CONSORT_EACH_ROW(CONSORT_STORE)
#undef CONSORT_STORE
#undef CONSORT_EACH_ROW
}

}  // namespace

void int16_quantise_row(const QuantiseArgs& args) {
  for (std::int64_t begin = 0; begin < args.cols; begin += kPiece) {
    const std::int64_t n = args.cols - begin < kPiece ? args.cols - begin : kPiece;
    quantise_piece(args.x + begin, n, args.codes + begin, args.scales + begin / kPiece);
  }
  clear_rest(args);
}

void int16_rows_by_tile(const Rows& x, const Tile& w) {
  std::int64_t row = 0;
  for (; row + kMostRows <= x.rows; row += kMostRows) {
    prefetch_next(w, row, kMostRows, x.rows);
    block<kMostRows>(x, row, w);
  }
  for (; row + 4 <= x.rows; row += 4) block<4>(x, row, w);
  switch (x.rows - row) {
    case 1:
      return block<1>(x, row, w);
    case 2:
      return block<2>(x, row, w);
    case 3:
      return block<3>(x, row, w);
    default:
      return;
  }
}

}  // namespace consort::avx512

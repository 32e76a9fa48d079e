// AVX2: vpmaddwd and vpaddd. Six rows with a tile of two vectors keep 12 sums in the 16 registers.
#include <immintrin.h>

#include "kernels/int16_matmul/kernel.h"

namespace consort::avx2 {

using namespace int16_matmul_detail;

namespace {

unsigned largest_of(__m256i v) {
  __m128i s = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_max_epu32(s, _mm_shuffle_epi32(s, 0x4e));
  return static_cast<unsigned>(_mm_cvtsi128_si32(_mm_max_epu32(s, _mm_shuffle_epi32(s, 0xb1))));
}

inline __m256i load_bits(const float* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline __m256i load_codes(const std::int16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline __m256i pair_of(const std::int16_t* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, 4);
  return _mm256_set1_epi32(bits);
}

void quantise_piece(const float* x, std::int64_t n, std::int16_t* codes, float* scale) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i most0 = _mm256_setzero_si256(), most1 = most0;
  std::int64_t k = 0;
  for (; k + 16 <= n; k += 16) {
    most0 = _mm256_max_epu32(most0, _mm256_and_si256(load_bits(x + k), magnitude));
    most1 = _mm256_max_epu32(most1, _mm256_and_si256(load_bits(x + k + 8), magnitude));
  }
  std::uint32_t largest = largest_of(_mm256_max_epu32(most0, most1));
  for (; k < n; ++k) {
    const std::uint32_t one = magnitude_bits(x[k]);
    largest = one > largest ? one : largest;
  }
  const PieceFactors factors = piece_factors(largest);
  *scale = factors.scale;
  k = 0;
  if (factors.inverse != 0.0f) {
    const __m256 inverse = _mm256_set1_ps(factors.inverse);
    for (; k + 16 <= n; k += 16) {
      const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + k), inverse));
      const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + k + 8), inverse));
      const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + k), both);
    }
  }
  for (; k < n; ++k) codes[k] = quantise_one(x[k], factors.inverse);
}

// One row's share of a pair of inputs: ymm12 and ymm13 hold the tile's weights.
#define CONSORT_ROW(at, first, second)             \
  "vpbroadcastd " at ", %%ymm14\n\t"               \
  "vpmaddwd %%ymm14, %%ymm12, %%ymm15\n\t"         \
  "vpaddd %%ymm15, " first ", " first "\n\t"       \
  "vpmaddwd %%ymm14, %%ymm13, %%ymm14\n\t"         \
  "vpaddd %%ymm14, " second ", " second "\n\t"
#define CONSORT_PAIR(x, w)                                    \
  "vmovdqa " w "(%[w]), %%ymm12\n\t"                          \
  "vmovdqa " w "+32(%[w]), %%ymm13\n\t"                       \
  CONSORT_ROW(x "(%[x])", "%[a0]", "%[b0]")                   \
  CONSORT_ROW(x "(%[x],%[stride])", "%[a1]", "%[b1]")         \
  CONSORT_ROW(x "(%[x],%[stride],2)", "%[a2]", "%[b2]")       \
  CONSORT_ROW(x "(%[y])", "%[a3]", "%[b3]")                   \
  CONSORT_ROW(x "(%[y],%[stride])", "%[a4]", "%[b4]")         \
  CONSORT_ROW(x "(%[y],%[stride],2)", "%[a5]", "%[b5]")
#define CONSORT_ZERO(a) "vpxor " a ", " a ", " a "\n\t"

// Sums of six rows with a tile over `pairs` (even) pairs. In assembly because GCC 12 moves the loads to the
// front and then keeps half of the sums in memory: half the speed.
inline void sum_piece(const std::int16_t* x, std::int64_t stride, const std::int16_t* w, std::int64_t pairs,
                      __m256i (&sum)[kPanelRows][2]) {
  const std::int16_t *y = x + 3 * stride, *end = x + 2 * pairs;
  asm volatile(
      CONSORT_ZERO("%[a0]") CONSORT_ZERO("%[a1]") CONSORT_ZERO("%[a2]") CONSORT_ZERO("%[a3]")
      CONSORT_ZERO("%[a4]") CONSORT_ZERO("%[a5]") CONSORT_ZERO("%[b0]") CONSORT_ZERO("%[b1]")
      CONSORT_ZERO("%[b2]") CONSORT_ZERO("%[b3]") CONSORT_ZERO("%[b4]") CONSORT_ZERO("%[b5]")
      ".p2align 5\n"
      "1:\n\t"
      CONSORT_PAIR("0", "0") CONSORT_PAIR("4", "64")
      "addq $8, %[x]\n\t"
      "addq $8, %[y]\n\t"
      "addq $128, %[w]\n\t"
      "cmpq %[end], %[x]\n\t"
      "jb 1b\n\t"
      : [a0] "=&x"(sum[0][0]), [b0] "=&x"(sum[0][1]), [a1] "=&x"(sum[1][0]), [b1] "=&x"(sum[1][1]),
        [a2] "=&x"(sum[2][0]), [b2] "=&x"(sum[2][1]), [a3] "=&x"(sum[3][0]), [b3] "=&x"(sum[3][1]),
        [a4] "=&x"(sum[4][0]), [b4] "=&x"(sum[4][1]), [a5] "=&x"(sum[5][0]), [b5] "=&x"(sum[5][1]),
        [x] "+r"(x), [y] "+r"(y), [w] "+r"(w)
      : [stride] "r"(2 * stride), [end] "r"(end)
      : "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
}
#undef CONSORT_ZERO
#undef CONSORT_PAIR
#undef CONSORT_ROW

// A row or two: the loop that GCC makes is as good.
template <int Rows>
inline void sum_piece(const std::int16_t* x, std::int64_t stride, const std::int16_t* w, std::int64_t pairs,
                      __m256i (&sum)[Rows][2]) {
#pragma GCC unroll 2
  for (int m = 0; m < Rows; ++m) sum[m][0] = sum[m][1] = _mm256_setzero_si256();
  for (std::int64_t c = 0; c < pairs; ++c, x += 2, w += 2 * kTile)
#pragma GCC unroll 2
    for (int m = 0; m < Rows; ++m) {
      const __m256i pair = pair_of(x + m * stride);
      sum[m][0] = _mm256_add_epi32(sum[m][0], _mm256_madd_epi16(load_codes(w), pair));
      sum[m][1] = _mm256_add_epi32(sum[m][1], _mm256_madd_epi16(load_codes(w + kTile), pair));
    }
}

using Totals = float[kTile];

template <int Rows>
void total_rows(const int16_matmul_detail::Rows& x, std::int64_t row, const Tile& w, Totals* total) {
  const float* scales = x.scales + row * x.scale_stride;
  for (std::int64_t first = 0; first < w.pairs; first += kPiece / 2, ++scales) {
    const std::int64_t left = w.pairs - first, pairs = left < kPiece / 2 ? left : kPiece / 2;
    __m256i sum[Rows][2];
    sum_piece(x.codes + row * x.stride + 2 * first, x.stride, w.codes + first * 2 * kTile, pairs, sum);
#pragma GCC unroll 6
    for (int m = 0; m < Rows; ++m) {
      const __m256 scale = _mm256_set1_ps(scales[m * x.scale_stride]);
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const __m256 before = first == 0 ? _mm256_setzero_ps() : _mm256_load_ps(total[m] + 8 * h);
        _mm256_store_ps(total[m] + 8 * h, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[m][h]), scale, before));
      }
    }
  }
}

void store_rows(const Totals* total, std::int64_t rows, const Tile& w, float* out) {
  for (int h = 0; h < 2; ++h) {
    const int live = w.live - 8 * h;
    const __m256i mask =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(live), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256 bias = w.bias ? _mm256_maskload_ps(w.bias + 8 * h, mask) : _mm256_setzero_ps();
    const __m256 scale = _mm256_load_ps(w.scales + 8 * h);
    for (std::int64_t m = 0; m < rows; ++m) {
      const __m256 value = _mm256_fmadd_ps(_mm256_load_ps(total[m] + 8 * h), scale, bias);
      float* to = out + m * w.out_stride + 8 * h;
      if (live >= 8)
        _mm256_storeu_ps(to, value);
      else
        _mm256_maskstore_ps(to, mask, value);
    }
  }
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
  alignas(32) Totals total[kPanelRows];
  for (std::int64_t row = 0; row < x.rows; row += kPanelRows) {
    const std::int64_t rows = x.rows - row < kPanelRows ? x.rows - row : kPanelRows;
    prefetch_next(w, row, kPanelRows, x.rows);
    if (rows == 1)
      total_rows<1>(x, row, w, total);
    else if (rows == 2)
      total_rows<2>(x, row, w, total);
    else
      total_rows<kPanelRows>(x, row, w, total);
    store_rows(total, rows, w, w.out + row * w.out_stride);
  }
}

}  // namespace consort::avx2

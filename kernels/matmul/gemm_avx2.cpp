// AVX2: rows of x against unpacked tiles. Codes of up to 6 bits are multiplied as bytes (vpmaddubsw cannot
// saturate: 2 x 63 x 128 < 2^15) and added in 16 bits as long as that is exact; 8-bit codes are widened.
#include <immintrin.h>

#include <cstring>

#include "kernels/matmul/avx2_parts.h"

namespace consort::matmul_detail {
namespace {

struct Lanes {
  __m256i rows[2];  // int32 of tile rows 0..7 and 8..15
};

inline __m256i load32(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline __m256i broadcast4(const std::int8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}

// Sums of codes x (256 high + low) over vectors [First, Last) of a block for `Rows` rows of x, codes of
// `Bits` <= 6 bits. A vector of codes is read once for all rows, a broadcast serves both halves of the tile.
template <int Bits, int First, int Last, int Rows>
inline __attribute__((always_inline)) void dot_bytes(const std::uint8_t* codes,
                                                     const ActivationBlock* const (&x)[Rows],
                                                     Lanes (&sums)[Rows]) {
  constexpr int kExact = Bits == 4 ? 8 : Bits == 5 ? 4 : 2;  // products that fit 16 bits when added
  const __m256i ones = _mm256_set1_epi16(1), high_place = _mm256_set1_epi16(256);
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) sums[m].rows[0] = sums[m].rows[1] = _mm256_setzero_si256();
#pragma GCC unroll 4
  for (int c = First; c < Last; c += kExact) {
    __m256i high[Rows][2], low[Rows][2];
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
      for (int h = 0; h < 2; ++h) high[m][h] = low[m][h] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int i = c; i < (c + kExact < Last ? c + kExact : Last); ++i) {
      const __m256i w[2] = {load32(codes + 64 * i), load32(codes + 64 * i + 32)};
#pragma GCC unroll 8
      for (int m = 0; m < Rows; ++m) {
        const __m256i xh = broadcast4(x[m]->high + 4 * i), xl = broadcast4(x[m]->low + 4 * i);
        for (int h = 0; h < 2; ++h) {
          high[m][h] = _mm256_add_epi16(high[m][h], _mm256_maddubs_epi16(w[h], xh));
          low[m][h] = _mm256_add_epi16(low[m][h], _mm256_maddubs_epi16(w[h], xl));
        }
      }
    }
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
      for (int h = 0; h < 2; ++h) {
        const __m256i both =
            _mm256_add_epi32(_mm256_madd_epi16(high[m][h], high_place), _mm256_madd_epi16(low[m][h], ones));
        sums[m].rows[h] = _mm256_add_epi32(sums[m].rows[h], both);
      }
  }
}

// The same for 8-bit codes: 16-bit products of pairs, added in 32 bits.
template <int First, int Last, int Rows>
inline __attribute__((always_inline)) void dot_words(const std::uint8_t* codes,
                                                     const ActivationBlock* const (&x)[Rows],
                                                     Lanes (&sums)[Rows]) {
  alignas(32) std::int16_t wide[Rows][kBlock];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
    for (int i = 0; i < kBlock; i += 16) {
      const __m256i high =
          _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x[m]->high + i)));
      const __m256i low =
          _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x[m]->low + i)));
      _mm256_store_si256(reinterpret_cast<__m256i*>(wide[m] + i),
                         _mm256_add_epi16(_mm256_slli_epi16(high, 8), low));
    }
  __m256i quarter[Rows][4];  // four tile rows each, two partial sums a row
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
    for (__m256i& q : quarter[m]) q = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int c = First; c < Last; ++c) {
    __m256i xs[Rows];
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      std::int64_t four;
      std::memcpy(&four, wide[m] + 4 * c, 8);
      xs[m] = _mm256_set1_epi64x(four);
    }
    for (int q = 0; q < 4; ++q) {
      const __m256i w =
          _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 64 * c + 16 * q)));
#pragma GCC unroll 8
      for (int m = 0; m < Rows; ++m)
        quarter[m][q] = _mm256_add_epi32(quarter[m][q], _mm256_madd_epi16(w, xs[m]));
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
    for (int h = 0; h < 2; ++h)
      sums[m].rows[h] =
          _mm256_permute4x64_epi64(_mm256_hadd_epi32(quarter[m][2 * h], quarter[m][2 * h + 1]), 0xd8);
}

template <int Bits, int First, int Last, int Rows>
inline __attribute__((always_inline)) void dot(const std::uint8_t* codes,
                                               const ActivationBlock* const (&x)[Rows], Lanes (&sums)[Rows]) {
  if constexpr (Bits == 8)
    dot_words<First, Last, Rows>(codes, x, sums);
  else
    dot_bytes<Bits, First, Last, Rows>(codes, x, sums);
}

template <PackFormat F>
inline void add_group(const Lanes& sums, const UnpackedTile& w, std::int64_t group, float x_scale,
                      std::uint32_t correction, __m256 (&acc)[2]) {
  for (int h = 0; h < 2; ++h) {
    __m256i sum = sums.rows[h];
    if constexpr (!F.affine)
      sum = _mm256_add_epi32(sum, _mm256_set1_epi32(static_cast<std::int32_t>(correction)));
    const __m256 scale =
        _mm256_mul_ps(_mm256_loadu_ps(w.scales + group * kTile + 8 * h), _mm256_set1_ps(x_scale));
    acc[h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, acc[h]);
    if constexpr (F.affine)
      acc[h] = _mm256_fmadd_ps(_mm256_loadu_ps(w.minimums + group * kTile + 8 * h),
                               _mm256_set1_ps(__builtin_bit_cast(float, correction)), acc[h]);
  }
}

inline void store(const __m256 (&acc)[2], std::int64_t row, int first, const OutTile& out) {
  alignas(32) float values[kTile];
  _mm256_store_ps(values, acc[0]);
  _mm256_store_ps(values + 8, acc[1]);
  float* to = out.out + row * out.out_stride + first;
  for (int r = 0; r < kTile && first + r < out.live; ++r)
    to[r] = out.bias ? values[r] + out.bias[first + r] : values[r];
}

// Rows [row, row + Rows) times one tile.
template <PackFormat F, int Rows>
void tile_by_rows(const UnpackedTile& w, int first, const Activations& x, const std::uint32_t* corrections,
                  std::int64_t row, const OutTile& out) {
  __m256 acc[Rows][2];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
  for (std::int64_t b = 0; b < x.row_blocks; ++b) {
    const std::uint8_t* codes = w.codes + 512 * b;
    const std::int64_t at = row * x.row_blocks + b;
    const ActivationBlock* xs[Rows];
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) xs[m] = x.blocks + at + m * x.row_blocks;
    Lanes sums[Rows];
    dot<F.bits, 0, 8 / F.groups, Rows>(codes, xs, sums);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const std::int64_t here = at + m * x.row_blocks;
      add_group<F>(sums[m], w, b * F.groups, x.scales[here], corrections[here * F.groups], acc[m]);
    }
    if constexpr (F.groups == 2) {
      dot<F.bits, 4, 8, Rows>(codes, xs, sums);
#pragma GCC unroll 8
      for (int m = 0; m < Rows; ++m) {
        const std::int64_t here = at + m * x.row_blocks;
        add_group<F>(sums[m], w, 2 * b + 1, x.scales[here], corrections[2 * here + 1], acc[m]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) store(acc[m], row + m, first, out);
}

template <PackFormat F>
void tile_rows(const UnpackedTile& w, int first, const Activations& x, const std::uint32_t* corrections,
               std::int64_t rows, const OutTile& out) {
  std::int64_t m = 0;
  for (; m + 2 <= rows; m += 2) tile_by_rows<F, 2>(w, first, x, corrections, m, out);
  if (m < rows) tile_by_rows<F, 1>(w, first, x, corrections, m, out);
}

void unpacked_rows_avx2(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                        const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  for (int t = 0; t < tiles; ++t) {
    switch (type) {
#define CONSORT_CASE(name, format)                                 \
  case DType::name:                                                \
    tile_rows<format>(w[t], kTile * t, x, corrections, rows, out); \
    break;
      CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
      default:
        return;
    }
  }
}

}  // namespace

const KernelTable& avx2_kernels() {
  static constexpr KernelTable table{1,           quantise_avx2,      nullptr,
                                     unpack_avx2, unpacked_rows_avx2, plain_rows_avx2};
  return table;
}

}  // namespace consort::matmul_detail

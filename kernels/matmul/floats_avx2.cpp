// AVX2: block formats decoded to float32, for activations that stay floats.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

struct GroupScales {
  __m256 scale[2], minimum[2];  // of tile rows 0..7 and 8..15
};

template <PackFormat F>
inline __attribute__((always_inline)) GroupScales scales_of(const std::uint8_t* unit, const std::uint8_t* block,
                                                            int g) {
  GroupScales s;
  for (int h = 0; h < 2; ++h) {
    s.minimum[h] = _mm256_setzero_ps();
    load_scale<F>(unit, block + code_bytes(F), g, 8 * h, s.scale[h], s.minimum[h]);
  }
  return s;
}

// Column 4 C + I of rows 8 h .. 8 h + 7, decoded; `codes` are the bytes of code vector C.
template <PackFormat F, int I>
inline __attribute__((always_inline)) __m256 weight(__m256i codes, const GroupScales& s, int h) {
  __m256i code = I == 0 ? codes : _mm256_srli_epi32(codes, 8 * I);
  if constexpr (I < 3) code = _mm256_and_si256(code, _mm256_set1_epi32(255));
  if constexpr (F.affine) return _mm256_fmadd_ps(s.scale[h], _mm256_cvtepi32_ps(code), s.minimum[h]);
  code = _mm256_sub_epi32(code, _mm256_set1_epi32(1 << F.log2_offset));
  return _mm256_mul_ps(s.scale[h], _mm256_cvtepi32_ps(code));
}

// `use(k, w)`: the two halves of column k of a block, for each column of code vectors [C, Last).
template <PackFormat F, int C, int Last, typename Use>
inline __attribute__((always_inline)) void each_column(const std::uint8_t* block, const GroupScales& s, Use use) {
  if constexpr (C < Last) {
    const __m256i codes[2] = {code_vector_of<F, C>(block, 0), code_vector_of<F, C>(block, 32)};
    use(4 * C, weight<F, 0>(codes[0], s, 0), weight<F, 0>(codes[1], s, 1));
    use(4 * C + 1, weight<F, 1>(codes[0], s, 0), weight<F, 1>(codes[1], s, 1));
    use(4 * C + 2, weight<F, 2>(codes[0], s, 0), weight<F, 2>(codes[1], s, 1));
    use(4 * C + 3, weight<F, 3>(codes[0], s, 0), weight<F, 3>(codes[1], s, 1));
    each_column<F, C + 1, Last>(block, s, use);
  }
}

// `use(k, low, high)` for every column of the tile, in order.
template <PackFormat F, typename Use>
inline __attribute__((always_inline)) void each_weight(const std::uint8_t* tile, std::int64_t cols, Use use) {
  each_block<F>(tile, cols / kBlock, [&](std::int64_t b, const std::uint8_t* unit, const std::uint8_t* block)
                                         __attribute__((always_inline)) {
    prefetch_behind<F>(block);
    const auto at = [&](int k, __m256 low, __m256 high) __attribute__((always_inline)) {
      use(b * kBlock + k, low, high);
    };
    each_column<F, 0, 8 / F.groups>(block, scales_of<F>(unit, block, 0), at);
    if constexpr (F.groups == 2) each_column<F, 4, 8>(block, scales_of<F>(unit, block, 1), at);
  });
}

template <PackFormat F>
void decode(const std::uint8_t* tile, std::int64_t cols, float* out) {
  each_weight<F>(tile, cols, [&](std::int64_t k, __m256 low, __m256 high) __attribute__((always_inline)) {
    _mm256_storeu_ps(out + k * kTile, low);
    _mm256_storeu_ps(out + k * kTile + 8, high);
  });
}

template <PackFormat F, int Rows>
void tile_rows(const std::uint8_t* tile, const PlainRows& x, std::int64_t cols, const OutTile& out) {
  __m256 acc[Rows][2];
  clear(acc);
  each_weight<F>(tile, cols, [&](std::int64_t k, __m256 low, __m256 high) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int m = 0; m < Rows; ++m) {
      const __m256 xk = _mm256_broadcast_ss(x.x + m * x.stride + k);
      acc[m][0] = _mm256_fmadd_ps(low, xk, acc[m][0]);
      acc[m][1] = _mm256_fmadd_ps(high, xk, acc[m][1]);
    }
  });
#pragma GCC unroll 4
  for (int m = 0; m < Rows; ++m) store_row(acc[m], m, 0, out);
}

template <PackFormat F>
void few_rows(const std::uint8_t* tile, const PlainRows& x, std::int64_t cols, std::int64_t rows,
              const OutTile& out) {
  static_assert(kPackedAvx2 == 3);
  if (rows == 1) return tile_rows<F, 1>(tile, x, cols, out);
  if (rows == 2) return tile_rows<F, 2>(tile, x, cols, out);
  tile_rows<F, 3>(tile, x, cols, out);
}

}  // namespace

void decode_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, float* out) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return decode<format>(tile, cols, out);
    CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
    default:
      return;
  }
}

void float_rows_avx2(DType type, const std::uint8_t* tile, const PlainRows& x, std::int64_t cols,
                     std::int64_t rows, const OutTile& out) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return few_rows<format>(tile, x, cols, rows, out);
    CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
    default:
      return;
  }
}

}  // namespace consort::matmul_detail

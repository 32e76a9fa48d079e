// AVX2: a few rows of x straight from the packed tile, whose bytes are read once.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

// Sums over code vector C of a block.
template <PackFormat F, int C, int Rows>
inline __attribute__((always_inline)) void add_vector(const std::uint8_t* block,
                                                      const ActivationBlock* const (&x)[Rows],
                                                      __m256i (&sums)[Rows][2]) {
  const WordPairs w[2] = {code_words_of<F, C>(block, 0), code_words_of<F, C>(block, 32)};
#pragma GCC unroll 4
  for (int m = 0; m < Rows; ++m) {
    const __m256i even = x_pair(*x[m], 2 * C), odd = x_pair(*x[m], 2 * C + 1);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      add_to(sums[m][h], _mm256_madd_epi16(w[h].even, even));
      add_to(sums[m][h], _mm256_madd_epi16(w[h].odd, odd));
    }
  }
}

template <PackFormat F, int First, int Last, int Rows>
inline __attribute__((always_inline)) void add_vectors(const std::uint8_t* block,
                                                       const ActivationBlock* const (&x)[Rows],
                                                       __m256i (&sums)[Rows][2]) {
  if constexpr (First < Last) {
    add_vector<F, First, Rows>(block, x, sums);
    add_vectors<F, First + 1, Last, Rows>(block, x, sums);
  }
}

template <PackFormat F, int Rows>
void tile_rows(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
               const OutTile& out) {
  __m256 acc[Rows][2];
  clear(acc);
  each_block<F>(tile, x.row_blocks, [&](std::int64_t b, const std::uint8_t* unit, const std::uint8_t* block)
                                        __attribute__((always_inline)) {
    prefetch_behind<F>(block);
    const ActivationBlock* xs[Rows];
#pragma GCC unroll 4
    for (int m = 0; m < Rows; ++m) xs[m] = x.blocks + m * x.row_blocks + b;
    const auto group = [&]<int G>() __attribute__((always_inline)) {
      const std::uint32_t* correction = corrections + b * F.groups + G;
      __m256i sums[Rows][2];
#pragma GCC unroll 4
      for (int m = 0; m < Rows; ++m)
        sums[m][0] = sums[m][1] = first_sum<F.affine>(correction[m * x.row_blocks * F.groups]);
      add_vectors<F, G * 8 / F.groups, (G + 1) * 8 / F.groups, Rows>(block, xs, sums);
      const auto scales = [&](int h, __m256& scale, __m256& minimum) __attribute__((always_inline)) {
        load_scale<F>(unit, block + code_bytes(F), G, 8 * h, scale, minimum);
      };
      add_sums<F.affine>(acc, sums, scales, x.scales + b, x.row_blocks, correction, x.row_blocks * F.groups);
    };
    group.template operator()<0>();
    if constexpr (F.groups == 2) group.template operator()<1>();
  });
#pragma GCC unroll 4
  for (int m = 0; m < Rows; ++m) store_row(acc[m], m, 0, out);
}

template <PackFormat F>
void few_rows(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
              std::int64_t rows, const OutTile& out) {
  static_assert(kPackedAvx2 == 3);
  if (rows == 1) return tile_rows<F, 1>(tile, x, corrections, out);
  if (rows == 2) return tile_rows<F, 2>(tile, x, corrections, out);
  tile_rows<F, 3>(tile, x, corrections, out);
}

}  // namespace

void packed_rows_avx2(DType type, const std::uint8_t* tile, const Activations& x,
                      const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return few_rows<format>(tile, x, corrections, rows, out);
    CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
    default:
      return;
  }
}

}  // namespace consort::matmul_detail

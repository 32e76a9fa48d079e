// AVX2: activations of 8 bits. vpmaddubsw multiplies 32 unsigned by signed bytes and adds pairs in 16 bits, half
// the width of the words' sums: codes of up to 6 bits leave room for several code vectors before they have to be
// widened, so a product costs a third of what it costs with words. Codes of 8 bits would overflow: their
// magnitudes are multiplied with rows of x that have their signs.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

constexpr int kRows = 6;
constexpr int kBlockCodes = 512;  // bytes of an unpacked block

// Code vectors whose products of pairs, at most 2 x 127 (2^bits - 1) each, fit 16 bits together.
static constexpr int run_of(int bits) {
  return bits == 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
}

template <PackFormat F, int C, bool Unpacked>
inline __attribute__((always_inline)) __m256i codes_at(const std::uint8_t* block, int j) {
  if constexpr (Unpacked)
    return load32(block + 64 * C + j);
  else
    return code_vector_of<F, C>(block, j);
}

// Columns 4 C .. 4 C + 3 of a row of x in every lane.
inline __m256i x_four(const ActivationBlock& x, int c) {
  std::int32_t four;
  __builtin_memcpy(&four, reinterpret_cast<const char*>(&x) + 4 * c, 4);
  return _mm256_set1_epi32(four);
}

// 16-bit sums of products of pairs over code vectors [C, Last) of a block.
template <PackFormat F, int C, int Last, bool Unpacked, bool First, int Rows>
inline __attribute__((always_inline)) void add_products(const std::uint8_t* block,
                                                        const ActivationBlock* const (&x)[Rows],
                                                        __m256i (&pairs)[Rows][2]) {
  if constexpr (C < Last) {
    __m256i w[2] = {codes_at<F, C, Unpacked>(block, 0), codes_at<F, C, Unpacked>(block, 32)}, signs[2];
    if constexpr (F.bits == 8)
      for (int h = 0; h < 2; ++h) {
        signs[h] = _mm256_xor_si256(w[h], _mm256_set1_epi8(static_cast<char>(128)));
        w[h] = _mm256_abs_epi8(signs[h]);
      }
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const __m256i four = x_four(*x[m], C);
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const __m256i xs = F.bits == 8 ? _mm256_sign_epi8(four, signs[h]) : four;
        const __m256i product = _mm256_maddubs_epi16(w[h], xs);
        if constexpr (First)
          pairs[m][h] = product;
        else
          add_words(pairs[m][h], product);
      }
    }
    add_products<F, C + 1, Last, Unpacked, false, Rows>(block, x, pairs);
  }
}

// 32-bit sums over code vectors [C, Last), run by run.
template <PackFormat F, int C, int Last, bool Unpacked, int Rows>
inline __attribute__((always_inline)) void add_runs(const std::uint8_t* block,
                                                    const ActivationBlock* const (&x)[Rows],
                                                    __m256i (&sums)[Rows][2]) {
  if constexpr (C < Last) {
    constexpr int kEnd = C + run_of(F.bits) < Last ? C + run_of(F.bits) : Last;
    __m256i pairs[Rows][2];
    add_products<F, C, kEnd, Unpacked, true, Rows>(block, x, pairs);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h)
        sums[m][h] = _mm256_add_epi32(sums[m][h], _mm256_madd_epi16(pairs[m][h], _mm256_set1_epi16(1)));
    add_runs<F, kEnd, Last, Unpacked, Rows>(block, x, sums);
  }
}

// Group G of a block: its sums, scaled, onto acc. `scales(h, scale, minimum)` reads those of tile rows 8 h ..
template <PackFormat F, int G, bool Unpacked, int Rows, typename Scales>
inline __attribute__((always_inline)) void add_block_group(const std::uint8_t* block,
                                                           const ActivationBlock* const (&x)[Rows],
                                                           const float* x_scales, const std::uint32_t* corrections,
                                                           std::int64_t row_blocks, Scales scales,
                                                           __m256 (&acc)[Rows][2]) {
  __m256i sums[Rows][2];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)  // codes of 8 bits are multiplied without their offset
    sums[m][0] = sums[m][1] = F.bits == 8 ? _mm256_setzero_si256()
                                          : first_sum<F.affine>(corrections[m * row_blocks * F.groups]);
  add_runs<F, G * 8 / F.groups, (G + 1) * 8 / F.groups, Unpacked, Rows>(block, x, sums);
  add_sums<F.affine>(acc, sums, scales, x_scales, row_blocks, corrections, row_blocks * F.groups);
}

template <PackFormat F, int Rows>
void packed_tile(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
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
      const auto scales = [&](int h, __m256& scale, __m256& minimum) __attribute__((always_inline)) {
        load_scale<F>(unit, block + code_bytes(F), G, 8 * h, scale, minimum);
      };
      add_block_group<F, G, false, Rows>(block, xs, x.scales + b, corrections + b * F.groups + G, x.row_blocks,
                                         scales, acc);
    };
    group.template operator()<0>();
    if constexpr (F.groups == 2) group.template operator()<1>();
  });
#pragma GCC unroll 4
  for (int m = 0; m < Rows; ++m) store_row(acc[m], m, 0, out);
}

template <PackFormat F>
void packed(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections, std::int64_t rows,
            const OutTile& out) {
  static_assert(kPackedAvx2 == 3);
  if (rows == 1) return packed_tile<F, 1>(tile, x, corrections, out);
  if (rows == 2) return packed_tile<F, 2>(tile, x, corrections, out);
  packed_tile<F, 3>(tile, x, corrections, out);
}

// Rows [row, row + Rows) times one tile.
template <PackFormat F, int Rows>
void tile_by_rows(const UnpackedTile& w, int first, const Activations& x, const std::uint32_t* corrections,
                  std::int64_t row, const OutTile& out) {
  __m256 acc[Rows][2];
  clear(acc);
  const ActivationBlock* xs[Rows];
  for (int m = 0; m < Rows; ++m) xs[m] = x.blocks + (row + m) * x.row_blocks;
  for (std::int64_t b = 0; b < x.row_blocks; ++b) {
    const auto group = [&]<int G>() __attribute__((always_inline)) {
      const std::int64_t at = (b * F.groups + G) * kTile;
      const auto scales = [&](int h, __m256& scale, __m256& minimum) __attribute__((always_inline)) {
        scale = _mm256_loadu_ps(w.scales + at + 8 * h);
        if constexpr (F.affine) minimum = _mm256_loadu_ps(w.minimums + at + 8 * h);
      };
      add_block_group<F, G, true, Rows>(w.codes + kBlockCodes * b, xs, x.scales + row * x.row_blocks + b,
                                        corrections + (row * x.row_blocks + b) * F.groups + G, x.row_blocks, scales,
                                        acc);
    };
    group.template operator()<0>();
    if constexpr (F.groups == 2) group.template operator()<1>();
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) ++xs[m];
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) store_row(acc[m], row + m, first, out);
}

template <PackFormat F, int Rows>
void tiles_by_rows(const UnpackedTile* w, int tiles, const Activations& x, const std::uint32_t* corrections,
                   std::int64_t row, const OutTile& out) {
  for (int t = 0; t < tiles; ++t) tile_by_rows<F, Rows>(w[t], kTile * t, x, corrections, row, out);
}

template <PackFormat F>
void unpacked(const UnpackedTile* w, int tiles, const Activations& x, const std::uint32_t* corrections,
              std::int64_t rows, const OutTile& out) {
  std::int64_t m = 0;
  for (; rows - m >= kRows; m += kRows) tiles_by_rows<F, kRows>(w, tiles, x, corrections, m, out);
  if (rows - m >= 4) {
    tiles_by_rows<F, 4>(w, tiles, x, corrections, m, out);
    m += 4;
  }
  for (; rows - m >= 2; m += 2) tiles_by_rows<F, 2>(w, tiles, x, corrections, m, out);
  if (rows - m == 1) tiles_by_rows<F, 1>(w, tiles, x, corrections, m, out);
}

template <PackFormat F, int C>
inline __attribute__((always_inline)) void unpack_vectors(const std::uint8_t* block, std::uint8_t* out) {
  if constexpr (C < 8) {
    for (int j = 0; j < 64; j += 32)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 64 * C + j), code_vector_of<F, C>(block, j));
    unpack_vectors<F, C + 1>(block, out);
  }
}

template <PackFormat F>
void unpack(const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  each_block<F>(tile, cols / kBlock, [&](std::int64_t b, const std::uint8_t* unit, const std::uint8_t* block) {
    unpack_vectors<F, 0>(block, to.codes + kBlockCodes * b);
    unpack_scales<F>(unit, block, b, to);
  });
}

}  // namespace

// See quantise_block in kernels_scalar.cpp; the bytes stand in the order of the columns.
void quantise_bytes_avx2(const PanelToQuantise& p, std::int64_t first, std::int64_t last) {
  for (std::int64_t b = first; b < last; ++b) {
    const QuantisedBlock q = quantise_block_avx2(p, b);
    const __m256i words[2] = {_mm256_packs_epi32(q.v[0], q.v[1]), _mm256_packs_epi32(q.v[2], q.v[3])};
    const __m256i bytes = _mm256_packs_epi16(words[0], words[1]);  // fours of columns, mixed over the halves
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p.blocks + b), _mm256_permutevar8x32_epi32(bytes, order));
  }
}

#define CONSORT_SWITCH(call)            \
  switch (type) {                       \
    CONSORT_PACK_FORMATS(call)          \
    default:                            \
      return;                           \
  }

void packed_bytes_avx2(DType type, const std::uint8_t* tile, const Activations& x,
                       const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return packed<format>(tile, x, corrections, rows, out);
  CONSORT_SWITCH(CONSORT_CASE)
#undef CONSORT_CASE
}

void unpack_bytes_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return unpack<format>(tile, cols, to);
  CONSORT_SWITCH(CONSORT_CASE)
#undef CONSORT_CASE
}

void unpacked_bytes_avx2(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                         const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return unpacked<format>(w, tiles, x, corrections, rows, out);
  CONSORT_SWITCH(CONSORT_CASE)
#undef CONSORT_CASE
}

}  // namespace consort::matmul_detail

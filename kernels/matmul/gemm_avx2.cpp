// AVX2: many rows of x against tiles unpacked to words, six rows at a time: twelve sums of the sixteen
// registers, a vector of codes read once for the six, a broadcast of x for the tile's two halves.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

constexpr int kRows = 6;

// Sums over pairs [First, Last) of a block: words x rows of x.
template <int First, int Last, int Rows>
inline __attribute__((always_inline)) void add_pairs(const std::uint8_t* words,
                                                     const ActivationBlock* const (&x)[Rows],
                                                     __m256i (&sums)[Rows][2]) {
#pragma GCC unroll 4
  for (int p = First; p < Last; ++p) {
    const __m256i w0 = load32(words + 64 * p), w1 = load32(words + 64 * p + 32);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const __m256i pair = x_pair(*x[m], p);
      add_to(sums[m][0], _mm256_madd_epi16(w0, pair));
      add_to(sums[m][1], _mm256_madd_epi16(w1, pair));
    }
  }
}

// Rows [row, row + Rows) times one tile.
template <int Groups, bool Affine, int Rows>
void tile_by_rows(const UnpackedTile& w, int first, const Activations& x, const std::uint32_t* corrections,
                  std::int64_t row, const OutTile& out) {
  __m256 acc[Rows][2];
  clear(acc);
  const ActivationBlock* xs[Rows];
  for (int m = 0; m < Rows; ++m) xs[m] = x.blocks + (row + m) * x.row_blocks;
  for (std::int64_t b = 0; b < x.row_blocks; ++b) {
    const auto group = [&]<int G>() __attribute__((always_inline)) {
      const std::uint32_t* correction = corrections + (row * x.row_blocks + b) * Groups + G;
      __m256i sums[Rows][2];
#pragma GCC unroll 8
      for (int m = 0; m < Rows; ++m)
        sums[m][0] = sums[m][1] = first_sum<Affine>(correction[m * x.row_blocks * Groups]);
      add_pairs<G * kPairs / Groups, (G + 1) * kPairs / Groups, Rows>(w.codes + kUnpackedWords * b, xs, sums);
      const std::int64_t at = (b * Groups + G) * kTile;
      const auto scales = [&](int h, __m256& scale, __m256& minimum) __attribute__((always_inline)) {
        scale = _mm256_loadu_ps(w.scales + at + 8 * h);
        if constexpr (Affine) minimum = _mm256_loadu_ps(w.minimums + at + 8 * h);
      };
      add_sums<Affine>(acc, sums, scales, x.scales + row * x.row_blocks + b, x.row_blocks, correction,
                       x.row_blocks * Groups);
    };
    group.template operator()<0>();
    if constexpr (Groups == 2) group.template operator()<1>();
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) ++xs[m];
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) store_row(acc[m], row + m, first, out);
}

// Tiles are inner: the rows' words stay in the nearest cache for all of them.
template <int Groups, bool Affine, int Rows>
void tiles_by_rows(const UnpackedTile* w, int tiles, const Activations& x, const std::uint32_t* corrections,
                   std::int64_t row, const OutTile& out) {
  for (int t = 0; t < tiles; ++t)
    tile_by_rows<Groups, Affine, Rows>(w[t], kTile * t, x, corrections, row, out);
}

template <int Groups, bool Affine>
void all_rows(const UnpackedTile* w, int tiles, const Activations& x, const std::uint32_t* corrections,
              std::int64_t rows, const OutTile& out) {
  std::int64_t m = 0;
  const auto left_for_fours = [&] {
    return rows - m == 7 || rows - m == 8;
  };  // four and the rest, not six and one or two
  for (; rows - m >= kRows && !left_for_fours(); m += kRows)
    tiles_by_rows<Groups, Affine, kRows>(w, tiles, x, corrections, m, out);
  for (; rows - m >= 4; m += 4) tiles_by_rows<Groups, Affine, 4>(w, tiles, x, corrections, m, out);
  if (rows - m == 3) tiles_by_rows<Groups, Affine, 3>(w, tiles, x, corrections, m, out);
  if (rows - m == 2) tiles_by_rows<Groups, Affine, 2>(w, tiles, x, corrections, m, out);
  if (rows - m == 1) tiles_by_rows<Groups, Affine, 1>(w, tiles, x, corrections, m, out);
}

void unpacked_rows_avx2(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                        const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  const PackFormat f = pack_format(type);
  if (f.groups == 1)
    return f.affine ? all_rows<1, true>(w, tiles, x, corrections, rows, out)
                    : all_rows<1, false>(w, tiles, x, corrections, rows, out);
  f.affine ? all_rows<2, true>(w, tiles, x, corrections, rows, out)
           : all_rows<2, false>(w, tiles, x, corrections, rows, out);
}

}  // namespace

const KernelTable& avx2_kernels() {
  static constexpr IntegerRoute words{.packed_up_to = kPackedAvx2,
                                      .unpacked_block = kUnpackedWords,
                                      .quantise = quantise_avx2,
                                      .packed_rows = packed_rows_avx2,
                                      .unpack = unpack_avx2,
                                      .unpacked_rows = unpacked_rows_avx2};
  static constexpr IntegerRoute bytes{.most = kActivationMax8,
                                      .packed_up_to = kPackedAvx2,
                                      .quantise = quantise_bytes_avx2,
                                      .packed_rows = packed_bytes_avx2,
                                      .unpack = unpack_bytes_avx2,
                                      .unpacked_rows = unpacked_bytes_avx2};
  static constexpr KernelTable table{.int16 = words,
                                     .int8 = bytes,
                                     .plain_tiles = 2,
                                     .plain_panel = kPlainPanelAvx2,
                                     .float_up_to = kPackedAvx2,
                                     .decode = decode_avx2,
                                     .float_rows = float_rows_avx2,
                                     .plain_rows = plain_rows_avx2,
                                     .interleave = interleave_avx2};
  return table;
}

}  // namespace consort::matmul_detail

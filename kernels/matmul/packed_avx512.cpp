// AVX-512 VNNI: a few rows of x against packed tiles (decode), unpacking of tiles, quantisation of x. Lanes
// are output rows, so nothing is ever added across lanes.
#include <immintrin.h>

#include <cstring>

#include "kernels/matmul/avx512_parts.h"

namespace consort::matmul_detail {
namespace {

constexpr std::size_t kPrefetchAhead = 2048;  // bytes; a block's arithmetic hides about 100 ns of memory

// The eight code vectors of a block as unsigned bytes.
template <PackFormat F>
inline __attribute__((always_inline)) void load_codes(const std::uint8_t* block, __m512i (&codes)[8]) {
  if constexpr (F.bits == 8) {
    for (int c = 0; c < 8; ++c) codes[c] = _mm512_loadu_si512(block + 64 * c);
    return;
  }
  const __m512i low4 = _mm512_set1_epi8(15);
  for (int p = 0; p < 4; ++p) {
    const __m512i v = _mm512_loadu_si512(block + 64 * p);
    codes[p] = _mm512_and_si512(v, low4);
    codes[p + 4] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low4);
  }
  constexpr int kOrAnd = 0xf8;  // a | (b & c)
  if constexpr (F.bits == 5) {
    const __m512i plane = _mm512_loadu_si512(block + 256), bit = _mm512_set1_epi8(16);
    for (int c = 0; c < 8; ++c) {
      const __m512i high = c < 4 ? _mm512_slli_epi16(plane, 4 - c) : _mm512_srli_epi16(plane, c - 4);
      codes[c] = _mm512_ternarylogic_epi32(codes[c], high, bit, kOrAnd);
    }
  }
  if constexpr (F.bits == 6) {
    const __m512i bits = _mm512_set1_epi8(48);
    for (int c = 0; c < 8; ++c) {
      const __m512i plane = _mm512_loadu_si512(block + 256 + 64 * (c / 4));
      const int q = c % 4;
      const __m512i high = q < 2 ? _mm512_slli_epi16(plane, 4 - 2 * q) : _mm512_srli_epi16(plane, 2 * q - 4);
      codes[c] = _mm512_ternarylogic_epi32(codes[c], high, bits, kOrAnd);
    }
  }
}

struct UnitHeader {
  __m512 d, dmin;  // dmin with its sign turned: minimums are subtracted
};

inline __m512 load_f16(const std::uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline __m512 load_i8(const std::uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

template <PackFormat F>
inline __attribute__((always_inline)) UnitHeader load_header(const std::uint8_t* unit) {
  UnitHeader h{_mm512_setzero_ps(), _mm512_setzero_ps()};
  if constexpr (F.super) {
    h.d = load_f16(unit);
    if constexpr (F.affine) h.dmin = _mm512_xor_ps(load_f16(unit + 2 * kTile), _mm512_set1_ps(-0.0f));
  }
  return h;
}

// Scale and minimum of group g.
template <PackFormat F>
inline __attribute__((always_inline)) void load_scale(const UnitHeader& h, const std::uint8_t* scales, int g,
                                                      __m512& scale, __m512& minimum) {
  if constexpr (F.super) {
    scale = _mm512_mul_ps(h.d, load_i8(scales + kTile * g));
    if constexpr (F.affine) minimum = _mm512_mul_ps(h.dmin, load_i8(scales + kTile * (F.groups + g)));
  } else {
    scale = load_f16(scales);
    if constexpr (F.affine) minimum = load_f16(scales + 2 * kTile);
  }
}

inline __m512i dot4(__m512i sum, __m512i codes, const std::int8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, 4);
  return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(four));
}

// A block's weights in registers.
struct BlockWeights {
  __m512i codes[8];
  __m512 scales[2], minimums[2];  // of its groups
};

// acc[0, N) += one block times rows [0, N) of x, whose entries of that block begin at `at`. Independent sums
// for each half of the activations and each part (group, or half a block where one or two rows alone would
// not keep both multipliers busy).
template <PackFormat F, int N>
inline __attribute__((always_inline)) void add_block(const BlockWeights& w, const Activations& x,
                                                     const std::uint32_t* corrections, std::int64_t at,
                                                     __m512* acc) {
  constexpr int kParts = F.groups == 2 || N <= 2 ? 2 : 1, kCodes = 8 / kParts;
  const std::int64_t stride = x.row_blocks;
  __m512i high[kParts][N], low[kParts][N];
  for (int h = 0; h < kParts; ++h)
    for (int m = 0; m < N; ++m) {
      high[h][m] = low[h][m] = _mm512_setzero_si512();
      if (!F.affine && h < F.groups)
        low[h][m] =
            _mm512_set1_epi32(static_cast<std::int32_t>(corrections[(at + m * stride) * F.groups + h]));
    }
#pragma GCC unroll 8
  for (int c = 0; c < kCodes; ++c)
    for (int h = 0; h < kParts; ++h)
      for (int m = 0; m < N; ++m) {
        const int vector = h * kCodes + c;
        const ActivationBlock& block = x.blocks[at + m * stride];
        high[h][m] = dot4(high[h][m], w.codes[vector], block.high + 4 * vector);
        low[h][m] = dot4(low[h][m], w.codes[vector], block.low + 4 * vector);
      }
  for (int m = 0; m < N; ++m) {
    if constexpr (F.groups < kParts) {
      high[0][m] = _mm512_add_epi32(high[0][m], high[1][m]);
      low[0][m] = _mm512_add_epi32(low[0][m], low[1][m]);
    }
    const std::int64_t row = at + m * stride;
    for (int g = 0; g < F.groups; ++g) {
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high[g][m], 8), low[g][m]));
      acc[m] = _mm512_fmadd_ps(sum, _mm512_mul_ps(w.scales[g], _mm512_set1_ps(x.scales[row])), acc[m]);
      if constexpr (F.affine) {
        const float correction = __builtin_bit_cast(float, corrections[row * F.groups + g]);
        acc[m] = _mm512_fmadd_ps(w.minimums[g], _mm512_set1_ps(correction), acc[m]);
      }
    }
  }
}

// The same for any number of rows: as many beside each other as the 32 registers hold.
template <PackFormat F, int Rows>
inline __attribute__((always_inline)) void add_rows(const BlockWeights& w, const Activations& x,
                                                    const std::uint32_t* corrections, std::int64_t at,
                                                    __m512* acc) {
  constexpr int kBeside = F.groups == 2 ? 2 : 4;
  if constexpr (Rows <= kBeside) {
    add_block<F, Rows>(w, x, corrections, at, acc);
  } else {
    add_block<F, kBeside>(w, x, corrections, at, acc);
    add_rows<F, Rows - kBeside>(w, x, corrections, at + kBeside * x.row_blocks, acc + kBeside);
  }
}

// Rows [row, row + Rows) of x; a block's codes are unpacked into registers once for all of them.
template <PackFormat F, int Rows>
void packed_rows(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
                 std::int64_t row, const OutTile& out) {
  const std::int64_t stride = x.row_blocks;
  __m512 acc[Rows];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  for (std::int64_t b = 0; b < stride; b += unit_blocks(F)) {
    const UnitHeader header = load_header<F>(tile);
    tile += header_bytes(F);
    for (int i = 0; i < unit_blocks(F); ++i, tile += block_bytes(F)) {
      for (int line = 0; line < block_bytes(F); line += 64)
        _mm_prefetch(tile + kPrefetchAhead + line, _MM_HINT_T0);
      BlockWeights w;
      load_codes<F>(tile, w.codes);
      for (int g = 0; g < F.groups; ++g)
        load_scale<F>(header, tile + code_bytes(F), g, w.scales[g], w.minimums[g]);
      add_rows<F, Rows>(w, x, corrections, row * stride + b + i, acc);
    }
  }
  const auto mask = static_cast<__mmask16>(out.live >= kTile ? 0xffff : (1 << out.live) - 1);
  for (int m = 0; m < Rows; ++m) {
    if (out.bias) acc[m] = _mm512_add_ps(acc[m], _mm512_maskz_loadu_ps(mask, out.bias));
    _mm512_mask_storeu_ps(out.out + (row + m) * out.out_stride, mask, acc[m]);
  }
}

// All rows (at most 8) in one pass over the tile: memory is read while all of them are worked on.
template <PackFormat F>
void all_packed_rows(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
                     std::int64_t rows, const OutTile& out) {
  static constexpr decltype(&packed_rows<F, 1>) kByRows[] = {
      packed_rows<F, 1>, packed_rows<F, 2>, packed_rows<F, 3>, packed_rows<F, 4>,
      packed_rows<F, 5>, packed_rows<F, 6>, packed_rows<F, 7>, packed_rows<F, 8>};
  std::int64_t m = 0;
  for (; m + 8 < rows; m += 8) packed_rows<F, 8>(tile, x, corrections, m, out);
  kByRows[rows - m - 1](tile, x, corrections, m, out);
}

template <PackFormat F>
void unpack(const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  for (std::int64_t b = 0; b < cols / kBlock; b += unit_blocks(F)) {
    const UnitHeader header = load_header<F>(tile);
    tile += header_bytes(F);
    for (int i = 0; i < unit_blocks(F); ++i, tile += block_bytes(F)) {
      for (int line = 0; line < block_bytes(F); line += 64)
        _mm_prefetch(tile + kPrefetchAhead + line, _MM_HINT_T0);
      __m512i codes[8];
      load_codes<F>(tile, codes);
      for (int c = 0; c < 8; ++c) _mm512_store_si512(to.codes + 512 * (b + i) + 64 * c, codes[c]);
      for (int g = 0; g < F.groups; ++g) {
        __m512 scale, minimum;
        load_scale<F>(header, tile + code_bytes(F), g, scale, minimum);
        _mm512_store_ps(to.scales + ((b + i) * F.groups + g) * kTile, scale);
        if constexpr (F.affine) _mm512_store_ps(to.minimums + ((b + i) * F.groups + g) * kTile, minimum);
      }
    }
  }
}

// See quantise_block in kernels_scalar.cpp.
void quantise_row(const float* x, std::int64_t cols, ActivationBlock* blocks, float* scales,
                  std::int32_t* sums) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), half = _mm512_set1_epi32(128);
  for (std::int64_t b = 0; b < cols / kBlock; ++b) {
    const __m512 v[2] = {_mm512_loadu_ps(x + b * kBlock), _mm512_loadu_ps(x + b * kBlock + 16)};
    const std::uint32_t largest =
        _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(v[0]), magnitude),
                                                 _mm512_and_si512(_mm512_castps_si512(v[1]), magnitude)));
    const float amax = __builtin_bit_cast(float, largest);
    const bool finite = largest < 0x7f800000u;
    const bool zero = !finite || amax < kTiny;
    scales[b] = !finite ? __builtin_nanf("") : zero ? 0.0f : amax / kActivationMax;
    const __m512 inverse = _mm512_set1_ps(zero ? 0.0f : kActivationMax / amax);
    const auto keep = static_cast<__mmask16>(zero ? 0 : 0xffff);
    for (int h = 0; h < 2; ++h) {
      const __m512i q = _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(v[h], inverse));
      const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(q, half), 8);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(blocks[b].high + 16 * h), _mm512_cvtepi32_epi8(high));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(blocks[b].low + 16 * h), _mm512_cvtepi32_epi8(q));
      sums[2 * b + h] = _mm512_reduce_add_epi32(q);
    }
  }
}

}  // namespace

void packed_rows_avx512(DType type, const std::uint8_t* tile, const Activations& x,
                        const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return all_packed_rows<format>(tile, x, corrections, rows, out);
    CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
    default:
      return;
  }
}

void unpack_avx512(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return unpack<format>(tile, cols, to);
    CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
    default:
      return;
  }
}

const KernelTable& avx512_kernels() {
  static constexpr KernelTable table{quantise_row, packed_rows_avx512, unpack_avx512, unpacked_rows_avx512,
                                     plain_rows_avx512};
  return table;
}

}  // namespace consort::matmul_detail

// AVX-512 VNNI: panels of up to 8 rows of x against packed tiles; quantisation of x. Lanes
// are output rows, so nothing is ever added across lanes.
#include <immintrin.h>

#include <cstring>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/avx512_parts.h"
#include "kernels/matmul/codes_avx512.h"

namespace consort::matmul_detail {
namespace {

constexpr int kPanel = 8;  // 16 sums and 8 results of the 32 registers

struct UnitHeader {
  __m512 d, dmin;  // dmin with its sign turned: minimums are subtracted
};

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

// A block's weights as the panel kernel asks for them: decoded on the way, or from a tile unpacked before.
template <PackFormat F>
struct PackedBlock {
  const std::uint8_t* block;
  const UnitHeader& header;
  __m512i codes(int c) const { return code_vector<F>(block, c); }
  void scale(int g, __m512& scale, __m512& minimum) const {
    load_scale<F>(header, block + code_bytes(F), g, scale, minimum);
  }
};
template <PackFormat F>
struct UnpackedBlock {
  const std::uint8_t* code_bytes;
  const float *scales, *minimums;
  __m512i codes(int c) const { return _mm512_load_si512(code_bytes + 64 * c); }
  void scale(int g, __m512& scale, __m512& minimum) const {
    scale = _mm512_load_ps(scales + kTile * g);
    if constexpr (F.affine) minimum = _mm512_load_ps(minimums + kTile * g);
  }
};

// sum += four codes times the four signed bytes at x, in every lane. The instruction reads and spreads x by
// itself; written as two (a load and a product) eight rows do not fit the registers.
inline __attribute__((always_inline)) void dot4(__m512i& sum, __m512i codes, const std::int8_t* x) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(sum)
      : "v"(codes), "m"(*reinterpret_cast<const std::int8_t(*)[4]>(x)));
}

// acc[0, N) += one block times the N rows of a panel of x, whose entries begin at `at`. The panel's bytes lie
// as [code vector][high, low][row][4 columns]: what a code vector meets is one cache line. A vector of codes
// is made when it is needed and serves all rows; `kParts` chains for each half of the activations of each row
// (8 rows: 16 chains, 4 rows: 16, fewer: 8 to 4) hide the five cycles of a product. Without `High` the high halves
// are known to be zero (activations of 8 bits).
template <PackFormat F, bool High, int N, typename Block>
inline __attribute__((always_inline)) void add_block(const Block& block, const Activations& x,
                                                     const std::uint32_t* corrections, std::int64_t at,
                                                     __m512* acc) {
  constexpr int kParts = F.groups == 1 && N <= 4 ? 2 : 1, kCodes = 8 / F.groups;
  const auto* rows = reinterpret_cast<const std::int8_t*>(x.blocks + at);
  for (int g = 0; g < F.groups; ++g) {
    __m512i high[kParts][N], low[kParts][N];
    for (int p = 0; p < kParts; ++p)
      for (int m = 0; m < N; ++m) {
        high[p][m] = low[p][m] = _mm512_setzero_si512();
        if (!F.affine && p == 0)
          low[p][m] = _mm512_set1_epi32(static_cast<std::int32_t>(corrections[(at + m) * F.groups + g]));
      }
#pragma GCC unroll 8
    for (int i = 0; i < kCodes; ++i) {
      const int c = g * kCodes + i / kParts + i % kParts * (kCodes / kParts);
      const __m512i codes = block.codes(c);
      for (int m = 0; m < N; ++m) {
        if constexpr (High) dot4(high[i % kParts][m], codes, rows + 4 * ((2 * c) * N + m));
        dot4(low[i % kParts][m], codes, rows + 4 * ((2 * c + 1) * N + m));
      }
    }
    __m512 scale, minimum;
    block.scale(g, scale, minimum);
    for (int m = 0; m < N; ++m) {
      if constexpr (kParts == 2) {
        if constexpr (High) high[0][m] = _mm512_add_epi32(high[0][m], high[1][m]);
        low[0][m] = _mm512_add_epi32(low[0][m], low[1][m]);
      }
      if constexpr (High) low[0][m] = _mm512_add_epi32(_mm512_slli_epi32(high[0][m], 8), low[0][m]);
      const __m512 sum = _mm512_cvtepi32_ps(low[0][m]);
      acc[m] = _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, _mm512_set1_ps(x.scales[at + m])), acc[m]);
      if constexpr (F.affine) {
        const float correction = __builtin_bit_cast(float, corrections[(at + m) * F.groups + g]);
        acc[m] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(correction), acc[m]);
      }
    }
  }
}

template <int Rows>
inline __attribute__((always_inline)) void store_rows(__m512* acc, std::int64_t row, const OutTile& out) {
  const auto mask = static_cast<__mmask16>(out.live >= kTile ? 0xffff : (1 << out.live) - 1);
  for (int m = 0; m < Rows; ++m) {
    if (out.bias) acc[m] = _mm512_add_ps(acc[m], _mm512_maskz_loadu_ps(mask, out.bias));
    _mm512_mask_storeu_ps(out.out + (row + m) * out.out_stride, mask, acc[m]);
  }
}

// One panel: rows [row, row + Rows) of x, row a multiple of the panel's eight.
template <PackFormat F, bool High, int Rows>
void packed_rows(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
                 std::int64_t row, const OutTile& out) {
  __m512 acc[Rows];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  std::int64_t at = row * x.row_blocks;
  for (std::int64_t b = 0; b < x.row_blocks; b += unit_blocks(F)) {
    const UnitHeader header = load_header<F>(tile);
    tile += header_bytes(F);
    for (int i = 0; i < unit_blocks(F); ++i, tile += block_bytes(F), at += Rows) {
      for (int line = 0; line < block_bytes(F); line += 64)
        _mm_prefetch(tile + kPrefetchAhead + line, _MM_HINT_T0);
      add_block<F, High, Rows>(PackedBlock<F>{tile, header}, x, corrections, at, acc);
    }
  }
  store_rows<Rows>(acc, row, out);
}

// The same from an unpacked tile.
template <PackFormat F, bool High, int Rows>
void unpacked_panel(const UnpackedTile& tile, const Activations& x, const std::uint32_t* corrections,
                    std::int64_t row, const OutTile& out) {
  __m512 acc[Rows];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  const std::uint8_t* codes = tile.codes;
  const float *scales = tile.scales, *minimums = tile.minimums;
  std::int64_t at = row * x.row_blocks;
  for (std::int64_t b = 0; b < x.row_blocks; ++b, at += Rows) {
    add_block<F, High, Rows>(UnpackedBlock<F>{codes, scales, minimums}, x, corrections, at, acc);
    codes += 512;
    scales += F.groups * kTile;
    minimums += F.groups * kTile;
  }
  store_rows<Rows>(acc, row, out);
}

// All rows, a panel at a time; the tile stays in the first cache.
template <PackFormat F, bool High>
void all_packed_rows(const std::uint8_t* tile, const Activations& x, const std::uint32_t* corrections,
                     std::int64_t rows, const OutTile& out) {
  static constexpr decltype(&packed_rows<F, High, 1>) kByRows[] = {
      packed_rows<F, High, 1>, packed_rows<F, High, 2>, packed_rows<F, High, 3>, packed_rows<F, High, 4>,
      packed_rows<F, High, 5>, packed_rows<F, High, 6>, packed_rows<F, High, 7>, packed_rows<F, High, 8>};
  std::int64_t m = 0;
  for (; m + 8 < rows; m += 8) packed_rows<F, High, 8>(tile, x, corrections, m, out);
  kByRows[rows - m - 1](tile, x, corrections, m, out);
}

template <PackFormat F, bool High>
void all_unpacked_rows(const UnpackedTile& tile, const Activations& x, const std::uint32_t* corrections,
                       std::int64_t rows, const OutTile& out) {
  static constexpr decltype(&unpacked_panel<F, High, 1>) kByRows[] = {
      unpacked_panel<F, High, 1>, unpacked_panel<F, High, 2>, unpacked_panel<F, High, 3>, unpacked_panel<F, High, 4>,
      unpacked_panel<F, High, 5>, unpacked_panel<F, High, 6>, unpacked_panel<F, High, 7>, unpacked_panel<F, High, 8>};
  std::int64_t m = 0;
  for (; m + 8 < rows; m += 8) unpacked_panel<F, High, 8>(tile, x, corrections, m, out);
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
      for (int c = 0; c < 8; ++c)
        _mm512_store_si512(to.codes + 512 * (b + i) + 64 * c, code_vector<F>(tile, c));
      for (int g = 0; g < F.groups; ++g) {
        __m512 scale, minimum;
        load_scale<F>(header, tile + code_bytes(F), g, scale, minimum);
        _mm512_store_ps(to.scales + ((b + i) * F.groups + g) * kTile, scale);
        if constexpr (F.affine) _mm512_store_ps(to.minimums + ((b + i) * F.groups + g) * kTile, minimum);
      }
    }
  }
}

// See quantise_block in kernels_scalar.cpp. Entry `at` is block b of row r of the panel.
inline void quantise_block(const float* x, const PanelToQuantise& p, std::int64_t b, int r) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), half = _mm512_set1_epi32(128);
  const __m512 v[2] = {_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16)};
  const std::uint32_t largest =
      _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(v[0]), magnitude),
                                               _mm512_and_si512(_mm512_castps_si512(v[1]), magnitude)));
  const float amax = __builtin_bit_cast(float, largest);
  const bool finite = largest < 0x7f800000u;
  const bool zero = !finite || amax < kTiny;
  const std::int64_t at = b * p.rows + r;
  p.scales[at] = !finite ? __builtin_nanf("") : zero ? 0.0f : amax / p.most;
  const __m512 inverse = _mm512_set1_ps(zero ? 0.0f : p.most / amax);
  const auto keep = static_cast<__mmask16>(zero ? 0 : 0xffff);
  auto* panel = reinterpret_cast<std::int32_t*>(p.blocks + b * p.rows) + r;
  for (int h = 0; h < 2; ++h) {
    const __m512i q = _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(v[h], inverse));
    const __m128i high = _mm512_cvtepi32_epi8(_mm512_srai_epi32(_mm512_add_epi32(q, half), 8));
    const __m128i low = _mm512_cvtepi32_epi8(q);
    alignas(32) std::int32_t pieces[8];  // [code vector][high, low]
    _mm_store_si128(reinterpret_cast<__m128i*>(pieces), _mm_unpacklo_epi32(high, low));
    _mm_store_si128(reinterpret_cast<__m128i*>(pieces + 4), _mm_unpackhi_epi32(high, low));
    for (int i = 0; i < 8; ++i) panel[(8 * h + i) * p.rows] = pieces[i];
    p.sums[2 * at + h] = _mm512_reduce_add_epi32(q);
  }
}

void quantise(const PanelToQuantise& p, std::int64_t first, std::int64_t last) {
  for (std::int64_t b = first; b < last; ++b)
    for (int r = 0; r < p.rows; ++r) quantise_block(p.x + r * p.x_stride + b * kBlock, p, b, r);
}

template <bool High>
void packed_rows_avx512(DType type, const std::uint8_t* tile, const Activations& x,
                        const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return all_packed_rows<format, High>(tile, x, corrections, rows, out);
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

template <bool High>
void unpacked_rows_avx512(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                          const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  const PackFormat f = pack_format(type);
  const auto run = f.groups == 1
                       ? (f.affine ? all_unpacked_rows<PackFormat{.bits = 8, .groups = 1, .affine = true}, High>
                                   : all_unpacked_rows<PackFormat{.bits = 8, .groups = 1}, High>)
                       : (f.affine ? all_unpacked_rows<PackFormat{.bits = 8, .groups = 2, .affine = true}, High>
                                   : all_unpacked_rows<PackFormat{.bits = 8, .groups = 2}, High>);
  for (int t = 0; t < tiles; ++t) {
    OutTile one = out;
    one.out += kTile * t;
    one.live -= kTile * t;
    if (one.bias != nullptr) one.bias += kTile * t;
    run(w[t], x, corrections, rows, one);
  }
}

}  // namespace

const KernelTable& avx512_kernels() {
  static constexpr IntegerRoute halves{.panel = kPanel,
                                       .packed_up_to = 16,
                                       .quantise = quantise,
                                       .packed_rows = packed_rows_avx512<true>,
                                       .unpack = unpack_avx512,
                                       .unpacked_rows = unpacked_rows_avx512<true>};
  static constexpr IntegerRoute bytes{.most = kActivationMax8,
                                      .panel = kPanel,
                                      .packed_up_to = 16,
                                      .quantise = quantise,
                                      .packed_rows = packed_rows_avx512<false>,
                                      .unpack = unpack_avx512,
                                      .unpacked_rows = unpacked_rows_avx512<false>};
  static constexpr KernelTable table{.int16 = halves,
                                     .int8 = bytes,
                                     .float_up_to = kPackedAvx2,
                                     .decode = decode_avx2,
                                     .float_rows = float_rows_avx2,
                                     .plain_rows = plain_rows_avx512};
  return table;
}

}  // namespace consort::matmul_detail

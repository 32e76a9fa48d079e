// Weights and rows of x as the AVX2 routes multiply them: 16-bit words. Internal to kernels/matmul.
//
// vpmaddwd multiplies pairs of words and adds the two products in 32 bits, 16 products an instruction and
// exact for every format. The four columns 4 c .. 4 c + 3 of code vector c are taken as the pairs (0, 2) and
// (1, 3), because a vector of bytes falls into its even and odd bytes with a mask and a shift; rows of x
// stand in that order.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {

static constexpr int kPairs = kBlock / 2;  // pairs of columns in a block

static inline __m256i load32(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// 16-bit lanes shifted left; by a negative count, right. Bytes that cross are masked by the caller.
template <int By>
static inline __m256i shift_left(__m256i v) {
  if constexpr (By >= 0)
    return _mm256_slli_epi16(v, By);
  else
    return _mm256_srli_epi16(v, -By);
}

// Bytes j .. j + 31 (j = 0 or 32: tile rows 0..7 or 8..15) of code vector C of a block, unsigned; of 5, 6 or
// 8 bits.
template <PackFormat F, int C>
static inline __attribute__((always_inline)) __m256i code_bytes_of(const std::uint8_t* block, int j) {
  if constexpr (F.bits == 8) {
    return load32(block + 64 * C + j);
  } else {
    const __m256i both = load32(block + 64 * (C % 4) + j);
    const __m256i low = _mm256_and_si256(C < 4 ? both : _mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
    constexpr int kShift = F.bits == 5 ? 4 - C : 4 - 2 * (C % 4);
    const __m256i plane = load32(block + 256 + (F.bits == 5 ? 0 : 64 * (C / 4)) + j);
    const __m256i place = _mm256_set1_epi8(F.bits == 5 ? 16 : 48);
    return _mm256_or_si256(low, _mm256_and_si256(shift_left<kShift>(plane), place));
  }
}

// The same of any format.
template <PackFormat F, int C>
static inline __attribute__((always_inline)) __m256i code_vector_of(const std::uint8_t* block, int j) {
  if constexpr (F.bits == 4) {
    const __m256i both = load32(block + 64 * (C % 4) + j);
    return _mm256_and_si256(C < 4 ? both : _mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
  } else {
    return code_bytes_of<F, C>(block, j);
  }
}

struct WordPairs {
  __m256i even, odd;  // columns (0, 2) and (1, 3) of a code vector, a pair in each row's 32 bits
};

template <PackFormat F, int C>
static inline __attribute__((always_inline)) WordPairs code_words_of(const std::uint8_t* block, int j) {
  if constexpr (F.bits == 4) {
    const __m256i both = load32(block + 64 * (C % 4) + j), nibble = _mm256_set1_epi16(15);
    if constexpr (C < 4)
      return {_mm256_and_si256(both, nibble), _mm256_and_si256(_mm256_srli_epi16(both, 8), nibble)};
    else
      return {_mm256_and_si256(_mm256_srli_epi16(both, 4), nibble), _mm256_srli_epi16(both, 12)};
  } else {
    const __m256i codes = code_bytes_of<F, C>(block, j);
    return {_mm256_and_si256(codes, _mm256_set1_epi16(255)), _mm256_srli_epi16(codes, 8)};
  }
}

// sum += v. As an instruction of its own, or GCC 12 makes many products first and runs out of registers.
static inline void add_to(__m256i& sum, __m256i v) {
  asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(v));
}

// The same for 16-bit lanes.
static inline void add_words(__m256i& sum, __m256i v) {
  asm("vpaddw %1, %0, %0" : "+x"(sum) : "x"(v));
}

// Pair p of a block of x in every lane.
static inline __m256i x_pair(const ActivationBlock& x, int p) {
  std::int32_t pair;
  __builtin_memcpy(&pair, reinterpret_cast<const char*>(&x) + 4 * p, 4);
  return _mm256_set1_epi32(pair);
}

static inline __m256 load_f16(const std::uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
static inline __m256 load_i8(const std::uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

// Scale and minimum of tile rows r .. r + 7 for group g; `unit` has the header of the K formats.
template <PackFormat F>
static inline __attribute__((always_inline)) void load_scale(const std::uint8_t* unit,
                                                             const std::uint8_t* scales, int g, int r,
                                                             __m256& scale, __m256& minimum) {
  const std::uint8_t* d = (F.super ? unit : scales) + 2 * r;
  scale = load_f16(d);
  if constexpr (F.super) scale = _mm256_mul_ps(scale, load_i8(scales + kTile * g + r));
  if constexpr (F.affine) {
    minimum = load_f16(d + 2 * kTile);
    if constexpr (F.super)
      minimum = _mm256_mul_ps(_mm256_xor_ps(minimum, _mm256_set1_ps(-0.0f)),
                              load_i8(scales + kTile * (F.groups + g) + r));
  }
}

// `use(b, unit, block)` for every block of a tile in order; `unit` has the header of the K formats.
template <PackFormat F, typename Use>
static inline __attribute__((always_inline)) void each_block(const std::uint8_t* tile, std::int64_t blocks, Use use) {
  const std::uint8_t* unit = tile;
  const std::uint8_t* block = tile + header_bytes(F);
  for (std::int64_t b = 0; b < blocks; ++b) {
    use(b, unit, block);
    block += block_bytes(F);
    if (unit_blocks(F) == 1 || (b + 1) % unit_blocks(F) == 0) {
      unit = block;
      block += header_bytes(F);
    }
  }
}

// For tiles that are read once.
template <PackFormat F>
static inline __attribute__((always_inline)) void prefetch_behind(const std::uint8_t* block) {
  for (int i = 0; i < block_bytes(F); i += 64)
    _mm_prefetch(reinterpret_cast<const char*>(block) + kPrefetchAhead + i, _MM_HINT_T0);
}

template <PackFormat F>
static inline __attribute__((always_inline)) void unpack_scales(const std::uint8_t* unit, const std::uint8_t* block,
                                                                std::int64_t b, const UnpackedTile& to) {
  for (int g = 0; g < F.groups; ++g)
    for (int r = 0; r < kTile; r += 8) {
      const std::int64_t at = (b * F.groups + g) * kTile + r;
      __m256 scale, minimum;
      load_scale<F>(unit, block + code_bytes(F), g, r, scale, minimum);
      _mm256_storeu_ps(to.scales + at, scale);
      if constexpr (F.affine) _mm256_storeu_ps(to.minimums + at, minimum);
    }
}

static inline std::int32_t sum8(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
static inline std::uint32_t max8(__m256i v) {
  __m128i s = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_max_epu32(s, _mm_shuffle_epi32(s, 0x4e));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(s, _mm_shuffle_epi32(s, 0xb1))));
}

struct QuantisedBlock {
  __m256i v[4];  // the 32 integers, in the order of the columns
};

// Block b of the panel's only row: its integers; scale and sums are stored. See quantise_block in
// kernels_scalar.cpp.
static inline QuantisedBlock quantise_block_avx2(const PanelToQuantise& p, std::int64_t b) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256 v[4];
  __m256i most = _mm256_setzero_si256();
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_loadu_ps(p.x + b * kBlock + 8 * i);
    most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(v[i]), magnitude));
  }
  const std::uint32_t largest = max8(most);
  const float amax = __builtin_bit_cast(float, largest);
  const bool finite = largest < 0x7f800000u;
  const bool zero = !finite || amax < kTiny;
  p.scales[b] = !finite ? __builtin_nanf("") : zero ? 0.0f : amax / p.most;
  const __m256 inverse = _mm256_set1_ps(zero ? 0.0f : p.most / amax);
  QuantisedBlock q;
  for (int i = 0; i < 4; ++i)
    q.v[i] = zero ? _mm256_setzero_si256() : _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
  for (int h = 0; h < 2; ++h) p.sums[2 * b + h] = sum8(_mm256_add_epi32(q.v[2 * h], q.v[2 * h + 1]));
  return q;
}

// What a group's sums begin with: the correction of the symmetric formats.
template <bool Affine>
static inline __m256i first_sum(std::uint32_t correction) {
  return Affine ? _mm256_setzero_si256() : _mm256_set1_epi32(static_cast<std::int32_t>(correction));
}

// A group's share of the result (README, "The arithmetic of block formats").
template <bool Affine>
static inline __attribute__((always_inline)) __m256 add_group(__m256 acc, __m256i sum, __m256 w_scale,
                                                              __m256 w_minimum, float x_scale,
                                                              std::uint32_t correction) {
  acc = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(w_scale, _mm256_set1_ps(x_scale)), acc);
  if constexpr (Affine)
    acc = _mm256_fmadd_ps(w_minimum, _mm256_set1_ps(__builtin_bit_cast(float, correction)), acc);
  return acc;
}

// The same of all rows and both halves of a tile. `scales(h, scale, minimum)` gives those of tile rows 8 h .. 8 h + 7;
// entries of x_scales and corrections are `x_step` and `correction_step` apart between rows.
template <bool Affine, int Rows, typename Scales>
static inline __attribute__((always_inline)) void add_sums(__m256 (&acc)[Rows][2], const __m256i (&sums)[Rows][2],
                                                           Scales scales, const float* x_scales, std::int64_t x_step,
                                                           const std::uint32_t* corrections,
                                                           std::int64_t correction_step) {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    __m256 scale, minimum = _mm256_setzero_ps();
    scales(h, scale, minimum);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
      acc[m][h] = add_group<Affine>(acc[m][h], sums[m][h], scale, minimum, x_scales[m * x_step],
                                    corrections[m * correction_step]);
  }
}

template <int Rows>
static inline __attribute__((always_inline)) void clear(__m256 (&acc)[Rows][2]) {
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
}

static inline void store_row(const __m256 (&acc)[2], std::int64_t row, int first, const OutTile& out) {
  float* to = out.out + row * out.out_stride + first;
  const float* bias = out.bias ? out.bias + first : nullptr;
  const int live = out.live - first;
  if (live >= kTile) {
    for (int h = 0; h < 2; ++h)
      _mm256_storeu_ps(to + 8 * h, bias ? _mm256_add_ps(acc[h], _mm256_loadu_ps(bias + 8 * h)) : acc[h]);
    return;
  }
  alignas(32) float values[kTile];
  _mm256_store_ps(values, acc[0]);
  _mm256_store_ps(values + 8, acc[1]);
  for (int r = 0; r < live; ++r) to[r] = bias ? values[r] + bias[r] : values[r];
}

}  // namespace consort::matmul_detail

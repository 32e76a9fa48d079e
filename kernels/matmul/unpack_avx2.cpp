// AVX2: quantisation of x and unpacking of tiles.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

template <PackFormat F, int C>
inline __attribute__((always_inline)) void unpack_vectors(const std::uint8_t* block, std::uint8_t* out) {
  if constexpr (C < 8) {
#pragma GCC unroll 2
    for (int j = 0; j < 64; j += 32) {
      const WordPairs w = code_words_of<F, C>(block, j);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 128 * C + j), w.even);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 128 * C + 64 + j), w.odd);
    }
    unpack_vectors<F, C + 1>(block, out);
  }
}

template <PackFormat F>
void unpack(const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  for (std::int64_t b = 0; b < cols / kBlock; ++b) {
    const std::uint8_t* unit = tile + b / unit_blocks(F) * unit_bytes(F);
    const std::uint8_t* block = unit + header_bytes(F) + b % unit_blocks(F) * block_bytes(F);
    unpack_vectors<F, 0>(block, to.codes + kUnpackedWords * b);
    for (int g = 0; g < F.groups; ++g)
      for (int r = 0; r < kTile; r += 8) {
        const std::int64_t at = (b * F.groups + g) * kTile + r;
        __m256 scale, minimum;
        load_scale<F>(unit, block + code_bytes(F), g, r, scale, minimum);
        _mm256_storeu_ps(to.scales + at, scale);
        if constexpr (F.affine) _mm256_storeu_ps(to.minimums + at, minimum);
      }
  }
}

inline std::int32_t sum8(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
inline std::uint32_t max8(__m256i v) {
  __m128i s = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_max_epu32(s, _mm_shuffle_epi32(s, 0x4e));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(s, _mm_shuffle_epi32(s, 0xb1))));
}

// The 16 integers of two vectors as words, each four as columns 0, 2, 1, 3.
inline __m256i paired_words(__m256i a, __m256i b) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
  return _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(words, 0xd8), 0xd8);
}

}  // namespace

// See quantise_block in kernels_scalar.cpp.
void quantise_avx2(const PanelToQuantise& p, std::int64_t first, std::int64_t last) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  for (std::int64_t b = first; b < last; ++b) {
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
    p.scales[b] = !finite ? __builtin_nanf("") : zero ? 0.0f : amax / kActivationMax;
    const __m256 inverse = _mm256_set1_ps(zero ? 0.0f : kActivationMax / amax);
    __m256i q[4];
    for (int i = 0; i < 4; ++i)
      q[i] = zero ? _mm256_setzero_si256() : _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    auto* to = reinterpret_cast<__m256i*>(p.blocks + b);
    for (int h = 0; h < 2; ++h) {
      _mm256_storeu_si256(to + h, paired_words(q[2 * h], q[2 * h + 1]));
      p.sums[2 * b + h] = sum8(_mm256_add_epi32(q[2 * h], q[2 * h + 1]));
    }
  }
}

void unpack_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
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

}  // namespace consort::matmul_detail

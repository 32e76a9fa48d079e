// AVX2: quantisation of x and unpacking of tiles.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"

namespace consort::matmul_detail {
namespace {

inline __m256i load32(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline __m256i shift_left(__m256i v, int by) {  // of 16-bit lanes; negative shifts right
  return by >= 0 ? _mm256_sll_epi16(v, _mm_cvtsi32_si128(by)) : _mm256_srl_epi16(v, _mm_cvtsi32_si128(-by));
}

template <PackFormat F>
void unpack_codes(const std::uint8_t* block, std::uint8_t* out) {
  const __m256i low4 = _mm256_set1_epi8(15);
  for (int j = 0; j < 64; j += 32)
    for (int c = 0; c < 8; ++c) {
      if constexpr (F.bits == 8) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 64 * c + j), load32(block + 64 * c + j));
        continue;
      }
      const __m256i v = load32(block + 64 * (c % 4) + j);
      __m256i codes = _mm256_and_si256(c < 4 ? v : _mm256_srli_epi16(v, 4), low4);
      if constexpr (F.bits == 5) {
        const __m256i high = shift_left(load32(block + 256 + j), 4 - c);
        codes = _mm256_or_si256(codes, _mm256_and_si256(high, _mm256_set1_epi8(16)));
      }
      if constexpr (F.bits == 6) {
        const __m256i high = shift_left(load32(block + 256 + 64 * (c / 4) + j), 4 - 2 * (c % 4));
        codes = _mm256_or_si256(codes, _mm256_and_si256(high, _mm256_set1_epi8(48)));
      }
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 64 * c + j), codes);
    }
}

inline __m256 load_f16(const std::uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m256 load_i8(const std::uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

template <PackFormat F>
void unpack_scales(const std::uint8_t* unit, const std::uint8_t* scales, float* out, float* minimums) {
  const __m256 minus = _mm256_set1_ps(-0.0f);
  for (int g = 0; g < F.groups; ++g)
    for (int r = 0; r < kTile; r += 8) {
      const std::uint8_t* d = (F.super ? unit : scales) + 2 * r;
      __m256 scale = load_f16(d);
      if constexpr (F.super) scale = _mm256_mul_ps(scale, load_i8(scales + kTile * g + r));
      _mm256_storeu_ps(out + kTile * g + r, scale);
      if constexpr (F.affine) {
        __m256 minimum = load_f16(d + 2 * kTile);
        if constexpr (F.super)
          minimum =
              _mm256_mul_ps(_mm256_xor_ps(minimum, minus), load_i8(scales + kTile * (F.groups + g) + r));
        _mm256_storeu_ps(minimums + kTile * g + r, minimum);
      }
    }
}

template <PackFormat F>
void unpack(const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  for (std::int64_t b = 0; b < cols / kBlock; ++b) {
    const std::uint8_t* unit = tile + b / unit_blocks(F) * unit_bytes(F);
    const std::uint8_t* block = unit + header_bytes(F) + b % unit_blocks(F) * block_bytes(F);
    unpack_codes<F>(block, to.codes + 512 * b);
    unpack_scales<F>(unit, block + code_bytes(F), to.scales + b * F.groups * kTile,
                     to.minimums + b * F.groups * kTile);
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

// Low bytes of the 16 integers of two vectors, in order.
inline __m128i low_bytes(__m256i a, __m256i b) {
  const __m256i byte = _mm256_set1_epi32(255);
  const __m256i words = _mm256_permute4x64_epi64(
      _mm256_packus_epi32(_mm256_and_si256(a, byte), _mm256_and_si256(b, byte)), 0xd8);
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

}  // namespace

// See quantise_block in kernels_scalar.cpp.
void quantise_avx2(const PanelToQuantise& p, std::int64_t first, std::int64_t last) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), half = _mm256_set1_epi32(128);
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
    __m256i q[4], high[4];
    for (int i = 0; i < 4; ++i) {
      q[i] = zero ? _mm256_setzero_si256() : _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
      high[i] = _mm256_srai_epi32(_mm256_add_epi32(q[i], half), 8);
    }
    for (int h = 0; h < 2; ++h) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p.blocks[b].high + 16 * h),
                       low_bytes(high[2 * h], high[2 * h + 1]));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p.blocks[b].low + 16 * h),
                       low_bytes(q[2 * h], q[2 * h + 1]));
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

// What the AVX-512 routes share: codes and scales of packed tiles and of sketches. Internal to
// kernels/matmul.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul/layout.h"

namespace consort::matmul_detail {

// Code vector c of a block as unsigned bytes.
template <PackFormat F>
static inline __attribute__((always_inline)) __m512i code_vector(const std::uint8_t* block, int c) {
  if constexpr (F.bits == 8) return _mm512_loadu_si512(block + 64 * c);
  const __m512i both = _mm512_loadu_si512(block + 64 * (c % 4));
  const __m512i codes = _mm512_and_si512(c < 4 ? both : _mm512_srli_epi16(both, 4), _mm512_set1_epi8(15));
  constexpr int kOrAnd = 0xf8;  // a | (b & c)
  if constexpr (F.bits == 5) {
    const __m512i plane = _mm512_loadu_si512(block + 256);
    const __m512i high = c < 4 ? _mm512_slli_epi16(plane, 4 - c) : _mm512_srli_epi16(plane, c - 4);
    return _mm512_ternarylogic_epi32(codes, high, _mm512_set1_epi8(16), kOrAnd);
  }
  if constexpr (F.bits == 6) {
    const __m512i plane = _mm512_loadu_si512(block + 256 + 64 * (c / 4));
    const int q = c % 4;
    const __m512i high = q < 2 ? _mm512_slli_epi16(plane, 4 - 2 * q) : _mm512_srli_epi16(plane, 2 * q - 4);
    return _mm512_ternarylogic_epi32(codes, high, _mm512_set1_epi8(48), kOrAnd);
  }
  return codes;
}

static inline __m512 load_f16(const std::uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

}  // namespace consort::matmul_detail

// Products of codes for AVX2: 16 an instruction.
#include <immintrin.h>

#include "kernels/distance/kernel.h"

namespace consort::avx2 {
namespace {

using Ints = __m256i;
constexpr std::size_t kCodes = 16;

inline Ints no_sums() {
  return _mm256_setzero_si256();
}
inline Ints load_query(const std::int16_t* query) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query));
}
inline Ints add_products(Ints sum, Ints query, const std::int8_t* codes) {
  const Ints wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(query, wide));
}
inline std::int32_t sum_of_ints(Ints v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return _mm_cvtsi128_si32(half);
}

}  // namespace
}  // namespace consort::avx2

#include "kernels/distance/codes-inl.h"

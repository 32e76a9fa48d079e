// Products of codes for AVX-512 (BW): 32 an instruction.
#include <immintrin.h>

#include "kernels/distance/kernel.h"

namespace consort::avx512 {
namespace {

using Ints = __m512i;
constexpr std::size_t kCodes = 32;

inline Ints no_sums() {
  return _mm512_setzero_si512();
}
inline Ints load_query(const std::int16_t* query) {
  return _mm512_loadu_si512(query);
}
inline Ints add_products(Ints sum, Ints query, const std::int8_t* codes) {
  const Ints wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  return _mm512_add_epi32(sum, _mm512_madd_epi16(query, wide));
}
inline std::int32_t sum_of_ints(Ints v) {
  return _mm512_reduce_add_epi32(v);
}

}  // namespace
}  // namespace consort::avx512

#include "kernels/distance/codes-inl.h"

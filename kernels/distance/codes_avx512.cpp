// Inner products of rows of 8-bit integers with a query of 16-bit ones, AVX-512 (BW): as codes_avx2.cpp, 32
// products an instruction.
#include <immintrin.h>

#include "kernels/distance/kernel.h"

namespace consort::avx512 {
namespace {

inline __m512i widened(const std::int8_t* codes) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
}

template <int kRows>
inline void some_rows(const std::int16_t* query, const std::int8_t* codes, std::size_t n, std::int32_t* out) {
  __m512i sums[kRows];
  for (int r = 0; r < kRows; ++r) sums[r] = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512i q = _mm512_loadu_si512(query + i);
    for (int r = 0; r < kRows; ++r)
      sums[r] = _mm512_add_epi32(sums[r], _mm512_madd_epi16(q, widened(codes + static_cast<std::size_t>(r) * n + i)));
  }
  for (int r = 0; r < kRows; ++r) {
    out[r] = _mm512_reduce_add_epi32(sums[r]);
    for (std::size_t j = i; j < n; ++j) out[r] += query[j] * codes[static_cast<std::size_t>(r) * n + j];
  }
}

}  // namespace

void code_dots(const std::int16_t* query, const std::int8_t* codes, std::size_t rows, std::size_t n,
               std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) some_rows<4>(query, codes + r * n, n, out + r);
  for (; r < rows; ++r) some_rows<1>(query, codes + r * n, n, out + r);
}

}  // namespace consort::avx512

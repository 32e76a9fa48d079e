#include <immintrin.h>

#include "kernels/cpu/roof_parts.h"

namespace consort::roof_detail {
namespace {

constexpr int kChains = 12;

std::uint64_t read(const std::uint8_t* data, std::size_t bytes) {
  __m256i sum[8];
  for (__m256i& s : sum) s = _mm256_setzero_si256();
  for (std::size_t i = 0; i < bytes; i += 256)
    for (int j = 0; j < 8; ++j)
      sum[j] =
          _mm256_xor_si256(sum[j], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + i + 32 * j)));
  for (int j = 1; j < 8; ++j) sum[0] = _mm256_xor_si256(sum[0], sum[j]);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(sum[0], 0) ^ _mm256_extract_epi64(sum[0], 3));
}

float multiply_f32(std::size_t rounds) {
  __m256 acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (std::size_t r = 0; r < rounds; ++r)
    for (__m256& x : acc) x = _mm256_fmadd_ps(x, a, b);
  for (int i = 1; i < kChains; ++i) acc[0] = _mm256_add_ps(acc[0], acc[i]);
  return _mm256_cvtss_f32(acc[0]);
}

std::int32_t multiply_i8(std::size_t rounds) {
  __m256i acc[kChains];
  for (__m256i& x : acc) x = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi16(1), a = _mm256_set1_epi8(static_cast<char>(rounds & 7));
  for (std::size_t r = 0; r < rounds; ++r)
    for (__m256i& x : acc) x = _mm256_add_epi32(_mm256_madd_epi16(_mm256_maddubs_epi16(x, a), ones), a);
  for (int i = 1; i < kChains; ++i) acc[0] = _mm256_add_epi32(acc[0], acc[i]);
  return _mm256_extract_epi32(acc[0], 0);
}

std::int32_t multiply_i16(std::size_t rounds) {
  __m256i acc[kChains];
  for (__m256i& x : acc) x = _mm256_setzero_si256();
  const __m256i a = _mm256_set1_epi16(static_cast<short>(rounds & 7));
  for (std::size_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (__m256i& x : acc) {  // as instructions, or the compiler takes the equal products out of the loop
      __m256i products;
      asm volatile("vpmaddwd %1, %1, %0" : "=x"(products) : "x"(a));
      asm volatile("vpaddd %1, %0, %0" : "+x"(x) : "x"(products));
    }
  for (int i = 1; i < kChains; ++i) acc[0] = _mm256_add_epi32(acc[0], acc[i]);
  return _mm256_extract_epi32(acc[0], 0);
}

}  // namespace

const Loops& avx2_loops() {
  static constexpr Loops loops{.read = read,
                               .multiply_f32 = multiply_f32,
                               .multiply_i8 = multiply_i8,
                               .multiply_i16 = multiply_i16,
                               .multiply_bf16 = nullptr,
                               .flops_per_round = kChains * 8 * 2.0,
                               .ops_per_round = kChains * 32 * 2.0,
                               .i16_ops_per_round = kChains * 16 * 2.0,
                               .bf16_flops_per_round = 0};
  return loops;
}

}  // namespace consort::roof_detail

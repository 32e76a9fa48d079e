#include <immintrin.h>

#include "kernels/cpu/roof_parts.h"

namespace consort::roof_detail {
namespace {

constexpr int kChains = 16;  // enough to cover the latency of two multipliers

std::uint64_t read(const std::uint8_t* data, std::size_t bytes) {
  __m512i sum[8];
  for (__m512i& s : sum) s = _mm512_setzero_si512();
  for (std::size_t i = 0; i < bytes; i += 512)
    for (int j = 0; j < 8; ++j) {
      _mm_prefetch(data + i + 64 * j + 2048, _MM_HINT_T0);
      sum[j] = _mm512_xor_si512(sum[j], _mm512_loadu_si512(data + i + 64 * j));
    }
  for (int j = 1; j < 8; ++j) sum[0] = _mm512_xor_si512(sum[0], sum[j]);
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(sum[0]));
}

float multiply_f32(std::size_t rounds) {
  __m512 acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (std::size_t r = 0; r < rounds; ++r)
    for (__m512& x : acc) x = _mm512_fmadd_ps(x, a, b);
  for (int i = 1; i < kChains; ++i) acc[0] = _mm512_add_ps(acc[0], acc[i]);
  return _mm512_reduce_add_ps(acc[0]);
}

std::int32_t multiply_i8(std::size_t rounds) {
  __m512i acc[kChains];
  for (__m512i& x : acc) x = _mm512_setzero_si512();
  const __m512i a = _mm512_set1_epi8(3);
  __m512i b = _mm512_set1_epi8(static_cast<char>(rounds & 7));
  for (std::size_t r = 0; r < rounds; ++r) {
    for (__m512i& x : acc) x = _mm512_dpbusd_epi32(x, a, b);
  }
  for (int i = 1; i < kChains; ++i) acc[0] = _mm512_add_epi32(acc[0], acc[i]);
  return _mm512_reduce_add_epi32(acc[0]);
}

std::int32_t multiply_i16(std::size_t rounds) {
  __m512i acc[kChains];
  for (__m512i& x : acc) x = _mm512_setzero_si512();
  const __m512i a = _mm512_set1_epi16(3), b = _mm512_set1_epi16(static_cast<short>(rounds & 7));
  for (std::size_t r = 0; r < rounds; ++r) {
    for (__m512i& x : acc) x = _mm512_dpwssd_epi32(x, a, b);
  }
  for (int i = 1; i < kChains; ++i) acc[0] = _mm512_add_epi32(acc[0], acc[i]);
  return _mm512_reduce_add_epi32(acc[0]);
}

// bfloat16 products are beyond what Isa::kAvx512 promises; the caller asks the processor first.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))) float multiply_bf16(
    std::size_t rounds) {
  __m512 acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512bh a = _mm512_cvtne2ps_pbh(acc[1], acc[1]), b = _mm512_cvtne2ps_pbh(acc[0], acc[0]);
  for (std::size_t r = 0; r < rounds; ++r)
    for (__m512& x : acc) x = _mm512_dpbf16_ps(x, a, b);
  for (int i = 1; i < kChains; ++i) acc[0] = _mm512_add_ps(acc[0], acc[i]);
  return _mm512_cvtss_f32(acc[0]);
}

}  // namespace

const Loops& avx512_loops() {
  static const Loops loops{.read = read,
                           .multiply_f32 = multiply_f32,
                           .multiply_i8 = multiply_i8,
                           .multiply_i16 = multiply_i16,
                           .multiply_bf16 = __builtin_cpu_supports("avx512bf16") ? multiply_bf16 : nullptr,
                           .flops_per_round = kChains * 16 * 2.0,
                           .ops_per_round = kChains * 64 * 2.0,
                           .i16_ops_per_round = kChains * 32 * 2.0,
                           .bf16_flops_per_round = kChains * 32 * 2.0};
  return loops;
}

}  // namespace consort::roof_detail

// The AVX-512 intrinsics of the kernels in plain C++ and AVX2, for `tests/parity/run_emulated_avx512`: SIMDe has most of
// them, the rest stand here, each as Intel's manual says what it does. Included before a kernel's own source.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <immintrin.h>
#include <simde/x86/avx512.h>
#undef _mm512_madd_epi16  // SIMDe 0.7.4 gives this name to the masked form
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

namespace consort::emulated {

template <typename T, typename Vector>
std::array<T, sizeof(Vector) / sizeof(T)> lanes(const Vector& v) {
  std::array<T, sizeof(Vector) / sizeof(T)> out;
  std::memcpy(out.data(), &v, sizeof v);
  return out;
}
template <typename Vector, typename T, std::size_t N>
Vector vector_of(const std::array<T, N>& lanes) {
  static_assert(sizeof(Vector) == sizeof(lanes));
  Vector out;
  std::memcpy(&out, lanes.data(), sizeof out);
  return out;
}
// Lane by lane from one type to another.
template <typename Out, typename To, typename From, typename In, typename F>
Out convert(const In& in, const F& f) {
  const auto from = lanes<From>(in);
  std::array<To, from.size()> to;
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = f(from[i], i);
  return vector_of<Out>(to);
}
template <typename To>
struct Cast {
  template <typename From>
  To operator()(From v, std::size_t) const {
    return static_cast<To>(v);
  }
};
// Masked lanes are neither read nor written: a masked load may stand at the end of a page.
template <typename Out, typename T>
Out masked_load(unsigned mask, const void* at) {
  std::array<T, sizeof(Out) / sizeof(T)> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    if (mask >> i & 1) std::memcpy(&out[i], static_cast<const char*>(at) + i * sizeof(T), sizeof(T));
  return vector_of<Out>(out);
}
template <typename T, typename In>
void masked_store(void* at, unsigned mask, const In& in) {
  const auto from = lanes<T>(in);
  for (std::size_t i = 0; i < from.size(); ++i)
    if (mask >> i & 1) std::memcpy(static_cast<char*>(at) + i * sizeof(T), &from[i], sizeof(T));
}
template <typename T, typename In>
T largest(const In& in) {
  const auto from = lanes<T>(in);
  return *std::max_element(from.begin(), from.end());
}
template <typename T, typename In>
T wrapped_sum(const In& in) {
  T sum = 0;
  for (const T v : lanes<T>(in)) sum += v;
  return sum;
}
// vreduceps has no order of its own; the compiler's is by halves.
inline float sum_by_halves(__m512 v) {
  auto x = lanes<float>(v);
  for (std::size_t half = 8; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) x[i] += x[i + half];
  return x[0];
}
template <int Control>
__m512 permute(__m512 v) {
  const auto from = lanes<float>(v);
  std::array<float, 16> to;
  for (std::size_t i = 0; i < 16; ++i) to[i] = from[(i & ~std::size_t{3}) + ((Control >> (2 * (i & 3))) & 3)];
  return vector_of<__m512>(to);
}
template <int Half>
__m256 half_of(__m512 v) {
  __m256 out;
  std::memcpy(&out, reinterpret_cast<const char*>(&v) + 32 * Half, sizeof out);
  return out;
}
inline __m256i to_half_floats(__m512 v) {
  return _mm256_set_m128i(_mm256_cvtps_ph(half_of<1>(v), 0), _mm256_cvtps_ph(half_of<0>(v), 0));
}
inline __m512 from_half_floats(__m256i v) {
  const std::array<__m256, 2> halves = {_mm256_cvtph_ps(_mm256_castsi256_si128(v)),
                                        _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1))};
  __m512 out;
  std::memcpy(&out, halves.data(), sizeof out);
  return out;
}
inline __m512i rounded(unsigned mask, __m512 v) {
  return convert<__m512i, std::int32_t, float>(
      v, [mask](float x, std::size_t i) { return mask >> i & 1 ? _mm_cvtss_si32(_mm_set_ss(x)) : 0; });
}
inline __m512i shifted(__m512i v, unsigned count) {
  return convert<__m512i, std::int32_t, std::int32_t>(v, [count](std::int32_t x, std::size_t) { return x >> count; });
}

// Written as inline assembly in the kernels; run_emulated_avx512 puts these calls in its place.
inline void vpdpwssd(__m512i& sum, __m512i a, __m512i b) {
  const auto x = lanes<std::int16_t>(a), y = lanes<std::int16_t>(b);
  sum = convert<__m512i, std::uint32_t, std::uint32_t>(sum, [&](std::uint32_t s, std::size_t i) {
    return s + static_cast<std::uint32_t>(x[2 * i] * y[2 * i]) +
           static_cast<std::uint32_t>(x[2 * i + 1] * y[2 * i + 1]);
  });
}
inline void vpdpbusd(__m512i& sum, __m512i codes, const std::int8_t* signed_bytes) {
  const auto x = lanes<std::uint8_t>(codes);
  sum = convert<__m512i, std::uint32_t, std::uint32_t>(sum, [&](std::uint32_t s, std::size_t i) {
    for (std::size_t k = 0; k < 4; ++k) s += static_cast<std::uint32_t>(x[4 * i + k] * signed_bytes[k]);
    return s;
  });
}

inline __m512i dpbusd(__m512i sum, __m512i codes, __m512i signed_bytes) {
  const auto x = lanes<std::uint8_t>(codes);
  const auto y = lanes<std::int8_t>(signed_bytes);
  return convert<__m512i, std::uint32_t, std::uint32_t>(sum, [&](std::uint32_t s, std::size_t i) {
    for (std::size_t k = 0; k < 4; ++k) s += static_cast<std::uint32_t>(x[4 * i + k] * y[4 * i + k]);
    return s;
  });
}
inline float masked_largest(unsigned mask, __m512 v) {
  const auto from = lanes<float>(v);
  float most = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < from.size(); ++i)
    if (mask >> i & 1) most = std::max(most, from[i]);
  return most;
}

}  // namespace consort::emulated

#undef _mm512_cvtps_ph
#define _mm512_maskz_loadu_ps(m, p) (consort::emulated::masked_load<__m512, float>(m, p))
#define _mm512_maskz_loadu_epi32(m, p) (consort::emulated::masked_load<__m512i, std::int32_t>(m, p))
#define _mm512_mask_storeu_ps(p, m, v) (consort::emulated::masked_store<float>(p, m, v))
#define _mm256_mask_storeu_epi16(p, m, v) (consort::emulated::masked_store<std::int16_t>(p, m, v))
#define _mm512_dpbusd_epi32(s, a, b) (consort::emulated::dpbusd(s, a, b))
#define _mm512_mask_reduce_max_ps(m, v) (consort::emulated::masked_largest(m, v))
#define _mm512_reduce_max_ps(v) (consort::emulated::largest<float>(v))
#define _mm512_reduce_max_epu32(v) (consort::emulated::largest<std::uint32_t>(v))
#define _mm512_reduce_add_ps(v) (consort::emulated::sum_by_halves(v))
#define _mm512_reduce_add_epi32(v) (static_cast<int>(consort::emulated::wrapped_sum<std::uint32_t>(v)))
#define _mm512_permute_ps(v, i) (consort::emulated::permute<(i)>(v))
#define _mm512_extractf32x8_ps(v, i) (consort::emulated::half_of<(i)>(v))
#define _mm512_cvtps_ph(v, i) (consort::emulated::to_half_floats(v))
#define _mm512_cvtph_ps(v) (consort::emulated::from_half_floats(v))
#define _mm512_maskz_cvtps_epi32(m, v) (consort::emulated::rounded(m, v))
#define _mm512_srai_epi32(v, n) (consort::emulated::shifted(v, n))
#define CONSORT_EMULATED_CAST(out, to, from, v) \
  (consort::emulated::convert<out, to, from>(v, consort::emulated::Cast<to>{}))
#define _mm512_cvtepi32_ps(v) CONSORT_EMULATED_CAST(__m512, float, std::int32_t, v)
#define _mm512_cvtepi32_epi16(v) CONSORT_EMULATED_CAST(__m256i, std::int16_t, std::int32_t, v)
#define _mm512_cvtepi32_epi8(v) CONSORT_EMULATED_CAST(__m128i, std::int8_t, std::int32_t, v)
#define _mm512_cvtepu16_epi32(v) CONSORT_EMULATED_CAST(__m512i, std::int32_t, std::uint16_t, v)
#define _mm512_cvtepu8_epi32(v) CONSORT_EMULATED_CAST(__m512i, std::int32_t, std::uint8_t, v)
#define _mm512_cvtepi8_epi32(v) CONSORT_EMULATED_CAST(__m512i, std::int32_t, std::int8_t, v)

// What the kernels ask for. Behind the headers above, which would take it for real.
#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512VL__ 1
#define __AVX512DQ__ 1
#define __AVX512VNNI__ 1

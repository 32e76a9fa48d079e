// Sixteen float lanes with one meaning on every instruction set. A file that includes this header is compiled
// for one instruction set (its name ends in _avx512.cpp or _avx2.cpp, or it is plain), and all names land in
// the namespace of that set, so that the linker never mixes them. Sums of lanes are taken in one fixed order
// everywhere and `fma` rounds once everywhere, so results are the same bits on every instruction set.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

// GCC 12 warns inside its own AVX-512 header (bug 105593); that says nothing about this code.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if defined(__AVX512F__)
#include <immintrin.h>
#define CONSORT_LANES avx512
#elif defined(__AVX2__)
#include <immintrin.h>
#define CONSORT_LANES avx2
#else
#define CONSORT_LANES scalar
#endif
#define CONSORT_LANE_FN inline __attribute__((always_inline))

namespace consort::CONSORT_LANES {

inline constexpr std::size_t kLanes = 16;

// IEEE half to single and back (round to nearest even), one number. Source: IEEE 754-2008 binary16.
CONSORT_LANE_FN float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  std::uint32_t exponent = (h >> 10) & 31u, fraction = h & 1023u, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000u | (fraction << 13);
  } else if (exponent == 0) {
    const float f = static_cast<float>(fraction) * 0x1p-24f;
    std::memcpy(&bits, &f, 4);
    bits |= sign;
  } else {
    bits = sign | ((exponent + 112) << 23) | (fraction << 13);
  }
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

CONSORT_LANE_FN std::uint16_t float_to_half(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const std::uint32_t sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
  if (rest > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);   // NaN
  if (rest >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (rest < 0x38800000u) {                                                    // subnormal half or zero
    float magnitude;
    std::memcpy(&magnitude, &rest, 4);
    const float shifted = magnitude + 0.5f;  // aligns to multiples of 2^-24 and rounds to even
    std::uint32_t s;
    std::memcpy(&s, &shifted, 4);
    return static_cast<std::uint16_t>(sign | (s - 0x3f000000u));
  }
  const std::uint32_t rounded = rest + 0xfffu + ((rest >> 13) & 1u) - 0x38000000u;
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

#if defined(__AVX512F__)

struct Lanes {
  __m512 v;
};
CONSORT_LANE_FN Lanes load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
CONSORT_LANE_FN void store(float* p, Lanes a) {
  _mm512_storeu_ps(p, a.v);
}
CONSORT_LANE_FN Lanes set1(float x) {
  return {_mm512_set1_ps(x)};
}
CONSORT_LANE_FN Lanes add(Lanes a, Lanes b) {
  return {_mm512_add_ps(a.v, b.v)};
}
CONSORT_LANE_FN Lanes sub(Lanes a, Lanes b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
CONSORT_LANE_FN Lanes mul(Lanes a, Lanes b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
CONSORT_LANE_FN Lanes div(Lanes a, Lanes b) {
  return {_mm512_div_ps(a.v, b.v)};
}
CONSORT_LANE_FN Lanes max(Lanes a, Lanes b) {
  return {_mm512_max_ps(a.v, b.v)};
}
CONSORT_LANE_FN Lanes min(Lanes a, Lanes b) {
  return {_mm512_min_ps(a.v, b.v)};
}
CONSORT_LANE_FN Lanes fma(Lanes a, Lanes b, Lanes c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
CONSORT_LANE_FN Lanes round_even(Lanes a) {
  return {_mm512_roundscale_ps(a.v, 8)};
}
// a * 2^n for whole n with a normal result.
CONSORT_LANE_FN Lanes scale_by_power(Lanes a, Lanes n) {
  return {_mm512_scalef_ps(a.v, n.v)};
}
CONSORT_LANE_FN Lanes load_half(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
CONSORT_LANE_FN void store_half(std::uint16_t* p, Lanes a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
// Lanes (1, 0, 3, 2, ...).
CONSORT_LANE_FN Lanes swap_pairs(Lanes a) {
  return {_mm512_permute_ps(a.v, 0xb1)};
}

#elif defined(__AVX2__)

struct Lanes {
  __m256 a, b;
};
CONSORT_LANE_FN Lanes load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
CONSORT_LANE_FN void store(float* p, Lanes x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
CONSORT_LANE_FN Lanes set1(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
CONSORT_LANE_FN Lanes add(Lanes x, Lanes y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
CONSORT_LANE_FN Lanes sub(Lanes x, Lanes y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
CONSORT_LANE_FN Lanes mul(Lanes x, Lanes y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
CONSORT_LANE_FN Lanes div(Lanes x, Lanes y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
CONSORT_LANE_FN Lanes max(Lanes x, Lanes y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
CONSORT_LANE_FN Lanes min(Lanes x, Lanes y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
CONSORT_LANE_FN Lanes fma(Lanes x, Lanes y, Lanes z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
CONSORT_LANE_FN Lanes round_even(Lanes x) {
  return {_mm256_round_ps(x.a, 8), _mm256_round_ps(x.b, 8)};
}
CONSORT_LANE_FN __m256 power_of_two(__m256 n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
CONSORT_LANE_FN Lanes scale_by_power(Lanes x, Lanes n) {
  return {_mm256_mul_ps(x.a, power_of_two(n.a)), _mm256_mul_ps(x.b, power_of_two(n.b))};
}
CONSORT_LANE_FN Lanes load_half(const std::uint16_t* p) {
  const __m128i* q = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))};
}
CONSORT_LANE_FN void store_half(std::uint16_t* p, Lanes x) {
  __m128i* q = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(q, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(q + 1, _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
CONSORT_LANE_FN Lanes swap_pairs(Lanes x) {
  return {_mm256_permute_ps(x.a, 0xb1), _mm256_permute_ps(x.b, 0xb1)};
}

#else

struct Lanes {
  float v[kLanes];
};
template <typename F>
CONSORT_LANE_FN Lanes each(F f) {
  Lanes out;
  for (std::size_t i = 0; i < kLanes; ++i) out.v[i] = f(i);
  return out;
}
CONSORT_LANE_FN Lanes load(const float* p) {
  return each([&](std::size_t i) { return p[i]; });
}
CONSORT_LANE_FN void store(float* p, const Lanes& a) {
  std::memcpy(p, a.v, sizeof a.v);
}
CONSORT_LANE_FN Lanes set1(float x) {
  return each([&](std::size_t) { return x; });
}
CONSORT_LANE_FN Lanes add(Lanes a, Lanes b) {
  return each([&](std::size_t i) { return a.v[i] + b.v[i]; });
}
CONSORT_LANE_FN Lanes sub(Lanes a, Lanes b) {
  return each([&](std::size_t i) { return a.v[i] - b.v[i]; });
}
CONSORT_LANE_FN Lanes mul(Lanes a, Lanes b) {
  return each([&](std::size_t i) { return a.v[i] * b.v[i]; });
}
CONSORT_LANE_FN Lanes div(Lanes a, Lanes b) {
  return each([&](std::size_t i) { return a.v[i] / b.v[i]; });
}
CONSORT_LANE_FN Lanes max(Lanes a, Lanes b) {
  return each([&](std::size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
CONSORT_LANE_FN Lanes min(Lanes a, Lanes b) {
  return each([&](std::size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
CONSORT_LANE_FN Lanes fma(Lanes a, Lanes b, Lanes c) {
  return each([&](std::size_t i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
// Round to nearest even by the 1.5 * 2^23 trick: |a| < 2^22.
CONSORT_LANE_FN Lanes round_even(Lanes a) {
  return each([&](std::size_t i) { return (a.v[i] + 12582912.0f) - 12582912.0f; });
}
CONSORT_LANE_FN Lanes scale_by_power(Lanes a, Lanes n) {
  return each([&](std::size_t i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(static_cast<int>(n.v[i]) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return a.v[i] * power;
  });
}
CONSORT_LANE_FN Lanes load_half(const std::uint16_t* p) {
  return each([&](std::size_t i) { return half_to_float(p[i]); });
}
CONSORT_LANE_FN void store_half(std::uint16_t* p, const Lanes& a) {
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = float_to_half(a.v[i]);
}
CONSORT_LANE_FN Lanes swap_pairs(Lanes a) {
  return each([&](std::size_t i) { return a.v[i ^ 1]; });
}

#endif

CONSORT_LANE_FN Lanes zero() {
  return set1(0.0f);
}

// The first n (< 16) floats of p; the other lanes are `fill`.
CONSORT_LANE_FN Lanes load_part(const float* p, std::size_t n, float fill = 0.0f) {
  float buffer[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) buffer[i] = fill;
  std::memcpy(buffer, p, n * sizeof(float));
  return load(buffer);
}
CONSORT_LANE_FN void store_part(float* p, const Lanes& a, std::size_t n) {
  float buffer[kLanes];
  store(buffer, a);
  std::memcpy(p, buffer, n * sizeof(float));
}

// Sum and largest of the lanes: halves folded together, 8, 4, 2, 1.
CONSORT_LANE_FN float sum_of(const Lanes& a) {
#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256 high = _mm512_extractf32x8_ps(a.v, 1);
  const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), high);
#else
  const __m256 h8 = _mm256_add_ps(a.a, a.b);
#endif
  const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
  const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
  return _mm_cvtss_f32(_mm_add_ss(h2, _mm_shuffle_ps(h2, h2, 1)));
#else
  float v[kLanes];
  std::memcpy(v, a.v, sizeof v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) v[i] += v[i + half];
  return v[0];
#endif
}
CONSORT_LANE_FN float max_of(const Lanes& a) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(a.v);
#else
  float v[kLanes];
  store(v, a);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) v[i] = v[i] > v[i + half] ? v[i] : v[i + half];
  return v[0];
#endif
}

// e^x, within 2 units in the last place for x in [-87, 88]; below -87 it gives about 1.6e-38 and above 88
// about 1.6e38, so callers mask what must be exactly 0. Method: x = n ln 2 + r, |r| <= ln 2 / 2, Taylor to
// degree 7 (remainder 5e-9), two-part ln 2 (Cody and Waite).
CONSORT_LANE_FN Lanes exp(Lanes x) {
  x = min(set1(88.0f), max(set1(-87.0f), x));  // in this order a NaN stays a NaN
  const Lanes n = round_even(mul(x, set1(1.44269504088896341f)));
  Lanes r = fma(n, set1(-0.693359375f), x);
  r = fma(n, set1(2.12194440054690583e-4f), r);
  Lanes p = set1(1.0f / 5040);
  p = fma(p, r, set1(1.0f / 720));
  p = fma(p, r, set1(1.0f / 120));
  p = fma(p, r, set1(1.0f / 24));
  p = fma(p, r, set1(1.0f / 6));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return scale_by_power(p, n);
}

// 1 / (1 + e^-x).
CONSORT_LANE_FN Lanes sigmoid(Lanes x) {
  const Lanes one = set1(1.0f);
  return div(one, add(one, exp(sub(zero(), x))));
}

}  // namespace consort::CONSORT_LANES
